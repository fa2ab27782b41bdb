"""Rows that cannot be read, in every kind of data: passed over as far as they may be, and counted."""

import pytest
from tiny_model import TinyRun, numbered_pairs, write_jsonl

from pairwright.errors import UsageError
from train.training import train

PAIRS = numbered_pairs(8)
SINGLE = [{"prompt": pair["prompt"], "completion": pair["chosen"], "label": True} for pair in PAIRS]
SCORED = [
    {"prompt": pair["prompt"], "completion": pair[side], "score": score}
    for pair in PAIRS
    for side, score in (("chosen", 1.0), ("rejected", 0.0))
]
KINDS = {
    "dpo": (PAIRS, {"prompt": "q", "chosen": "a"}),
    "kto": (SINGLE, {"prompt": "q", "completion": "a", "label": "perhaps"}),
    "rrhf": (SCORED, {"prompt": "q", "completion": "a", "score": "much"}),
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("bad_rows"))


@pytest.mark.parametrize("loss", KINDS)
def test_bad_rows_are_passed_over_as_far_as_they_may_be(tiny, loss):
    rows, bad = KINDS[loss]
    data = write_jsonl(tiny.folder / f"{loss}.jsonl", [*rows[:4], bad, *rows[4:]])
    others = write_jsonl(tiny.folder / f"{loss}_others.jsonl", [bad, *rows[:2]])
    settings = {"loss": loss, "data": data, "max_steps": 1, "eval_share": 0.0}

    with pytest.raises(UsageError, match=f"{loss}.jsonl line 5"):
        train(tiny.config(f"refused-{loss}", **settings))

    done = train(tiny.config(f"passed-{loss}", **settings, skip_bad_rows=1, eval_data=others))
    assert done.dropped["bad_row"] == 2
    assert done.pairs == len(PAIRS)
