"""Chains of edits: the answers between, and pairs read step by step."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs_on_disk import write_jsonl

from pairwright.errors import UsageError
from pairwright.inputs.chains import answers_between
from pairwright.inputs.pairs import PairRow, read_pairs

WORSE = "2 + 2 is 5. 3 + 3 is 5. 4 + 4 is 9."
EDITS = [{"find": "5", "replace": "4"}, {"find": "5", "replace": "6"}, {"find": "9", "replace": "8"}]
STEPS = [
    WORSE,
    "2 + 2 is 4. 3 + 3 is 5. 4 + 4 is 9.",
    "2 + 2 is 4. 3 + 3 is 6. 4 + 4 is 9.",
    "2 + 2 is 4. 3 + 3 is 6. 4 + 4 is 8.",
]


def test_each_answer_has_one_edit_more() -> None:
    assert answers_between(WORSE, STEPS[-1], EDITS) == STEPS


def test_an_edit_is_made_where_the_revision_has_it() -> None:
    """Of many places with the same words only one leads to the revision."""
    edits = [{"find": "a", "replace": "b"}, {"find": "a", "replace": ""}]
    assert answers_between("aaaa", "aaba"[:3], edits) == ["aaaa", "aaba", "aab"]


@pytest.mark.parametrize("edits", [EDITS[:2], EDITS[::-1], [*EDITS, {"find": "x", "replace": "y"}]])
def test_edits_that_do_not_make_the_revision_are_no_chain(edits: list[dict[str, str]]) -> None:
    assert answers_between(WORSE, STEPS[-1], edits) is None


_TEXT = st.text("ab ", max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_TEXT, st.text("ab ", min_size=1, max_size=4), _TEXT), max_size=5), _TEXT)
def test_whatever_edits_made_is_found_again(parts: list[tuple[str, str, str]], last: str) -> None:
    answer = "".join(kept + find for kept, find, _ in parts) + last
    revision = "".join(kept + replace for kept, _, replace in parts) + last
    found = answers_between(answer, revision, [{"find": f, "replace": r} for _, f, r in parts])
    assert found is not None
    assert (found[0], found[-1], len(found)) == (answer, revision, len(parts) + 1)


def read(folder: Path, *rows: dict[str, Any]) -> list[PairRow]:
    path = write_jsonl(folder / "pairs.jsonl", [{"prompt": "Add.", **row} for row in rows])
    return list(read_pairs([str(path)], pairs="chain"))


def test_a_row_is_read_as_its_steps(tmp_path: Path) -> None:
    plain = {"chosen": "yes", "rejected": "no"}
    edited = {"chosen": STEPS[-1], "rejected": WORSE, "edits": EDITS, "weight": 0.5, "row_id": "r"}
    *steps, alone = read(tmp_path, edited, plain)
    assert [(row.rejected.content, row.chosen.content) for row in steps] == list(pairwise(STEPS))
    assert [row.row_id for row in steps] == ["r step 1", "r step 2", "r step 3"]
    assert {row.weight for row in steps} == {0.5}
    assert alone.chosen.content == "yes"


def test_of_a_worsened_answer_the_steps_go_down(tmp_path: Path) -> None:
    edits = [{"find": edit["replace"], "replace": edit["find"]} for edit in EDITS[:2]]
    first, second = read(tmp_path, {"chosen": STEPS[2], "rejected": WORSE, "edits": edits})
    assert (first.rejected.content, second.chosen.content) == (WORSE, STEPS[2])
    assert first.chosen.content == second.rejected.content


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"chosen": "b", "rejected": "a"}, "--pairs chain goes by `edits`, which no row has"),
        ({"chosen": "b", "rejected": "a", "edits": "a to b"}, "line 1: `edits` must be a list of objects"),
        ({"chosen": "b", "rejected": "a", "edits": [{"find": "a"}]}, "texts `find` and `replace`"),
        ({"chosen": "b", "rejected": "a", "edits": EDITS}, "do not lead from one answer to the other"),
        ({"completion": "b", "score": 1}, "scored answers have no edits"),
    ],
)
def test_what_is_no_chain_is_refused(tmp_path: Path, row: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, row)
    assert sentence in str(error.value)
