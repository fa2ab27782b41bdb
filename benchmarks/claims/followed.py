"""What share of IFEval's instructions a model follows after the training of a claim

Nothing that claims train on asks for a form, so this says what else a training did. Each seed has prompts
of its own: with three seeds three times as many are seen as are answered after a training.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from matched import Array
from trained import Rows, Setting, trained

import pairwright as pw
from pairwright.engines.verifiers.ifeval.check import follows
from pairwright.folders.durable import write_durably
from pairwright.records import content_hash

PROMPTS = 30
"""Answered after a training."""
MAX_TOKENS = 96


class Followed:
    """Shares of instructions followed, in greedy answers that are cut at `MAX_TOKENS`.

    Args:
        prompts: IFEval's prompts as JSON lines, with `instruction_id_list` and `kwargs`.
        cache: Where shares stay once they are known.
    """

    def __init__(self, prompts: Path, cache: Path) -> None:
        self._rows = [json.loads(line) for line in prompts.read_text().splitlines()]
        self._cache = cache

    def gain(self, setting: Setting, training: Rows) -> Array:
        """Share after the training less share before, for each prompt of the setting's seed, (P,)."""
        rows = self._rows[setting.seed :: max(1, len(self._rows) // PROMPTS)][:PROMPTS]
        before = self._cache / f"followed-{content_hash([setting.model, rows, MAX_TOKENS])}.json"
        after = self._cache / f"followed-{content_hash([repr(setting), training, rows, MAX_TOKENS])}.json"
        with tempfile.TemporaryDirectory(dir=self._cache, prefix="run-") as folder:
            if not before.exists():
                write_durably(
                    before, json.dumps(_shares(setting.model, rows, Path(folder, "before"))).encode()
                )
            if not after.exists():
                model = trained(setting, Path(folder), self._cache, training)
                write_durably(after, json.dumps(_shares(str(model), rows, Path(folder, "after"))).encode())
        return np.array(json.loads(after.read_text())) - np.array(json.loads(before.read_text()))


def _shares(model: str, rows: list[dict[str, Any]], out: Path) -> list[float]:
    """Shares of instructions that a model follows, one for each row; its answers go to `out`."""
    asked = [{"prompt": row["prompt"], "place": place} for place, row in enumerate(rows)]
    settings = {"temperature": 0.0, "max_tokens": MAX_TOKENS, "batch_size": len(rows), "device": "cpu"}
    found = pw.sample(asked, policy=f"hf:{model}", out=str(out), **settings)
    shares = [0.0] * len(rows)
    for one in [*found.frame().to_dicts(), *found.dropped().to_dicts()]:
        row, answer = rows[one["place"]], one["completion"]
        if answer:
            followed = follows(answer[0]["content"], row["instruction_id_list"], row["kwargs"])
            shares[one["place"]] = float(np.mean(followed))
    return shares
