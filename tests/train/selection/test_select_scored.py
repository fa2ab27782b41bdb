"""Pairs of scored answers: which one is rejected, and the best of all N² pairs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs_on_disk import rows_of
from tiny_model import save_tiny_model, write_jsonl

from pairwright.errors import UsageError
from pairwright.inputs.pairs import places_of_pairs
from train.selection.config import SelectConfig
from train.selection.selection import select


def test_rejected_is_the_one_nearest_to_two_deviations_below_the_mean():
    """Of 9, 7, 5, 5, 4, 4, 4, 2 the mean is 5 and σ 2, so 1 is wanted; 82/19 − 2 · 3.52 = −2.7."""
    assert places_of_pairs([9, 7, 5, 5, 4, 4, 4, 2], "mean_minus_2sd") == [(0, 7)]
    spread = [9.0] + [5.0] * 16 + [2.0, -9.0]
    assert places_of_pairs(spread, "mean_minus_2sd") == [(0, 17)]
    assert places_of_pairs(spread, "best_worst") == [(0, 18)]


@given(st.lists(st.floats(-9, 9), min_size=2, max_size=12))
def test_it_is_never_the_best_and_of_two_always_the_other(scores):
    scores = sorted(scores, reverse=True)
    [(better, worse)] = places_of_pairs(scores, "mean_minus_2sd")
    assert (better, worse > 0) == (0, True)
    assert places_of_pairs(scores[:2], "mean_minus_2sd") == [(0, 1)]


ANSWERS = [
    {"prompt": prompt, "completion": text, "score": score}
    for prompt, answers in {
        "say a": {"abcdefgh": 1.0, "abcdefgx": 0.8, "zzzzzzzzzzzzzzzzzzzzzzzzzzzz": 0.6},
        "say b": {"one": 0.5, "two": 0.5},
        "say c": {"alone": 0.1},
    }.items()
    for text, score in answers.items()
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAIRWRIGHT_CACHE", str(tmp_path / "cache"))
    write_jsonl(tmp_path / "scored.jsonl", ANSWERS)
    return tmp_path


def config(folder: Path, **settings: object) -> SelectConfig:
    own = {"inputs": (str(folder / "scored.jsonl"),), "out": str(folder / "out"), "use_cpu": True}
    return SelectConfig(**own | {"bf16": False} | settings)


def test_the_best_of_all_pairs_of_a_prompt_is_that_of_the_largest_margin_for_its_distance(folder):
    model = save_tiny_model(folder / "tiny")
    best = {"rank_by": "dcrm:desc", "max_per": ("prompt_id:1",)}
    select(config(folder, model=model, pairs="all", **best))
    rows = {row["row_id"]: row for row in rows_of(folder / "out")}
    [kept] = [row for row in rows.values() if "status" not in row]
    assert [kept[side][0]["content"] for side in ("chosen", "rejected")] == ["abcdefgh", "abcdefgx"]
    assert (kept["margin"], kept["chosen_score"]) == (pytest.approx(0.2), 1.0)
    statuses = sorted(row["status"] for row in rows.values() if "status" in row)
    assert statuses == ["over_cap", "over_cap", "tied", "tied"]


def test_scored_answers_make_pairs_and_pairs_are_none(folder):
    select(config(folder, min_margin=0.3))
    [kept] = [row for row in rows_of(folder / "out") if "status" not in row]
    assert kept["margin"] == pytest.approx(0.4)
    pairs = write_jsonl(folder / "pairs.jsonl", [{"prompt": "p", "chosen": "a", "rejected": "b"}])
    with pytest.raises(UsageError, match="holds pairs already, not scored"):
        select(config(folder, inputs=(pairs,), pairs="all"))
    with pytest.raises(UsageError, match="name one kind"):
        select(config(folder, inputs=(pairs, str(folder / "scored.jsonl"))))


def test_pairs_on_which_reward_models_disagree_can_be_left_out(folder):
    """Two models find the first pair 2 and 4 apart, the second 3 and −1."""
    said = {"say a": ((3.0, 1.0), (5.0, 1.0)), "say b": ((2.0, -1.0), (1.0, 2.0))}
    rows = [
        {"prompt": prompt, "completion": text, "score": sum(scores) / 2, "member_scores": scores}
        for prompt, answers in said.items()
        for text, scores in zip(("yes", "no"), zip(*answers, strict=True), strict=True)
    ]
    write_jsonl(folder / "scored.jsonl", rows)
    select(config(folder, max_margin_sd_quantile=0.5))
    kept, dropped = rows_of(folder / "out")
    assert (dropped["status"], dropped["margin_sd"]) == ("uncertain", 2.0)
    assert (kept["prompt"][0]["content"], kept["margin"], kept["margin_sd"]) == ("say a", 3.0, 1.0)
    write_jsonl(folder / "scored.jsonl", ANSWERS)
    with pytest.raises(
        UsageError, match=r"goes by `margin_sd`, which no row has; .* several reward models"
    ):
        select(config(folder, max_margin_sd_quantile=0.5, fresh=True))


def test_a_bad_scored_row_is_passed_over_and_named(folder):
    bad = {"prompt": "say d", "completion": "x", "score": "high"}
    write_jsonl(folder / "scored.jsonl", [*ANSWERS, bad])
    with pytest.raises(UsageError, match=r"scored\.jsonl line 7"):
        select(config(folder, order_by="margin"))
    select(config(folder, order_by="margin", skip_bad_rows=1))
    [bad] = [row for row in rows_of(folder / "out") if row.get("status") == "bad_row"]
    assert "scored.jsonl line 7" in bad["reason"]
    assert len(rows_of(folder / "out")) == 4
    select(config(folder, order_by="margin", skip_bad_rows=1, limit=2, out=str(folder / "two")))
    assert len(rows_of(folder / "two")) == 3
