"""Pairs that repeat another or say the opposite, and pairs that weigh nothing: never without a word."""

import logging

import pytest
from tiny_model import TinyRun, numbered_pairs, tiny_tokenizer, write_jsonl

from pairwright.errors import UsageError
from train.data.pairs import load_pairs


def test_repeats_and_opposites_are_said_and_no_weight_at_all_is_refused(
    tmp_path, caplog: pytest.LogCaptureFixture
):
    tiny, tokenizer = TinyRun(tmp_path), tiny_tokenizer()
    one, other, third = numbered_pairs(3)
    swapped = other | {"row_id": "back", "chosen": other["rejected"], "rejected": other["chosen"]}
    rows = [one, other, swapped, one | {"row_id": "twice"}, third]
    with caplog.at_level(logging.WARNING):
        found = load_pairs(
            tiny.config(data=write_jsonl(tmp_path / "rows.jsonl", rows), eval_share=0), tokenizer
        )
        assert len(found.training) == 5
        assert "pairs that repeat another: 1 (the first: row twice, of row row0)" in caplog.text
        assert "pairs that say the opposite of another: 1 (the first: row back, of row row1)" in caplog.text
        caplog.clear()
        load_pairs(tiny.config(), tokenizer)
        assert not caplog.text
    nothing = write_jsonl(tmp_path / "nothing.jsonl", [row | {"weight": 0} for row in rows])
    with pytest.raises(UsageError, match="`weight` is 0 in every row"):
        load_pairs(tiny.config(data=nothing), tokenizer)
