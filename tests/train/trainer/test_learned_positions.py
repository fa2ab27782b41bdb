"""Pairs longer than a model has positions for are left out by name, in every kind of training."""

from pathlib import Path

import pytest
from tiny_model import TinyRun, numbered_pairs, save_tiny_model, write_jsonl
from transformers import GPT2Config

from pairwright.folders.shards import read_tables
from pairwright.models.positions import trained_positions
from train.output.record import record_of
from train.reward_model.config import ScoreConfig
from train.reward_model.score import score
from train.training import train

POSITIONS = 48


@pytest.fixture(scope="module")
def looked_up(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A GPT-2 of 48 positions, a pair that fills them all and one that is a token longer."""
    tiny = TinyRun(tmp_path_factory.mktemp("positions"))
    config = GPT2Config(
        n_positions=POSITIONS,
        n_embd=16,
        n_head=2,
        n_layer=1,
        vocab_size=104,
        bos_token_id=0,
        eos_token_id=0,
    )
    tiny.settings["model"] = save_tiny_model(tiny.folder / "gpt2", config)
    rows = numbered_pairs(6)
    for row, words in zip(rows, (35, 36), strict=False):  # beside 13 others
        row["prompt"][0]["content"] = "say sky 0"
        row["chosen"][0]["content"] = "a" * words
    tiny.settings |= {"data": write_jsonl(tiny.folder / "long.jsonl", rows), "eval_share": 0}
    return tiny


@pytest.mark.parametrize("changes", [{"loss": "dpo"}, {"loss": "dpo", "lora_r": 2}, {}])
def test_a_pair_one_token_too_long_is_left_out(looked_up: TinyRun, capsys, changes: dict[str, object]):
    config = looked_up.config(f"out{len(changes)}", **changes) if changes else looked_up.reward()
    result = train(config)
    assert (result.status, result.pairs, result.dropped) == ("trained", 5, {"too_long": 1})
    assert f"learned positions for {POSITIONS} tokens" in capsys.readouterr().err
    record = record_of(Path(config.output_dir))
    assert record is not None
    assert record.dropped == {"too_long": ["row1"]}


def test_a_smaller_max_length_is_what_counts(looked_up: TinyRun, capsys):
    result = train(looked_up.config("short", loss="dpo", max_length=40))
    assert result.dropped == {"too_long": 2}
    assert "learned positions" not in capsys.readouterr().err


def test_pairs_beyond_what_a_model_was_made_for_are_trained_on_and_said(tmp_path: Path, capsys):
    tiny = TinyRun(tmp_path)
    tiny.settings |= {
        "model": save_tiny_model(tmp_path / "rotary", max_position_embeddings=20),
        "max_steps": 1,
    }
    result = train(tiny.config("said", loss="dpo"))
    assert result.dropped == {}
    assert "are longer than the 20 tokens that" in capsys.readouterr().err
    stretched = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4}
    tiny.settings["model"] = save_tiny_model(
        tmp_path / "yarn", max_position_embeddings=20, rope_parameters=stretched
    )
    assert trained_positions(tiny.settings["model"]) == 80


def test_answers_too_long_to_score_are_named(looked_up: TinyRun, tmp_path: Path):
    train(looked_up.reward("judge"))
    rows = [{"prompt": "say sky 0", "completion": "a" * words} for words in (35, 36)]
    source = write_jsonl(tmp_path / "answers.jsonl", rows)
    judge = str(looked_up.folder / "judge")
    score(ScoreConfig(input=source, reward_model=judge, out=str(tmp_path / "out"), device="cpu"))
    [row] = [row for table in read_tables(tmp_path / "out") for row in table.to_pylist()]
    assert (row["completion"][0]["content"], row["too_long"]) == ("a" * 35, 1)
