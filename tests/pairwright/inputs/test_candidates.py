"""Reading prompts with all their answers, side by side or row by row."""

import json
from pathlib import Path

import pytest
from runs_on_disk import write_jsonl

from pairwright.errors import UsageError
from pairwright.inputs.candidates import Candidates, JoinedLists
from pairwright.inputs.columns import Columns, sibling_columns


def read(path, limit=None, **columns):
    return Candidates(str(path), Columns(**columns), limit, ["row_id", "prompt_id", "prompt", "source"])


def test_answers_side_by_side(tmp_path):
    rows = [
        {"prompt": "Q", "response_a": "x", "response_b": "y", "model_b": "m", "source": "s"},
        {"prompt": "Q", "response_a": "x", "response_b": "y", "model_b": "m", "source": "s"},
        {"prompt": "R", "response_a": None, "response_b": [{"role": "assistant", "content": "z"}]},
    ]
    found = read(write_jsonl(tmp_path / "f.jsonl", rows))
    one, same, last = list(found)
    assert found.side_by_side
    assert found.info.rows == 3
    assert [(c.text, c.model, c.column) for c in one.candidates] == [
        ("x", "response_a", "response_a"),
        ("y", "m", "response_b"),
    ]
    assert one.carried == {"model_b": "m", "input_source": "s"}
    assert (one.prompt_id, one.occurrence, same.occurrence) == (same.prompt_id, 0, 1)
    assert one.row_id != same.row_id
    assert [c.text for c in last.candidates] == ["z"]


def test_rows_of_one_prompt_are_grouped_wherever_they_stand(tmp_path):
    rows = [
        {"prompt": prompt, "completion": text, "completion_model": "m", "sample_index": 0, "tag": prompt}
        for prompt, text in [("Q", "1"), ("Q", "2"), ("Q", ""), ("R", "3"), ("Q", "1"), ("Q", "2")]
    ]
    path = write_jsonl(tmp_path / "f.jsonl", rows)
    found = list(read(path))
    assert [[c.text for c in row.candidates] for row in found] == [["1", "2", "1", "2"], ["3"]]
    assert [row.occurrence for row in found] == [0, 0]
    assert len({row.row_id for row in found}) == 2
    assert found[0].carried == {"tag": "Q"}
    assert {c.model for row in found for c in row.candidates} == {"m"}
    assert len(list(read(path, 1))) == read(path, 1).info.rows == 1
    assert [row.row_id for row in read(path, 1)] == [row.row_id for row in found[:1]]
    assert read(path).reading == {"answers to a prompt": "from the whole input"}
    sorted_rows = sorted(rows, key=lambda row: row["prompt"])
    together = read(write_jsonl(tmp_path / "sorted.jsonl", sorted_rows))
    assert [row.row_id for row in together] == [row.row_id for row in found]
    assert together.reading == {}


def test_named_columns_win_over_conventions(tmp_path):
    row = {"prompt": "Q", "chosen": "c", "rejected": "r", "draft": "d", "final": "f"}
    path = write_jsonl(tmp_path / "f.jsonl", [row])
    assert [c.text for c in next(iter(read(path))).candidates] == ["c", "r"]
    assert [c.text for c in next(iter(read(path, answers=("final", "draft")))).candidates] == ["f", "d"]
    assert [c.text for c in next(iter(read(path, answer="rejected"))).candidates] == ["r"]
    with pytest.raises(UsageError, match=r"no column `nothing` \(--columns\)"):
        read(path, answers=("final", "nothing"))


def test_lists_of_one_prompt_are_put_together_wherever_they_stand(tmp_path: Path) -> None:
    """Each may hold one answer alone; what stands beside the first list is carried."""
    rows = [
        {"prompt": prompt, "responses": texts, "tag": tag}
        for tag, (prompt, texts) in enumerate(
            [("Q", ["1"]), ("R", ["3", "4"]), ("Q", []), ("Q", ["2", None])]
        )
    ]
    joined = lambda path: JoinedLists(str(path), Columns(), None)  # noqa: E731
    assert len(list(read(write_jsonl(tmp_path / "f.jsonl", rows)))) == 4
    found = list(joined(write_jsonl(tmp_path / "f.jsonl", rows)))
    assert [[c.text for c in row.candidates] for row in found] == [["1", "2"], ["3", "4"]]
    assert [row.carried["tag"] for row in found] == [0, 1]
    apart = joined(write_jsonl(tmp_path / "apart.jsonl", rows[:2]))
    assert apart.reading == {}
    neighbours = joined(write_jsonl(tmp_path / "neighbours.jsonl", rows[2:]))
    assert [[c.text for c in row.candidates] for row in neighbours] == [["2"]]
    assert neighbours.reading == {"answers to a prompt": "from several lists"}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["prompt", "response_a", "response_b"], ("response_a", "response_b")),
        (["prompt", "chosen", "rejected", "answer_1", "answer_2"], ("chosen", "rejected")),
        (["answer1", "answer2", "answer3"], ("answer1", "answer2", "answer3")),
        (["prompt", "response_a"], ()),
        (["answers", "outputs", "response_id"], ()),
    ],
)
def test_conventions(names, found):
    assert sibling_columns(names) == found


def test_prompts_that_are_nearly_the_same_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rows.jsonl"
    prompts = ["Caf\u00e9?", "Cafe\u0301?", "Q?", "Q? ", "Q?", "R?"]
    rows = [{"prompt": prompt, "completion": f"{n}."} for n, prompt in enumerate(prompts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = list(Candidates(str(path), Columns(), None))
    assert sorted(len(row.candidates) for row in read) == [1, 1, 1, 1, 2]
    [said] = {record.getMessage() for record in caplog.records}
    assert "2 prompts differ from others in white space or Unicode's forms alone" in said
