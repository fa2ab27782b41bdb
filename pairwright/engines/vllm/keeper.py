"""Runs a program, and ends it with all its children once its parent is gone.

    python keeper.py LIFELINE COMMAND …

LIFELINE is the reading end of a pipe whose other end its parent holds and never writes to. When that end
closes, for whatever reason, or when COMMAND ends, every descendant of COMMAND is killed, those that made a
session of their own included. COMMAND finds in `KEPT_FOLDER` a folder that is removed with them. Needs
nothing but Python.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
_SWEEP_SECONDS = 2.0


def main(lifeline: int, command: list[str]) -> None:
    """Run the command, and leave nothing of it behind."""
    _ask_kernel(_SET_CHILD_SUBREAPER, 1)
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    folder = tempfile.mkdtemp(prefix="pairwright-")
    # This process has one thread, so code between fork and exec is safe.
    kept = subprocess.Popen(command, preexec_fn=_die_with_parent, env=os.environ | {"KEPT_FOLDER": folder})
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):  # or its end of them would stay open when the command is gone
        os.dup2(nothing, stream)
    while kept.poll() is None:
        ready, _, _ = select.select([lifeline, woken], [], [])
        if lifeline in ready:
            break
        os.read(woken, 512)
    else:
        print(f"the process ended with {_how(kept.returncode)}", file=sys.stderr)
    end_all(kept)
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def end_all(kept: "subprocess.Popen[bytes]") -> None:
    """Kill all descendants; children of the dead become ours, so none is missed.

    Python's resource trackers come last: once all others are dead they free the shared memory that
    those have left, and end.
    """
    patience = time.monotonic() + _SWEEP_SECONDS
    while children := _children():
        late = time.monotonic() > patience
        for child in children:
            if late or not _sweeps(child):
                os.kill(child, signal.SIGKILL)
        kept.poll()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)


def _sweeps(process: int) -> bool:
    try:
        return b"resource_tracker" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def _children() -> list[int]:
    try:
        return [int(pid) for pid in Path("/proc/thread-self/children").read_text().split()]
    except OSError:
        return []


def _die_with_parent() -> None:
    _ask_kernel(_SET_PDEATHSIG, signal.SIGKILL)


def _ask_kernel(what: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(what, value, 0, 0, 0)


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.Signals(-code).name})"


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
