"""Makes the folders beside this file: work begun and cut short by SIGKILL, and how it ends uncut.

    PYTHONPATH=CHECKOUT python make_begun.py

CHECKOUT is commit 003b38e, whose functions are replaced here by name, so this runs with no other. Each
`NAME.tar.xz` holds `inputs/`, what was begun in `run/`, and `whole.json`, the content of the same folder
of a command that nobody cut. Commands run with relative paths, so the folders can be put anywhere.
"""

import contextlib
import importlib
import itertools
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

HERE = Path(__file__).parent
FROZEN = HERE.parent / "frozen" / "inputs"
sys.path.insert(0, str(HERE.parents[1] / "support"))
from frozen import content  # noqa: E402

CPU = "--use_cpu --no_bf16 --micro_batch_tokens 1024"
REVISE = "revise inputs/answers.jsonl --reviser canned:inputs/reviser.jsonl --shard_size 8 --out run"
TRAIN = (
    "train --model inputs/blank --data inputs/pairs.jsonl --loss dpo --learning_rate 3e-3 --max_steps 4 "
    f"--pairs_per_update 4 --eval_share 0.2 --save_steps 1 --reference_store refs --output_dir run {CPU}"
)
LOOP = (
    "loop --model inputs/start --prompts inputs/prompts.jsonl --pairs both --judge reward:inputs/taste "
    "--reviser canned:inputs/reviser.jsonl --reply bare --min_kept_share 0 --max_edit_distance 1 "
    "--rounds 2 --n 3 --max_tokens 12 --max_length 64 --min_margin 0 --eval_prompt_share 0.3 "
    "--eval_temperature 1 --loss dpo --beta 0.2 --learning_rate 3e-3 --pairs_per_update 8 --save_steps 0 "
    f"--stop_win_rate 1 --batch_size 64 --output_dir run {CPU}"
)
GAME = (
    "game --model inputs/start --rm_prompts inputs/golden.jsonl --llm_prompts inputs/prompts.jsonl "
    "--human inputs/human.jsonl --judge reward:inputs/taste --rounds 2 --samples 3 --max_tokens 12 "
    "--temperature 1 --rm_learning_rate 3e-3 --rm_pairs_per_update 8 --apo_coeff 2 "
    "--learning_rates 4e-3,2e-3 --llm_pairs_per_update 4 --save_steps 1 --batch_size 64 "
    f"--output_dir run {CPU}"
)


def pairwright(command: str) -> None:
    """Run a command of the version before, as a shell does."""
    importlib.import_module("pairwright.cli").main(command.split())


def killed_before(module: str, name: str, call: int) -> Callable[[], None]:
    """What makes this process kill itself before a call of a function, counted from 1."""

    def prepare() -> None:
        place = importlib.import_module(module)
        real, calls = getattr(place, name), itertools.count(1)

        def counted(*given: Any, **named: Any) -> Any:
            if next(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **named)

        setattr(place, name, counted)

    return prepare


def killed_when_answered(count: int) -> Callable[[], None]:
    """What makes this process answer slowly from the 29th row on, and kill itself at `count` completions.

    Those that it keeps say that they took 1000 tokens to ask, so that they are known from others.
    """

    def prepare() -> None:
        canned = importlib.import_module("pairwright.engines.canned")
        find = canned.CannedEngine._find

        def marked(self: Any, job: Any) -> Any:
            reply, completion = find(self, job)
            late = any(f"What is {n} plus" in job.request.messages[0].content for n in range(29, 39))
            reply = reply.model_copy(update={"delay": 600.0 if late else 0.01})
            return reply, completion.model_copy(update={"prompt_tokens": 1000})

        canned.CannedEngine._find = marked
        parent = os.getpid()
        if os.fork() == 0:
            while _answered(Path("run/journal.sqlite")) < count or _committed(Path("run/run.json")) < 3:
                time.sleep(0.02)
            time.sleep(0.2)
            os.kill(parent, signal.SIGKILL)
            os._exit(0)

    return prepare


def _answered(path: Path) -> int:
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as journal:
        return int(journal.execute("SELECT COUNT(*) FROM completions").fetchone()[0])
    return 0


def _committed(path: Path) -> int:
    return len(json.loads(path.read_text())["shards"]) if path.exists() else 0


def in_child(folder: Path, command: str, prepare: Callable[[], None] | None) -> int:
    """Run a command in a fork; returns its wait status."""
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        if prepare is not None:
            prepare()
        pairwright(command)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def make(name: str, command: str, prepare: Callable[[], None], inputs: Path) -> None:
    """Cut a command short in one folder and let it end in another; write both to `name`.tar.xz."""
    with tempfile.TemporaryDirectory() as scratch:
        cut, whole = Path(scratch) / "cut", Path(scratch) / "whole"
        for folder in (cut, whole):
            shutil.copytree(inputs, folder / "inputs")
        assert in_child(cut, command, prepare) == signal.SIGKILL, name
        assert in_child(whole, command, None) == 0, name
        (cut / "whole.json").write_text(json.dumps(content(whole / "run"), ensure_ascii=False))
        with tarfile.open(HERE / f"{name}.tar.xz", "w:xz", preset=9) as tar:
            for path in sorted(cut.iterdir()):
                tar.add(path, path.name)


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def strings(chance: random.Random, count: int, share: float) -> list[str]:
    """Strings of seven letters, each an `a` with some probability, else a `b`."""
    return ["".join("a" if chance.random() < share else "b" for _ in range(7)) for _ in range(count)]


def revise_inputs(folder: Path) -> None:
    """40 answers and a canned reviser."""
    folder.mkdir()
    answer = (
        "The sum of {n} and one is easy to find: it is {m}, as everybody knows who can count to a hundred."
    )
    write_jsonl(
        folder / "answers.jsonl",
        [{"prompt": f"What is {n} plus one?", "response": answer.format(n=n, m=n)} for n in range(40)],
    )
    tagged = "<rationale>the sum was wrong</rationale>\n<revision>{}</revision>"
    said = [tagged.format(answer.format(n=n, m=n + 1)) if n % 5 else "No idea." for n in range(40)]
    write_jsonl(
        folder / "reviser.jsonl",
        [{"match": f"What is {n} plus one?", "text": text} for n, text in enumerate(said)],
    )


def train_inputs(folder: Path) -> None:
    """The frozen pairs and model."""
    folder.mkdir()
    shutil.copytree(FROZEN / "model", folder / "blank")
    shutil.copy(FROZEN / "pairs.jsonl", folder)


def rounds_inputs(folder: Path) -> None:
    """A model that writes strings of two letters, a reward model that likes one of them, and prompts."""
    folder.mkdir()
    chance = random.Random(0)
    start = [
        {"prompt": f"q{n}", "completion": text, "score": 1.0, "row_id": f"{n}"}
        for n, text in enumerate(strings(chance, 192, 0.4))
    ]
    human = []
    while len(human) < 40:
        worse, better = sorted(strings(chance, 2, 0.4), key=lambda text: text.count("a"))
        if worse.count("a") < better.count("a"):
            human.append({"prompt": f"h{len(human)}", "chosen": better, "rejected": worse})
    golden = [{"prompt": f"g{n}", "golden": text} for n, text in enumerate(strings(chance, 8, 0.5))]
    write_jsonl(folder / "start.jsonl", start)
    write_jsonl(folder / "human.jsonl", human)
    write_jsonl(folder / "golden.jsonl", golden)
    write_jsonl(folder / "prompts.jsonl", [{"prompt": f"p{n}"} for n in range(12)])
    write_jsonl(folder / "reviser.jsonl", [{"text": text} for text in ("aabbaab", "abababa", "aaaaabb")])
    write_model(
        folder / "start",
        f"train --data {folder}/start.jsonl --loss rejection_sampling --reference_store none "
        "--learning_rate 3e-2 --num_train_epochs 8",
    )
    write_model(
        folder / "taste", f"reward --data {folder}/human.jsonl --learning_rate 1e-2 --num_train_epochs 6"
    )


def write_model(folder: Path, command: str) -> None:
    """Train the frozen model, and keep what is needed to load the one that comes of it."""
    own = f"--model {FROZEN}/model --eval_share 0 --save_steps 0 --output_dir {folder} {CPU}"
    assert in_child(folder.parent, f"{command} {own}", None) == 0
    needed = {path.name for path in (FROZEN / "model").iterdir()} | {"generation_config.json"}
    for path in folder.iterdir():
        if path.name not in needed:
            path.unlink()


def main() -> None:
    """Make all four."""
    torch.set_num_threads(1)
    real = Figure.savefig
    # Pictures are small: they are most of what a reward model's folder weighs.
    Figure.savefig = lambda self, *given, **named: real(self, *given, **named | {"dpi": 6})  # type: ignore
    with tempfile.TemporaryDirectory() as scratch:
        inputs = {name: Path(scratch) / name for name in ("revise", "train", "rounds")}
        revise_inputs(inputs["revise"])
        train_inputs(inputs["train"])
        rounds_inputs(inputs["rounds"])
        make("revise", REVISE, killed_when_answered(30), inputs["revise"])
        make("train", TRAIN, killed_before("train.trainer", "_log", 4), inputs["train"])
        make("loop", LOOP, killed_before("train.loop", "revise", 2), inputs["rounds"])
        # Sixteen updates come before those of the second round: of the evaluator and of both models.
        make("game", GAME, killed_before("train.trainer", "_log", 20), inputs["rounds"])


if __name__ == "__main__":
    main()
