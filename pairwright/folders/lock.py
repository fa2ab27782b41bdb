"""The lock of a folder, which lets one process write to it."""

import errno
import fcntl
import os
import time
from pathlib import Path

from pairwright.errors import PairwrightError

LOCK = ".lock"
"""Name of the file that is locked."""
_AGAIN_SECONDS = 0.05
_GONE_SECONDS = 10.0
"""What a process was starting when it was killed has its open files for a moment longer."""


# Not `filelock`: a refusal names the process that holds the folder, and the file is never replaced.
class FolderLock:
    """Locks a folder for this process; the kernel releases the lock when the process ends.

    The file's content (process id) is for people to read: only the `flock` counts, so a stale file
    never blocks anybody. Waits for at most `patience` seconds when another process has it.
    """

    def __init__(self, folder: Path, patience: float = 0.0) -> None:
        self.path = folder / LOCK
        self._patience = patience
        self._descriptor: int | None = None

    def __enter__(self) -> "FolderLock":
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            if isinstance(error, FileExistsError | FileNotFoundError | NotADirectoryError):
                raise PairwrightError(
                    f"{self.path.parent}: cannot be a folder ({error.strerror})"
                ) from None
            if error.errno not in (errno.EROFS, errno.EACCES):
                raise
            raise PairwrightError(
                f"{self.path.parent}: nothing can be written to this folder ({error.strerror}), and what "
                "is asked for is not finished in it; copy it to where it can be written, or choose another"
            ) from None
        if not self._taken(descriptor):
            holder = _holder(descriptor) or "unknown"
            os.close(descriptor)
            raise PairwrightError(
                f"{self.path.parent}: another process (pid {holder}) is writing to this folder; "
                "wait for it or choose another folder"
            )
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor
        return self

    def _taken(self, descriptor: int) -> bool:
        """Whether the lock could be had in time."""
        begun = time.monotonic()
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except OSError:
                gone = not _lives(_holder(descriptor))
                patience = max(self._patience, _GONE_SECONDS) if gone else self._patience
                if time.monotonic() - begun >= patience:
                    return False
                time.sleep(_AGAIN_SECONDS)

    def __exit__(self, *error: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _holder(descriptor: int) -> str:
    """The process that the file of a lock names."""
    return os.pread(descriptor, 32, 0).decode(errors="replace").strip()


def _lives(holder: str) -> bool:
    """Whether there is such a process; so it is taken to be where none is named."""
    try:
        os.kill(int(holder), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, PermissionError):
        return True
    return True
