"""Files as they come: read as what they are, or refused in a sentence that says what and where."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from form_rows import COLD, PREFERRED, WARM

from pairwright.errors import UsageError
from pairwright.inputs.columns import Columns
from pairwright.inputs.pairs import read_pairs
from pairwright.inputs.rows import Input
from pairwright.inputs.sources import records

PAIR = {"prompt": "How cold is it?", "chosen": COLD, "rejected": WARM}


def preferred(path: Path) -> list[tuple[str, str]]:
    return [(p.chosen.content, p.rejected.content) for p in read_pairs([str(path)]) if not p.tied]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_tables_of_countries_whose_numbers_have_commas(tmp_path: Path, mark: bytes) -> None:
    table = 'prompt;chosen;rejected;score\r\nQ;"1,5; or so";no;2\r\n'
    (tmp_path / "rows.csv").write_bytes(mark + table.encode())
    [row] = records(str(tmp_path / "rows.csv"))
    assert row == {"prompt": "Q", "chosen": "1,5; or so", "rejected": "no", "score": 2.0}


@pytest.mark.parametrize("form", ["shp", "pku", "helpsteer3"])
def test_labels_of_people_in_a_table_are_what_they_are_in_json(tmp_path: Path, form: str) -> None:
    row = {n: v if isinstance(v, str) else json.dumps(v) for n, v in PREFERRED[form].items()}
    table = io.StringIO()
    csv.writer(table).writerows([row.keys(), row.values()])
    (tmp_path / "rows.csv").write_text(table.getvalue())
    assert preferred(tmp_path / "rows.csv") == [(COLD, WARM)]


@pytest.mark.parametrize(
    ("form", "column", "value", "reason"),
    [
        ("arena", "winner", "model_c", "`winner` must be model_a or model_b or tie"),
        ("shp", "labels", 2, "`labels` must be 1 or 0, and is 2"),
        ("pku", "better_response_id", 7, "`better_response_id` must be 0 or 1, and is 7"),
        ("summaries", "choice", None, "`choice` must be 0 or 1, and is None"),
    ],
)
def test_a_label_that_means_nothing_is_no_tie(
    tmp_path: Path, form: str, column: str, value: Any, reason: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(PREFERRED[form] | {column: value}) + "\n")
    with pytest.raises(UsageError) as raised:
        preferred(path)
    assert f"rows.jsonl line 1: {reason}" in str(raised.value)


def test_speakers_in_any_case(tmp_path: Path) -> None:
    turns = [("System", "Be exact."), ("Human", "Q?"), ("GPT", COLD)]
    row = {"conversations": [{"from": who, "value": text} for who, text in turns]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    [found] = Input(str(tmp_path / "rows.jsonl"), Columns(), None)
    assert [m.role for m in found.prompt] == ["system", "user"]
    assert found.answer == COLD


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (json.dumps({"data": [PAIR]}), "is one object that holds its rows as `data`; give that list alone"),
        (json.dumps({"version": 1, "rows": [PAIR]}, indent=1), "holds its rows as `rows`"),
        (json.dumps(PAIR) + "\n\0\0\0\n", "line 2: holds NUL bytes"),
        (json.dumps(PAIR).encode("utf-16-le"), "line 1: holds NUL bytes, as UTF-16 without its mark does"),
        (json.dumps(PAIR) + "\nnull\n", "line 2: is null, not an object"),
        ("42", "line 1: is a number, not an object"),
        ('{"prompt": "a", "n": %s}' % ("9" * 5000), "line 1: holds a whole number of thousands of digits"),
        (json.dumps(PAIR) + "\r" + json.dumps(PAIR), "line 1: its lines end with a carriage return alone"),
        ("[" * 100_000, "JSON nested too deep"),
    ],
)
def test_what_is_no_rows_is_a_sentence(tmp_path: Path, text: str | bytes, reason: str) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as raised:
        list(records(str(path)))
    assert f"{path}" in str(raised.value)
    assert reason in str(raised.value)


def test_a_list_in_one_row_is_no_list_of_rows(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps({"messages": [{"role": "user", "content": "Q?"}]}))
    assert len(list(records(str(tmp_path / "rows.json")))) == 1


def test_a_table_may_have_one_column(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('prompt\n"What, then?"\n\nWhy?\n')
    assert [row["prompt"] for row in records(str(tmp_path / "rows.csv"))] == ["What, then?", "Why?"]
    (tmp_path / "rows.csv").write_text(
        "\n\r\nprompt,id\nWhy?,1\n"
    )  # as spreadsheets with a heading are saved
    assert list(records(str(tmp_path / "rows.csv"))) == [{"prompt": "Why?", "id": "1"}]


def test_a_time_beyond_pythons_is_named_and_no_damage(tmp_path: Path) -> None:
    ages = pa.array([0, 2**58], pa.timestamp("ms"))
    pq.write_table(pa.table({"prompt": ["a", "b"], "seen": ages}), tmp_path / "rows.parquet")
    with pytest.raises(UsageError, match=r"rows.parquet row 2: `seen` is a timestamp\[ms\] that no date"):
        list(records(str(tmp_path / "rows.parquet")))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"prompt": "Q", "completions": ["First.", "Then.", "12."], "labels": [True, False, False]},
            "`completions` stand beside `labels` of true and false, as steps of one solution do",
        ),
        (
            {"prompt": json.dumps(["Q", None, "And then?"]), "chosen": "a", "rejected": "b"},
            "`prompt` is a text that holds a list of texts in JSON, as turns of a conversation are stored",
        ),
        (
            {
                "prompt": "Q",
                "chosen": [{"role": "assistant", "content": "I look.", "function_calls": "f(x=1)"}],
                "rejected": [{"role": "assistant", "content": "No."}],
            },
            "`function_calls`",
        ),
        (
            {
                "prompt": [{"role": "user", "content": "Q", "functions": "[]"}],
                "chosen": "a",
                "rejected": "b",
            },
            "`functions`",
        ),
    ],
)
def test_what_is_no_pair_of_answers_is_refused(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(UsageError, match=r"rows\.jsonl line 1") as raised:
        preferred(tmp_path / "rows.jsonl")
    assert said in str(raised.value)


def test_an_answer_that_is_a_list_in_json_is_an_answer(tmp_path: Path) -> None:
    row = {"prompt": "Two names, as JSON", "chosen": '["Ann", "Bo"]', "rejected": '["Ann"]'}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    assert preferred(tmp_path / "rows.jsonl") == [('["Ann", "Bo"]', '["Ann"]')]


def test_rows_that_a_quotation_mark_swallows_are_told(tmp_path: Path) -> None:
    table = 'prompt\tchosen\trejected\nQ1\t"g1 begins\tb1\nQ2\tand ends"\tb2\nQ3\tg3\tb3\n'
    (tmp_path / "rows.tsv").write_text(table)
    with pytest.raises(UsageError, match=r"rows\.tsv line 3: a field holds tabs and line breaks"):
        preferred(tmp_path / "rows.tsv")


@pytest.mark.parametrize("word", ["TRUE", "True", "true", "1"])
def test_labels_as_a_spreadsheet_spells_them(tmp_path: Path, word: str) -> None:
    no = {"TRUE": "FALSE", "True": "False", "true": "false", "1": "0"}[word]
    (tmp_path / "rows.csv").write_text(f"prompt,completion,label\nQ,cold,{word}\nQ,warm,{no}\n")
    assert [row["label"] for row in records(str(tmp_path / "rows.csv"))] == [True, False]
