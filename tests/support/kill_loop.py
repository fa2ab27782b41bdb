"""Kills a small loop again and again, then lets it finish. Prints how many kills it survived.

Its commands are given settings of their own, and all of them a budget.

python kill_loop.py FOLDER KILLS [hf|stand_in|vllm]    makes FOLDER/golden (never killed) and FOLDER/killed

With `stand_in` it samples from a program that stands in the place of vLLM, in a process of its own, for
each round while the one before is trained, with one optimizer for all rounds. With `vllm` from a real one,
whose start takes longer than the rest of a round: what is killed may come far, and begins anew when it got
through.
"""

import random
import shutil
import sys
import time
from pathlib import Path

from forks import forked_call
from in_sections import changed
from loop_toy import LoopToy
from vllm_processes import SETTINGS
from vllm_stand_in import LETTERS, stand_in

from train.on_policy.loop import loop


def main(folder: Path, kills: int, sampler: str = "hf") -> None:
    real = sampler == "vllm"
    toy = LoopToy(folder, hidden_size=64 if real else 32)  # vLLM has no kernel for smaller heads
    composed = {
        "pairs": "both",
        "sample": {"n": 2, "temperature": 0.9, "top_p": 0.95},
        "judge": {"min_margin": 0.01, "agree": "all"},
        "revise": {
            "reviser": f"canned:{toy.reviser}",
            "reply": "bare",
            "min_kept_share": 0,
            "max_edit_distance": 1,
        },
        "train": {"num_train_epochs": 1, "save_steps": 1, "beta": 0.2},
        "budget": {"max_tokens_total": 1_000_000},
    }
    toy.settings = changed(toy.settings, {"limit": 14, **composed})
    toy.settings["rounds"] = 2 if kills > 5 else 1
    if sampler != "hf":
        engine = SETTINGS | {"max_model_len": "200"} if real else {"python": stand_in(folder, text=LETTERS)}
        vllm_too = {"sample": {"policy": "vllm", "engine": engine}, "rounds": 3}
        semi_online = {"prompts_per_round": 6, "overlap": True, "carry_optimizer": True}
        toy.settings = changed(toy.settings, {**vllm_too, **semi_online})

    def go(name: str) -> None:
        loop(toy.config(name))

    started = time.monotonic()
    forked_call(lambda: go("golden"), None)
    whole = time.monotonic() - started
    chance, survived = random.Random(0), 0
    # A killed loop goes on where it was, so waits as long as this land all over it.
    longest = whole if real else whole / kills
    while survived < kills:
        if forked_call(lambda: go("killed"), chance.uniform(0.1, longest)):
            survived += 1
            continue
        tables = [(folder / name / "table.jsonl").read_text() for name in ("golden", "killed")]
        assert tables[0] == tables[1], f"another table after {survived} kills"
        shutil.rmtree(folder / "killed")
        if not real:
            longest *= 0.5  # begin anew, less patiently
    forked_call(lambda: go("killed"), None)
    print(survived)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
