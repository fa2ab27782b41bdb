"""Columns that are carried through: their names, their types, and that nothing of them is lost."""

import datetime as dt
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from datasets import Features
from runs_on_disk import ANSWER, TAGGED, rows_of, write_jsonl

from pairwright.errors import UsageError
from pairwright.folders.shards import read_tables
from pairwright.inputs.columns import Columns
from pairwright.inputs.rows import Input
from pairwright.schema import PAIR
from revise import GivenPairsConfig, ReviseConfig, gate, revise


def through_a_run(tmp_path: Path, source: Path, kept: bool = True) -> pa.Table:
    """The rows of a revision of `source`, as its reader finds them."""
    tmp_path.mkdir(exist_ok=True)
    replies = tmp_path / "replies.jsonl"
    revision = ANSWER.format(n=1).replace("hundred", "thousand") if kept else "no"
    write_jsonl(replies, [{"text": TAGGED.format(revision)}])
    revise(ReviseConfig(input=str(source), reviser=f"canned:{replies}", out=str(tmp_path / "run")))
    return pa.concat_tables(read_tables(tmp_path / "run", "data" if kept else "dropped"))


def with_answers(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"prompt": f"Q{i}", "answer": ANSWER.format(n=1)} | r for i, r in enumerate(records)]


JSON_COLUMNS: list[tuple[list[Any], str, list[Any]]] = [
    ([1, 2], "int64", [1, 2]),
    ([1, 2.5], "double", [1.0, 2.5]),
    ([None, None], "string", [None, None]),
    ([None, True], "bool", [None, True]),
    (["a", None], "string", ["a", None]),
    ([[], []], "list<element: string>", [[], []]),
    ([[], [1]], "list<element: int64>", [[], [1]]),
    ([[1], [2.5, None]], "list<element: double>", [[1.0], [2.5, None]]),
    ([{"a": 1}, {"b": [{"c": "x"}]}], "struct<a: int64, b: list<element: struct<c: string>>>",
     [{"a": 1, "b": None}, {"a": None, "b": [{"c": "x"}]}]),
    ([{"a": None}, {"a": None}], "struct<a: string>", [{"a": None}, {"a": None}]),
    ([{}, {}], "string", ["{}", "{}"]),
    ([{}, {"a": 1}], "struct<a: int64>", [{"a": None}, {"a": 1}]),
    ([{"a": {}}, None], "string", ['{"a":{}}', None]),
    ([[{}], [{}, {}]], "string", ["[{}]", "[{},{}]"]),
    ([json.loads("[" * 60 + "]" * 60), None], "string", ["[" * 60 + "]" * 60, None]),
    ([2**63 - 1, -(2**63)], "int64", [2**63 - 1, -(2**63)]),
    (["2024-01-01", "2024-13-45"], "string", ["2024-01-01", "2024-13-45"]),
    (["é\u0000\u202e{{ 7*7 }}", "=cmd()"], "string", ["é\u0000\u202e{{ 7*7 }}", "=cmd()"]),
]  # fmt: skip


@pytest.mark.parametrize(("values", "kind", "read_back"), JSON_COLUMNS)
@pytest.mark.parametrize("far_apart", [False, True])
def test_json_columns_get_explicit_types(
    tmp_path: Path, values: list[Any], kind: str, read_back: list[Any], far_apart: bool
) -> None:
    """`far_apart` puts the two values into different chunks of the survey."""
    between = [{}] * 1500 if far_apart else []
    path = write_jsonl(
        tmp_path / "rows.jsonl", with_answers([{"tag": values[0]}, *between, {"tag": values[1]}])
    )
    rows = Input(str(path), Columns(), None, PAIR.names)
    [field] = rows.carried
    assert (field.name, str(field.type).replace("item", "element")) == ("tag", kind)
    if not far_apart:
        tags = through_a_run(tmp_path, path)["tag"]
        assert tags.to_pylist() == read_back


def test_a_column_that_comes_late_is_carried(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", with_answers([{}, {}, {"late": 7}]))
    assert through_a_run(tmp_path, path)["late"].to_pylist() == [None, None, 7]


MIXED: list[tuple[list[Any], str]] = [
    ([1, "a"], "line 2: column `tag` changes its type here (a whole number before, now text)"),
    (["a", 1], "line 2: column `tag` changes its type here (text before, now a whole number)"),
    ([None, [1], {"a": 1}], "line 3: column `tag` changes its type here (a list before, now an object)"),
    ([True, 1], "line 2: column `tag` changes its type here (true or false before, now a whole number)"),
    ([[1], ["a"]], "line 2: column `tag` changes its type here (a list before, now a list with other"),
    ([{"a": 1}, {"a": "x"}], "(an object before, now an object with other types inside)"),
    ([1, 2**63], "line 2: the number in column `tag` is too large for 64 bits; write it as text"),
    ([1, 2**64], "line 2: the number in column `tag` is too large for 64 bits"),
    ([[{"a": 1}], [{"a": 10**30}]], "line 2: the number in column `tag` is too large for 64 bits"),
    ([2**53 + 1, 0.5], "column `tag` has no type that all its values fit"),
]


@pytest.mark.parametrize(("values", "reason"), MIXED)
def test_mixed_types_are_refused_where_they_begin(tmp_path: Path, values: list[Any], reason: str) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", with_answers([{"tag": v} for v in values]))
    with pytest.raises(UsageError) as caught:
        Input(
            str(path), Columns(), None, ("tag",)
        )  # carried as `input_tag`, and named as it is in the file
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)


def test_mixed_types_are_found_across_chunks_too(tmp_path: Path) -> None:
    rows = with_answers([{"tag": 2**53 + 1}] + [{"tag": 1}] * 1200 + [{"tag": 0.5}])
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    with pytest.raises(UsageError, match="column `tag`"):
        Input(str(path), Columns(), None)
    rows[0]["tag"] = "text"
    write_jsonl(path, rows[:1] + rows[-1:] * 1100)
    with pytest.raises(UsageError, match=r"line 2: column `tag` changes"):
        Input(str(path), Columns(), None)


def test_names_of_ours_get_a_prefix_and_never_collide(tmp_path: Path) -> None:
    tags = {
        "row_id": "a", "input_row_id": "b", "source": "c", "status": "d", "reason": "e",
        "rationale": "f", "input_input_row_id": "g", "prompt_id": 7, "mine": "h",
    }  # fmt: skip
    for kept in (True, False):
        path = write_jsonl(tmp_path / f"{kept}.jsonl", with_answers([tags]))
        table = through_a_run(tmp_path / str(kept), path, kept)
        assert len(set(table.column_names)) == len(table.column_names)
        [row] = table.to_pylist()
        assert row["status" if not kept else "source"] == ("clair" if kept else "length_drift")
        assert {n: row[n] for n in ("input_source", "input_status", "input_reason", "input_rationale")} == {
            "input_source": "c", "input_status": "d", "input_reason": "e", "input_rationale": "f",
        }  # fmt: skip
        assert (row["input_row_id"], row["input_input_row_id"], row["mine"]) == ("b", "g", "h")
        assert row["input_input_input_row_id"] == "a"
        assert row["input_prompt_id"] == 7


def test_revisions_of_revisions_keep_every_generation(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", with_answers([{"tag": 1}]))
    through_a_run(tmp_path, path)
    for generation in range(3):
        folder = tmp_path / f"again{generation}"
        through_a_run(folder, tmp_path / ("run" if not generation else f"again{generation - 1}/run"))
    [row] = rows_of(folder / "run")
    assert row["tag"] == 1
    assert row["source"] == row["input_source"] == row["input_input_source"] == "clair"


ARROW = {
    "int8": pa.array([1, None], pa.int8()),
    "float32": pa.array([1.5, None], pa.float32()),
    "uint64": pa.array([2**64 - 1, None], pa.uint64()),
    "date": pa.array([dt.date(2024, 2, 29), None]),
    "timestamp": pa.array([dt.datetime(2024, 2, 29, 1, 2, 3, 4, dt.UTC), None]),
    "nanoseconds": pa.array([1_700_000_000_000_000_001, None], pa.timestamp("ns")),
    "decimal": pa.array([Decimal("12345678901234567890.12"), None]),
    "binary": pa.array([b"\xff\x00", None], pa.large_binary()),
    "large": pa.array(["x", None], pa.large_string()),
    "view": pa.array(["x", None], pa.string_view()),
    "dictionary": pa.array(["x", None]).dictionary_encode(),
    "null": pa.nulls(2),
    "nested": pa.array([[{"a": [1]}], []], pa.large_list(pa.struct([("a", pa.list_(pa.int16()))]))),
    "fixed": pa.array([[1, 2], None], pa.list_(pa.int32(), 2)),
    "map": pa.array([[("k", 1)], None], pa.map_(pa.large_string(), pa.int32())),
    "decimal32": pa.array([Decimal("1.5"), None], pa.decimal32(3, 1)),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0123456789abcdef", None], pa.binary(16))),
}


def test_parquet_columns_keep_their_types(tmp_path: Path) -> None:
    table = pa.table({"prompt": ["Q1", "Q2"], "answer": [ANSWER.format(n=1)] * 2} | ARROW)
    path = tmp_path / "rows.parquet"
    pq.write_table(table, path)
    found = through_a_run(tmp_path, path)
    plain = {
        "binary": pa.binary(), "large": pa.string(), "view": pa.string(), "dictionary": pa.string(),
        "null": pa.string(), "uuid": pa.binary(16), "decimal32": pa.decimal128(3, 1),
        "map": pa.list_(pa.struct([("key", pa.string()), ("value", pa.int32())])),
        "nested": pa.list_(pa.struct([("a", pa.list_(pa.int16()))])),
    }  # fmt: skip
    for name, column in ARROW.items():
        expected = column.storage if name == "uuid" else column
        kind = plain.get(name, column.type)
        assert found.schema.field(name).type == kind, name
        assert found[name].to_pylist() == expected.cast(kind).to_pylist(), name
    Features.from_arrow_schema(found.schema)  # `datasets` has no form for maps and small decimals


NO_KEYS = pa.struct([("a", pa.struct([])), ("b", pa.timestamp("s"))])


@pytest.mark.parametrize("text", [True, False], ids=["text", "messages"])
def test_what_parquet_cannot_hold_is_text_or_named_before_work_begins(tmp_path: Path, text: bool) -> None:
    said = [["Q1", "B1", "A1"], ["Q2", "B2", "A2"]]
    roles = ("user", "assistant", "assistant")
    columns: dict[str, Any] = {
        name: [row[n] if text else [{"role": role, "content": row[n]}] for row in said]
        for n, (name, role) in enumerate(zip(("prompt", "chosen", "rejected"), roles, strict=True))
    }
    columns["empty"] = pa.array([{}, None], pa.struct([]))
    columns["nested"] = pa.array([{"a": {}, "b": dt.datetime(2024, 2, 29)}, None], NO_KEYS)
    columns["lists"] = pa.array([[{}], []], pa.list_(pa.struct([])))
    path = tmp_path / "rows.arrow"
    feather.write_feather(pa.table(columns), path)
    gate(GivenPairsConfig(input=str(path), out=str(tmp_path / "run")))
    rows = sorted(rows_of(tmp_path / "run"), key=lambda row: row["prompt"][0]["content"])
    assert [[row[n] for n in ("empty", "nested", "lists")] for row in rows] == [
        ["{}", '{"a":{},"b":"2024-02-29 00:00:00"}', "[{}]"], [None, None, "[]"],
    ]  # fmt: skip
    columns["span"] = pa.array([(1, 2, 3), None], pa.month_day_nano_interval())
    feather.write_feather(pa.table(columns), path)
    reason = f"{path}: column `span` is of Arrow's type month_day_nano_interval, which Parquet cannot hold"
    with pytest.raises(UsageError, match=re.escape(reason)):
        gate(GivenPairsConfig(input=str(path), out=str(tmp_path / "other")))
