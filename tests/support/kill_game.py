"""Kills a small game again and again, then lets it finish. Prints how many kills it survived.

python kill_game.py FOLDER KILLS     makes FOLDER/golden (never killed) and FOLDER/killed
"""

import random
import shutil
import sys
import time
from pathlib import Path

from forks import forked_call
from game_toy import Toy

from train.adversarial.game import game


def main(folder: Path, kills: int) -> None:
    toy = Toy(folder)
    toy.settings |= {"rounds": 2, "limit": 8, "samples": 2, "eval_n": 1, "rm_epochs": 1, "llm_epochs": 1}
    toy.settings |= {"save_steps": 1}

    def play(name: str) -> None:
        game(toy.config(name))

    started = time.monotonic()
    forked_call(lambda: play("golden"), None)
    whole = time.monotonic() - started
    chance, survived = random.Random(0), 0
    # A killed game goes on where it was, so waits as long as this land all over it.
    longest = 2 * whole / kills
    while survived < kills:
        if forked_call(lambda: play("killed"), chance.uniform(0.1, longest)):
            survived += 1
        else:  # it got through: begin anew, less patiently
            shutil.rmtree(folder / "killed")
            longest *= 0.7
    forked_call(lambda: play("killed"), None)
    print(survived)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
