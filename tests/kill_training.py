"""Kills a training run again and again, then lets it finish. Prints how many kills it survived.

python kill_training.py FOLDER     makes FOLDER/golden (never killed) and FOLDER/killed
"""

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tiny_model import TinyRun

from train.trainer import train

KILLS = 20
UPDATES = 11


def forked(own: TinyRun, name: str, patience: float | None) -> bool:
    """Train in a child; kill it after `patience` seconds. Returns whether it was killed."""
    return forked_call(lambda: train(own.config(name)), patience)


def forked_call(work: Callable[[], object], patience: float | None) -> bool:
    """The same with any work."""
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


def main(folder: Path) -> None:
    own = TinyRun(folder)
    own.settings |= {
        "max_steps": UPDATES,
        "logging_steps": 3,
        "eval_steps": 4,
        "save_steps": 1,
        "loss": "dpo",
    }
    started = time.monotonic()
    forked(own, "golden", None)
    whole = time.monotonic() - started
    chance, kills = random.Random(0), 0
    while kills < KILLS:
        killed = forked(own, "killed", chance.uniform(0, whole))
        kills += killed
        if not killed and kills < KILLS:  # it got through: kill another from the start
            forked(own, "killed", None)
            own.settings["fresh"] = True
            kills += forked(own, "killed", chance.uniform(0.2, 0.8) * whole)
            own.settings["fresh"] = False
    forked(own, "killed", None)
    print(kills)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
