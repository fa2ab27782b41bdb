"""Prompts and answers of a loop: which prompts are held out, and the answers to those."""

import json
from pathlib import Path
from typing import Any

from pairwright.errors import UsageError
from pairwright.folders.durable import write_durably
from pairwright.folders.shards import read_tables
from pairwright.inputs.row import Row
from train.on_policy.config import LoopConfig
from train.rounds.prompts import rows_of


def split_prompts(config: LoopConfig) -> tuple[list[Row], list[Row]]:
    """Return prompts to train on and held-out ones, which are chosen by their content.

    Held-out prompts are not trained on. Raises `UsageError` if none is left.
    """
    rows = rows_of(config.prompts, config, config.limit)
    if config.eval_prompts is not None:
        held_out = rows_of(config.eval_prompts, config, config.eval_limit)
    else:
        by_content = sorted({row.prompt_id: row for row in rows}.values(), key=lambda row: row.prompt_id)
        share = max(1, round(config.eval_prompt_share * len(by_content)))
        held_out = by_content[:share][: config.eval_limit]
    known = {row.prompt_id for row in held_out}
    training = [row for row in rows if row.prompt_id not in known]
    if not training:
        raise UsageError(f"{config.prompts}: {len(rows)} prompts, all of them held out; give more")
    return training, held_out


def write_answers(samples: Path, path: Path) -> dict[str, Any]:
    """Write the answers of a run of `sample` or `eval`, those that were cut off too, and measure them.

    A model that comes to no end is compared by what it said until then: to leave such answers out
    would hide what training did to it.
    """
    rows = [
        row for part in ("data", "dropped") for t in read_tables(samples, part) for row in t.to_pylist()
    ]
    answered = [row for row in rows if (row["completion"] or [{}])[0].get("content", "").strip()]
    lines = [
        json.dumps({name: row[name] for name in ("prompt", "completion", "completion_model")})
        for row in sorted(answered, key=lambda row: str(row["row_id"]))
    ]
    write_durably(path, "".join(line + "\n" for line in lines).encode())
    lengths = [len(row["completion"][0]["content"].split()) for row in answered]
    return {
        "answers": len(answered),
        "finished": sum(row["finish_reason"] == "stop" for row in answered) / len(rows),
        "words": sum(lengths) / len(lengths) if lengths else 0.0,
    }
