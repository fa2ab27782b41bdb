"""Which of two answers people prefer: each row a comparison by itself, in every command that takes rows."""

import json
from pathlib import Path
from typing import Any

import pytest
from form_rows import ASKED, PREFERRED, said
from in_process import quietly, run
from people_toy import judged, labelled
from runs_on_disk import write_jsonl

from pairwright.errors import UsageError
from pairwright.inputs.pairs import read_pairs
from pairwright.people.labelling import Labelling
from pairwright.sift.whole import WholeRows


def arena(a: str, b: str, winner: str) -> dict[str, Any]:
    """A comparison of answers to what everybody asks."""
    both = {"conversation_a": [*ASKED, said(a)], "conversation_b": [*ASKED, said(b)]}
    return PREFERRED["arena"] | both | {"winner": winner}


ARENA = [
    *(arena("1a", "1b", "model_a"), arena("2a", "2b", "model_b")),
    *(arena("3a", "3b", "tie"), arena("4a", "4b", "tie (bothbad)")),
]


def pairs_of(path: Path | str, **also: Any) -> list[tuple[str, str]]:
    return [(p.chosen.content, p.rejected.content) for p in read_pairs([str(path)], **also) if not p.tied]


def test_answers_that_nobody_compared_make_no_pair(tmp_path: Path) -> None:
    """Though all rows ask the same."""
    path = write_jsonl(tmp_path / "arena.jsonl", ARENA)
    for which in ("best_worst", "all"):
        assert pairs_of(path, pairs=which) == [("1a", "1b"), ("2b", "2a")]
    assert sum(p.tied for p in read_pairs([str(path)])) == 2


def test_ties_are_left_out_of_what_is_exported(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "arena.jsonl", ARENA)
    quietly("export", str(path), "--to", "llamafactory", "--out", str(tmp_path / "out"))
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    assert (record["rows"], record["left_out"]) == (2, {"a tie, or one answer alone: none is better": 2})


def test_comparisons_of_other_answers_are_other_rows(tmp_path: Path) -> None:
    """By id, which `merge` goes by, and by what they say, as in `dedup` and `decontaminate`."""
    path = write_jsonl(tmp_path / "arena.jsonl", [*ARENA, ARENA[0]])
    rows = list(WholeRows([str(path)], None).whole())
    assert len({row.columns["row_id"] for row in rows}) == 4
    assert [row.texts[1:] for row in rows] == [(f"{n}a", f"{n}b") for n in (1, 2, 3, 4, 1)]
    quietly("merge", str(path), "--out", str(tmp_path / "merged"))
    assert pairs_of(tmp_path / "merged") == [("1a", "1b"), ("2b", "2a")]


def test_what_label_wrote_is_read_as_pairs(tmp_path: Path) -> None:
    labelling = Labelling(judged(tmp_path), "ana", repeat_every=0)
    for answer in ("first", "second", "tie", "both_bad"):
        labelled(labelling, 1, answer)
    labelling.export(tmp_path / "labels.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "labels.jsonl").open()]
    better = [
        (row[f"response_{'ab'[row['preference'] - 1]}"], row[f"response_{'ba'[row['preference'] - 1]}"])
        for row in rows
        if row["preference"]
    ]
    assert pairs_of(tmp_path / "labels.jsonl") == better
    assert [p.tied for p in read_pairs([str(tmp_path / "labels.jsonl")])] == [False, False, True, True]


def test_labels_of_a_table_are_text(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("prompt,response_a,response_b,preference\nQ,no,yes,2\nQ,so,or so,0\nQ,A,B,a\n")
    assert pairs_of(path) == [("yes", "no"), ("A", "B")]
    path.write_text("prompt,response_a,response_b,preference\nQ,no,yes,c\n")
    with pytest.raises(UsageError, match=r"line 2: `preference` is 'c'; it must be 1 \(`response_a`\), 2"):
        pairs_of(path)


def test_gate_names_the_command_that_makes_pairs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_jsonl(tmp_path / "arena.jsonl", ARENA)
    code, _, err = run(capfd, "gate", str(path), "--out", str(tmp_path / "out"))
    assert (code, f"`pairwright export {path} --to trl --out PAIRS` makes pairs" in err) == (2, True)
