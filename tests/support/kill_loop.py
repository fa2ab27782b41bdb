"""Kills a small loop again and again, then lets it finish. Prints how many kills it survived.

python kill_loop.py FOLDER KILLS     makes FOLDER/golden (never killed) and FOLDER/killed
"""

import random
import shutil
import sys
import time
from pathlib import Path

from forks import forked_call
from in_sections import changed
from loop_toy import LoopToy

from train.on_policy.loop import loop


def main(folder: Path, kills: int) -> None:
    toy = LoopToy(folder)
    shorter = {"sample": {"n": 2}, "train": {"num_train_epochs": 1, "save_steps": 1}}
    toy.settings = changed(toy.settings, {"limit": 14, **shorter})
    toy.settings["rounds"] = 2 if kills > 5 else 1

    def go(name: str) -> None:
        loop(toy.config(name))

    started = time.monotonic()
    forked_call(lambda: go("golden"), None)
    whole = time.monotonic() - started
    chance, survived = random.Random(0), 0
    # A killed loop goes on where it was, so waits as long as this land all over it.
    longest = whole / kills
    while survived < kills:
        if forked_call(lambda: go("killed"), chance.uniform(0.1, longest)):
            survived += 1
        else:  # it got through: begin anew, less patiently
            shutil.rmtree(folder / "killed")
            longest *= 0.5
    forked_call(lambda: go("killed"), None)
    print(survived)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
