"""Kills a small game again and again, then lets it finish. Prints how many kills it survived.

Its commands are given settings of their own, and all of them a budget.

python kill_game.py FOLDER KILLS     makes FOLDER/golden (never killed) and FOLDER/killed
"""

import random
import shutil
import sys
import time
from pathlib import Path

from forks import forked_call
from game_toy import Toy
from in_sections import changed

from train.adversarial.game import game


def main(folder: Path, kills: int) -> None:
    toy = Toy(folder)
    once = {"num_train_epochs": 1, "save_steps": 1}
    composed = {
        "rounds": 2,
        "limit": 8,
        "eval_n": 1,
        "sample": {"n": 2, "temperature": 0.9, "top_p": 0.95},
        "reward": {**once, "apo_coeff": 1.5},
        "train": {**once, "sft_weight": 0.9},
        "budget": {"max_tokens_total": 1_000_000},
    }
    toy.settings = changed(toy.settings, composed)

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
