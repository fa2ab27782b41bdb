"""Kills a training run again and again, then lets it finish. Prints how many kills it survived.

python kill_training.py FOLDER     makes FOLDER/golden (never killed) and FOLDER/killed
"""

import random
import sys
import time
from pathlib import Path

from forks import forked_call
from tiny_model import TinyRun

from train.training import train

KILLS = 20
UPDATES = 11


def forked(own: TinyRun, name: str, patience: float | None) -> bool:
    """Train in a child; kill it after `patience` seconds. Returns whether it was killed."""
    return forked_call(lambda: train(own.config(name)), patience)


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
