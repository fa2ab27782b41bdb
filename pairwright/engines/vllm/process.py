"""A supervised subprocess in a session of its own, spoken to in lines; it ends with whoever started it."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_KEEPER = Path(__file__).with_name("keeper.py")
_TAIL = 64 * 1024
_KEEPER_SECONDS = 5.0
_LAST_LINES_SECONDS = 1.0


class SupervisedProcess:
    """Runs a command under `keeper.py`: it ends with `end`, or with this process, however that dies.

    Its stderr goes to a file without a name, of which `log_tail` shows the end.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process
        lifeline, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_KEEPER), str(lifeline), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=dict(environment),
                pass_fds=(lifeline,),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(lifeline)
        self.group = self._process.pid
        """Process group, and session, of everything that the command starts."""
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._threads = [
            threading.Thread(target=_write_from, args=(self._outbox, self._process.stdin), daemon=True),
            threading.Thread(target=_read_into, args=(self._inbox, self._process.stdout), daemon=True),
            threading.Thread(target=self._reap, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def send(self, line: bytes) -> None:
        """Send a line. Returns at once; to a process that is gone it goes nowhere."""
        self._outbox.put(line + b"\n")

    def receive(self, timeout: float | None) -> bytes | None:
        """Return the next line, or None once the process is gone.

        Raises `queue.Empty` after `timeout` seconds.
        """
        line = self._inbox.get(timeout=timeout) if timeout != 0 else self._inbox.get_nowait()
        if line is None:
            self._inbox.put(None)  # it stays gone
        return line

    def log_tail(self) -> list[str]:
        """Return the last lines of what it wrote to stderr."""
        size = os.fstat(self._log.fileno()).st_size
        raw = os.pread(self._log.fileno(), _TAIL, max(0, size - _TAIL))
        return [line for line in raw.decode(errors="replace").splitlines() if line.strip()]

    def end(self, patience: float = 0.0) -> None:
        """Close its stdin, wait `patience` seconds for it to end by itself, and kill what is left."""
        self._outbox.put(None)
        buried = self._threads[-1]
        buried.join(patience)
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        buried.join(_KEEPER_SECONDS)
        if buried.is_alive():
            self._kill()
        buried.join()
        self._log.close()

    def _reap(self) -> None:
        """Wait for the keeper to end. Where it was killed itself, kill what it can no longer."""
        self._process.wait()
        self._kill()
        self._threads[1].join(_LAST_LINES_SECONDS)  # for ever, if somebody left the session with the pipe
        self._inbox.put(None)

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.group, signal.SIGKILL)


def _write_from(outbox: "queue.SimpleQueue[bytes | None]", pipe: IO[bytes]) -> None:
    with contextlib.suppress(OSError), pipe:
        while (line := outbox.get()) is not None:
            pipe.write(line)
            if outbox.empty():
                pipe.flush()


def _read_into(inbox: "queue.SimpleQueue[bytes | None]", pipe: IO[bytes]) -> None:
    with pipe:
        for line in pipe:
            if line.endswith(b"\n"):  # the last may have been cut off by a kill
                inbox.put(line)
