"""Work in a fork of this process, which has imported everything, and its end by SIGKILL."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable


def forked_call(work: Callable[[], object], patience: float | None) -> bool:
    """Do some work in a child; kill it after `patience` seconds. Returns whether it was killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    started, pid, status = time.monotonic(), 0, 0
    while not pid:
        pid, status = os.waitpid(child, os.WNOHANG)
        if not pid and patience is not None and time.monotonic() - started > patience:
            os.kill(child, signal.SIGKILL)
            pid, status = os.waitpid(child, 0)
        time.sleep(0.001)
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status):
        sys.exit("a run failed instead of resuming")
    return False
