"""Scored answers, and lists of them: where they stand, and rows that lack what they should have."""

import json
from pathlib import Path
from typing import Any

import pytest
from in_process import quietly
from runs_on_disk import write_jsonl

from pairwright.errors import UsageError
from pairwright.inputs.candidates import Candidates
from pairwright.inputs.columns import Columns
from pairwright.inputs.pairs import read_pairs


def pairs_of(path: Path, **also: Any) -> list[tuple[str, str]]:
    return [
        (p.chosen.content, p.rejected.content) for p in read_pairs([str(path)], **also) if not p.problem
    ]


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": "Q"}, {"role": "assistant", "content": text}]


@pytest.mark.parametrize("by", ["score", "rank"])
@pytest.mark.parametrize(
    "row",
    [
        *({"prompt": "Q", name: "{}"} for name in ("completion", "response", "answer")),
        {"instruction": "Q", "output": "{}"},
        {"messages": "{}"},
    ],
    ids=lambda row: next(reversed(row)),
)
def test_scored_answers_are_read_where_answers_stand(tmp_path: Path, row: dict[str, Any], by: str) -> None:
    """They were taken for empty where their column was not `completion`."""
    column = next(reversed(row))
    rows = [
        row | {column: said(text) if column == "messages" else text, by: value}
        for text, value in (("low", 1), ("high", 2))
    ]
    expected = ("high", "low") if by == "score" else ("low", "high")
    assert pairs_of(write_jsonl(tmp_path / "rows.jsonl", rows)) == [expected]


GOOD = [{"prompt": "Q", "completion": text, "score": n} for n, text in enumerate(("low", "high"))]
BAD = GOOD[0] | {"score": None}
LISTED = {"prompt": "Q", "completions": ["low", "high"], "scores": [0, 1]}
PAIR = {"prompt": "Q", "chosen": "high", "rejected": "low"}
COMPARED = {"prompt": "Q", "response_a": "low", "response_b": "high", "preference": 2}


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([BAD, *GOOD], "line 1: `score` is empty; fill it or remove the row"),
        ([*GOOD, BAD], "line 3: `score` is empty; fill it or remove the row"),
        ([*GOOD, BAD | {"score": "much"}], "line 3: `score` is 'much'; it must be a finite number"),
        ([COMPARED, COMPARED | {"preference": None}], "line 2: `preference` is empty; fill it"),
        ([LISTED | {"completions": None, "scores": None}, LISTED], "line 1: `completions` is empty"),
        ([LISTED, LISTED | {"scores": None}], "line 2: `scores` is empty; fill it or remove the row"),
        ([PAIR, PAIR | {"chosen": None}], "line 2: `chosen` is empty; fill it or remove the row"),
    ],
)  # fmt: skip
def test_a_row_that_lacks_its_score_is_a_bad_row(
    tmp_path: Path, rows: list[dict[str, Any]], reason: str
) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    with pytest.raises(UsageError) as raised:
        pairs_of(path)
    assert f"{path} {reason}" in str(raised.value)
    assert pairs_of(path, skip=1) == [("high", "low")]
    quietly("export", str(path), "--to", "trl", "--out", str(tmp_path / "out"), "--skip_bad_rows", "1")
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    assert (record["rows"], [*record["left_out"].values()]) == (1, [1])


def test_scores_after_rows_without_are_not_passed_over(tmp_path: Path) -> None:
    """The list would be read as best first, against the scores that it has."""
    path = write_jsonl(tmp_path / "rows.jsonl", [LISTED | {"scores": None}, LISTED])
    with pytest.raises(UsageError, match="line 2: has `scores`, and rows before it have none"):
        pairs_of(path)


def test_what_is_left_out_of_scored_answers_or_supposed_of_them_is_said(
    tmp_path: Path, caplog: Any
) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [*GOOD, GOOD[0] | {"completion": None, "score": 9}])
    assert pairs_of(path) == [("high", "low")]
    assert f"{path}: 1 scored answers are empty, and are in no pair" in caplog.text
    assert "best first" not in caplog.text
    path = write_jsonl(tmp_path / "lists.jsonl", [{"prompt": "Q", "completions": ["one", "other"]}])
    assert pairs_of(path) == [("one", "other")]
    assert (
        f"{path}: `completions` stand without `scores` or `ranks`, and are read as best first"
        in caplog.text
    )


@pytest.mark.parametrize("nothing", [{}, {"completions": None}, {"completions": []}])
def test_a_list_that_is_missing_in_the_first_row_is_a_list(tmp_path: Path, nothing: dict[str, Any]) -> None:
    rows = [{"prompt": "P", **nothing}, {"prompt": "Q", "completions": ["low", "high"]}]
    found = Candidates(str(write_jsonl(tmp_path / "rows.jsonl", rows)), Columns(), None)
    assert [[c.text for c in row.candidates] for row in found] == [[], ["low", "high"]]
