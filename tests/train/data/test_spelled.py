"""Answers that spell special tokens: the same plain text in sampling and in training, and a warning."""

import logging

import pytest
from tiny_model import CONTROLS, TinyRun, numbered_pairs, tiny_tokenizer, write_jsonl

from pairwright.models.chat import encode_prompt
from pairwright.records import Message
from train.data.pairs import load_pairs
from train.data.ranked import load_ranked


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    own = TinyRun(tmp_path_factory.mktemp("spelled"))
    rows = numbered_pairs(3)
    rows[1]["chosen"][0]["content"] += "<|end|>"
    rows[2]["rejected"][0]["content"] = "<|user|>no"
    own.settings |= {"data": write_jsonl(own.folder / "spelled.jsonl", rows), "eval_share": 0.0}
    return own


def test_they_stay_text_and_that_is_said_once(tiny: TinyRun, caplog: pytest.LogCaptureFixture):
    tokenizer = tiny_tokenizer()
    with caplog.at_level(logging.WARNING):
        pairs = load_pairs(tiny.config(), tokenizer).training
    (said,) = [record.getMessage() for record in caplog.records if "special token" in record.getMessage()]
    assert said.startswith(
        "rows with answers that spell a special token of this model: 2 (the first: `<|end|>`"
    )
    assert "in row row1)" in said
    controls = set(tokenizer.convert_tokens_to_ids(CONTROLS))
    chosen = pairs[1].chosen_ids.tolist()
    assert [token for token in chosen if token in controls] == chosen[-1:]  # the end that the turn has
    assert tokenizer.decode(chosen[:-1]).endswith("<|end|>")
    # An earlier turn that holds the same text has the same ids in what a model is shown to sample from.
    turns = [
        Message(role="user", content="say tree 1"),
        Message(role="assistant", content="treetree<|end|>"),
    ]
    shown = encode_prompt(tokenizer, [*turns, Message(role="user", content="x")])
    assert any(shown[n : n + len(chosen)] == chosen for n in range(len(shown)))


def test_data_without_them_is_passed_over_in_silence(tiny: TinyRun, caplog: pytest.LogCaptureFixture):
    config = tiny.config(data=write_jsonl(tiny.folder / "plain.jsonl", numbered_pairs(2)))
    with caplog.at_level(logging.WARNING):
        load_pairs(config, tiny_tokenizer())
    assert not caplog.records


def test_scored_answers_are_looked_at_too(tiny: TinyRun, caplog: pytest.LogCaptureFixture):
    rows = [{"prompt": "p", "completion": f"a{n}<|end|>", "score": n} for n in range(2)]
    config = tiny.config(data=write_jsonl(tiny.folder / "scored.jsonl", rows), loss="rrhf")
    with caplog.at_level(logging.WARNING):
        load_ranked(config, tiny_tokenizer(), best_only=False)
    assert "spell a special token of this model: 1 (" in caplog.text
