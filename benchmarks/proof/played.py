"""Arms whose models come of rounds: a loop with a verifier, and the game, which never sees that verifier.

`rounds`: four rounds of a loop, each from the newest model, beside one round with as many answers and
updates, at two learning rates, of which the second is the demo's. `game`: Adversarial Preference
Optimization beside the same rounds with a reward model that is trained once. Verified repairs are its
golden answers, and with their mirrors under the bare question its human pairs, of one half of the
questions; the language model is improved on the other half. The verifier only measures.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_TRAINED = "--train.pairs_per_update 8 --train.save_steps 0"
_LOOP = (
    "loop --pairs revise --revise.reviser python:{repair} --revise.verify {verify} --revise.mirror {plain} "
    "--revise.min_kept_share 0 --revise.max_edit_distance 1 --revise.min_length_ratio 0.02 "
    "--revise.max_length_ratio 4 --prompts {train} --sample.temperature 0.7 --train.loss apo_zero "
    f"--train.sft_weight 1 --train.lora_r 32 --train.lora_alpha 64 {_TRAINED} --no_stop_below_best"
)
REWARD = "--lora_r 16 --learning_rate 5e-4 --max_steps 48 --pairs_per_update 8 --save_steps 0"
"""How the game's reward models are trained, and the one that measures."""
_GAME = (
    "game --rm_prompts {game}/golden.jsonl --human {game}/human.parquet --llm_prompts {game}/others.jsonl "
    "--rounds 3 --limit 84 --eval_limit 90 --eval_temperature 0 --sample.n 4 --sample.temperature 1.0 "
    f"--evaluator {{evaluator}} {REWARD.replace('--', '--reward.')} --reward.seed {{reward_seed}} "
    "--train.loss dpo --train.sft_weight 0.1 --train.lora_r 16 --train.max_steps 10 "
    f"--train.learning_rate 5e-4 {_TRAINED}"
)


class Played(NamedTuple):
    """A command of rounds, and which model of it is measured."""

    name: str
    data: str
    """What it learns from, as its row says it."""
    command: str
    model: str
    """Inside the arm's folder."""
    loss: str = "apo_zero_sft_1"
    pairs: tuple[str, ...] = ()


def _rounds(rate: str, end: str = "") -> tuple[Played, Played]:
    """One round and four, of the same cost, at a learning rate."""
    return (
        Played(
            f"one_round{end}",
            f"one round, four answers a prompt, rate {rate}",
            f"{_LOOP} --rounds 1 --sample.n 4 --train.max_steps 32 --train.learning_rate {rate}",
            "played/round-1/model",
        ),
        Played(
            f"four_rounds{end}",
            f"four rounds, one answer a prompt in each, rate {rate}",
            f"{_LOOP} --rounds 4 --sample.n 1 --train.max_steps 8 --train.learning_rate {rate}",
            "played/round-4/model",
        ),
    )


PLAYED = {
    "rounds": (*_rounds("4e-4"), *_rounds("1e-3", "_faster")),
    "game": (
        Played(
            "fixed",
            "reward model trained once",
            f"{_GAME} --reward.apo_coeff 0",
            "played/round-3/llm",
            "dpo",
        ),
        Played("game", "the game", f"{_GAME} --reward.apo_coeff 0.1", "played/round-3/llm", "dpo"),
    ),
}


def write_game(pairs: Sequence[Mapping[str, Any]], prompts: Path, folder: Path) -> None:
    """Write what a game learns from: golden answers and mirrored pairs of the questions of one half,
    prompts of the other half.
    """
    rows = [json.loads(line) for line in prompts.read_text(encoding="utf-8").splitlines()]
    questions = sorted({row["plain"] for row in rows})
    shown = set(questions[::2])
    one = [pair for pair in pairs if _task_of(pair) in shown]
    folder.mkdir(parents=True, exist_ok=True)
    golden = [
        {"prompt": pair["prompt"][-1]["content"], "golden": pair["chosen"][-1]["content"]}
        for pair in one
        if not pair["source"].endswith("_mirrored")
    ]
    others = [row for row in rows if row["plain"] not in shown]
    for name, some in (("golden", golden), ("others", others)):
        lines = "".join(json.dumps(row) + "\n" for row in some)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    table = pa.Table.from_pylist(list(one)).select(["prompt", "chosen", "rejected"])
    pq.write_table(table, folder / "human.parquet")


def _task_of(pair: Mapping[str, Any]) -> str:
    """The prompt without its request: a column, or what was asked when the answer was sampled."""
    return str(pair["plain"] if "plain" in pair else pair["input_prompt"][-1]["content"])


def by_round(folders: Sequence[Path]) -> str:
    """Return a table of what rounds came to, means over seeds: pass rate, and what reward models say."""
    tables = [
        [json.loads(line) for line in (folder / "played" / "table.jsonl").read_text().splitlines()]
        for folder in folders
    ]
    names = ("pass_rate", "reward", "kl", "words", "rm_accuracy")
    shown = [name for name in names if any(row.get(name) is not None for row in tables[0])]
    lines = [f"| round | {' | '.join(shown)} |", f"|{'---|' * (len(shown) + 1)}"]
    for rows in zip(*tables, strict=False):
        cells = (_mean(row.get(name) for row in rows) for name in shown)
        lines.append(f"| {rows[0]['round']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _mean(values: Any) -> str:
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.3f}" if known else "–"
