"""Rows from where users have them: every form, every fault, and what is carried through."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs_on_disk import write_jsonl

from pairwright.errors import PairwrightError, UsageError
from pairwright.inputs.columns import Columns
from pairwright.inputs.groups import Occurrences
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input

USER = {"role": "user", "content": "Q"}
BY_CONVENTION = Columns()
SAID = {"role": "assistant", "content": "A"}


def read(path: Path, columns: Columns = BY_CONVENTION, limit: int | None = None, **more: Any) -> list[Row]:
    return list(Input(str(path), columns, limit, **more))


def jsonl(tmp_path: Path, *records: dict[str, Any]) -> Path:
    return write_jsonl(tmp_path / "rows.jsonl", records)


def said(row: Row) -> tuple[list[tuple[str, str]], str | None]:
    return [(m.role, m.content) for m in row.prompt], row.answer


def refusal(path: Path | str, columns: Columns = BY_CONVENTION, **more: Any) -> str:
    """The one sentence with which an input is refused."""
    with pytest.raises(PairwrightError) as caught:
        Input(str(path), columns, None, **more)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path).partition(":")[0])
    return message


CONVENTIONS: list[tuple[dict[str, Any], list[tuple[str, str]], str | None]] = [
    ({"prompt": "Q", "completion": "A"}, [("user", "Q")], "A"),
    ({"prompt": [USER], "completion": [SAID]}, [("user", "Q")], "A"),
    ({"prompt": [USER], "rejected": [USER, SAID]}, [("user", "Q")], "A"),
    ({"prompt": "Q", "chosen": "better", "rejected": [USER, SAID]}, [("user", "Q")], "A"),
    ({"instruction": "Do", "input": "this", "output": "A"}, [("user", "Do\n\nthis")], "A"),
    ({"instruction": "Do", "input": "", "output": "A"}, [("user", "Do")], "A"),
    ({"instruction": "Do", "input": None, "output": "A"}, [("user", "Do")], "A"),
    ({"question": "Q", "answer": "A"}, [("user", "Q")], "A"),
    ({"prompt": "Q", "response": "A"}, [("user", "Q")], "A"),
    ({"messages": [USER, SAID]}, [("user", "Q")], "A"),
    ({"messages": [USER]}, [("user", "Q")], None),
    ({"messages": [{"role": "system", "content": "S"}, USER]}, [("system", "S"), ("user", "Q")], None),
    ({"prompt": [USER, SAID]}, [("user", "Q")], "A"),
    ({"prompt": "Q", "response": ""}, [("user", "Q")], None),
    ({"prompt": "Q", "response": " \n"}, [("user", "Q")], None),
    ({"prompt": "Q", "response": None}, [("user", "Q")], None),
    ({"prompt": "Q", "completion": []}, [("user", "Q")], None),
    ({"prompt": "Q", "completion": [{"role": "assistant", "content": ""}]}, [("user", "Q")], None),
    ({"prompt": [USER | {"name": None, "tool_calls": None, "id": 7}], "answer": "A"}, [("user", "Q")], "A"),
    ({"prompt": [{"from": "human", "value": "Q"}], "answer": "A"}, [("user", "Q")], "A"),
    (
        {"prompt": [{"from": "human", "value": "Q", "role": None, "content": None}], "answer": "A"},
        [("user", "Q")],
        "A",
    ),
    (
        {"prompt": [{"role": "user", "content": [{"type": "text", "text": "Q"}]}], "answer": "A"},
        [("user", "Q")],
        "A",
    ),
    ({"prompt": USER, "answer": SAID}, [("user", "Q")], "A"),
    ({"prompt": "Q", "completion": "A", "answer": "other"}, [("user", "Q")], "A"),
    ({"prompt": " Q\n", "completion": " A\n"}, [("user", " Q\n")], " A\n"),
]


@pytest.mark.parametrize(("record", "prompt", "answer"), CONVENTIONS)
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_columns_are_found_by_convention(
    tmp_path: Path, kind: str, record: dict[str, Any], prompt: list[tuple[str, str]], answer: str | None
) -> None:
    path = jsonl(tmp_path, record)
    if kind == "parquet":
        path = tmp_path / "rows.parquet"
        pq.write_table(pa.Table.from_pylist([record]), path)
    [row] = read(path)
    assert said(row) == (prompt, answer)


def test_flags_name_other_columns(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"ask": "Q", "tell": "A", "prompt": "not this", "answer": "nor this"})
    [row] = read(path, Columns("ask", "tell"))
    assert said(row) == ([("user", "Q")], "A")
    assert row.carried == {"input_prompt": "not this", "answer": "nor this"}
    message = refusal(path, Columns("asked", None))
    assert (
        "no column `asked` (--prompt_column); its columns are `ask`, `tell`, `prompt`, `answer`" in message
    )
    assert "--answer_column" in refusal(path, Columns(None, "told"))
    assert "cannot be both" in refusal(path, Columns("ask", "ask"))
    [row] = read(jsonl(tmp_path, {"prompt": "A", "question": "Q"}), Columns(None, "prompt"))
    assert said(row) == ([("user", "Q")], "A")


def test_a_wide_input_does_not_flood_the_message(tmp_path: Path) -> None:
    message = refusal(jsonl(tmp_path, {f"column_{i}": 1 for i in range(500)}))
    assert "`column_19` and 480 more" in message
    assert "name one with --prompt_column" in message


def test_without_answers_their_columns_are_carried(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"question": "Q", "answer": "#### 4"}, {"question": "Q", "answer": "#### 5"})
    rows = read(path, answers=False)
    assert [r.carried for r in rows] == [{"answer": "#### 4"}, {"answer": "#### 5"}]
    assert [r.occurrence for r in rows] == [0, 1]
    assert [r.answer for r in rows] == [None, None]


BROKEN_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"prompt": "", "answer": "A"}, "`prompt` is empty"),
    ({"prompt": " \t", "answer": "A"}, "`prompt` is empty"),
    ({"prompt": None, "answer": "A"}, "`prompt` is empty"),
    ({"prompt": [], "answer": "A"}, "`prompt` is empty"),
    ({"prompt": [{"role": "user", "content": " "}], "answer": "A"}, "`prompt` is empty"),
    ({"prompt": 7, "answer": "A"}, "`prompt` is a number; it must be text or a list of messages"),
    ({"prompt": {"role": "user"}, "answer": "A"}, "`prompt` is an object"),
    ({"prompt": ["Q"], "answer": "A"}, "`prompt` is a list of texts; a conversation is a list of messages"),
    ({"prompt": [USER, 7], "answer": "A"}, "`prompt` holds a message that is not"),
    (
        {"prompt": [USER | {"name": "x"}], "answer": "A"},
        "a message with `name`, and names of speakers are not",
    ),
    (
        {"prompt": [{"from": "robot", "value": "Q"}], "answer": "A"},
        "a turn from 'robot'; turns are from human",
    ),
    ({"prompt": [USER | {"from": "human", "value": "R"}], "answer": "A"}, "and another `value`; leave one"),
    ({"prompt": [{"role": "user", "content": None}], "answer": "A"}, "holds a message that is not"),
    ({"prompt": [{"role": "human", "content": "Q"}], "answer": "A"}, "of 'human'; roles are assistant"),
    ({"prompt": [USER, SAID], "answer": "A"}, "`prompt` ends with an assistant message"),
    ({"prompt": [SAID]}, "`prompt` holds an answer and no prompt"),
    ({"prompt": "Q", "answer": 4}, "`answer` is a number"),
    ({"prompt": "Q", "answer": [USER]}, "`answer` is a message of 'user'"),
    ({"prompt": "Q", "answer": [USER | {"content": "R"}, SAID]}, "2 messages that do not begin with the"),
    ({"instruction": "Q", "input": 5, "output": "A"}, "`input` is a number"),
]


@pytest.mark.parametrize(("record", "reason"), BROKEN_ROWS)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, record: dict[str, Any], reason: str) -> None:
    message = refusal(jsonl(tmp_path, record))
    assert "rows.jsonl line 1: " in message
    assert reason in message


def test_a_row_without_the_column_that_others_have_is_named(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"prompt": "Q"}, {"question": "Q"})
    assert "line 2: `prompt` is empty" in refusal(path)


BROKEN_FILES: list[tuple[bytes, str]] = [
    (b'{"prompt": "Q"}\n{"prompt": \n', "line 2: broken JSON (Expecting value at column 11)"),
    (b'\n\n{"prompt": "Q"}\n\nnothing\n', "line 5: broken JSON"),
    (b'{"prompt": "Q"} {"prompt": "R"}\n', "line 1: broken JSON (Extra data"),
    (b'[{"prompt": "Q"}, 7]\n', "rows.jsonl item 2: is a number, not an object"),
    (b'[\n {"prompt": "Q"},\n]\n', "rows.jsonl line 3: broken JSON array"),
    (b"[]", "no rows in it; there is nothing to do"),
    (b'{\n "prompt": "Q"\n}\n', "line 1: one JSON object over several lines"),
    (b'"text"\n', "line 1: is text, not an object"),
    (b"prompt,answer\nQ,A\n", "line 1: broken JSON"),
    (b'{"prompt": "Q"}\n{"prompt": "caf\xe9"}\n', "line 2: is not UTF-8 text (byte 16 of it is 0xe9)"),
    (b"PK\x03\x04rows", "rows.jsonl: is a ZIP archive (or a workbook)"),
    (b"ARROW1\x00\x00", "rows.jsonl: cannot be read as Arrow"),
    (b"version https://git-lfs.github.com/spec/v1\n", "rows.jsonl: is a pointer of Git LFS"),
    (b'{"prompt": ' + b"[" * 200_000 + b"\n", "line 1: JSON nested too deep"),
    (b'{"prompt": "Q", "n": ' + b"9" * 5000 + b"}\n", "line 1: holds a whole number of thousands"),
    (b"", "no rows in it; there is nothing to do"),
    (b"\n \n", "no rows in it; there is nothing to do"),
    (b"{}\n", "no rows in it; there is nothing to do"),
    (b"\xef\xbb\xbf", "no rows in it; there is nothing to do"),
]


@pytest.mark.parametrize(("data", "reason"), BROKEN_FILES)
def test_a_broken_file_is_told_by_line(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(data)
    assert reason in refusal(path)


@pytest.mark.parametrize(
    "data",
    [
        b'\xef\xbb\xbf{"prompt": "Q"}\n',
        b'\n  \n{"prompt": "Q"}\n\n',
        b'{"prompt": "Q"}',
        b'{"prompt": "Q"}\r\n',
        b' {"prompt": "Q"} \n',
    ],
)
def test_harmless_oddities_of_text_files_are_borne(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "rows.txt"
    path.write_bytes(data)
    [row] = read(path)
    assert said(row) == ([("user", "Q")], None)


@pytest.mark.parametrize(
    ("spelled", "read_as"),
    [
        (r"a\ud83d\ude00b", "a😀b"),
        (r"a\ud83d", "a\ufffd"),
        (r"\uDE00 a", "\ufffd a"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"nul \u0000 and \u2028", "nul \0 and \u2028"),
    ],
)
def test_lone_surrogates_become_text(tmp_path: Path, spelled: str, read_as: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"prompt": "{spelled}", "tag": ["{spelled}"]}}\n')
    [row] = read(path)
    assert row.prompt[0].content == read_as
    assert row.carried == {"tag": [read_as]}
    pa.array([read_as]).validate(full=True)


def test_equal_rows_have_ids_of_their_own_and_order_does_not_matter(tmp_path: Path) -> None:
    records = [{"prompt": f"Q{i % 5}", "answer": f"A{i % 3}"} for i in range(40)]
    forth = read(write_jsonl(tmp_path / "a.jsonl", records))
    back = read(write_jsonl(tmp_path / "b.jsonl", reversed(records)))
    ids = [row.row_id for row in forth]
    assert len(set(ids)) == 40
    assert sorted(ids) == sorted(row.row_id for row in back)
    assert len({row.prompt_id for row in forth}) == 5
    more = read(write_jsonl(tmp_path / "c.jsonl", [*records, {"prompt": "new", "answer": "new"}]))
    assert [row.row_id for row in more][:40] == ids


def test_the_id_of_a_row_is_the_same_in_every_format(tmp_path: Path) -> None:
    record = {"prompt": [USER], "completion": [SAID]}
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist([record]), path)
    [a], [b] = read(path), read(jsonl(tmp_path, {"question": "Q", "answer": "A"}))
    assert a[:2] == b[:2]
    assert len(a.row_id) == 16


def test_limit_reads_no_further(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "Q"}\n{"prompt": "R"}\nbroken, and never reached\n')
    rows = Input(str(path), Columns(), 2)
    assert [row.prompt[0].content for row in rows] == ["Q", "R"]
    assert rows.info.rows == 2
    assert "line 3" in refusal(path)


def test_the_hash_of_an_input_follows_its_content_and_limit(tmp_path: Path) -> None:
    one, two = jsonl(tmp_path, USER | {"prompt": "Q"}), tmp_path / "copy.jsonl"
    two.write_bytes(one.read_bytes())
    same = Input(str(one), Columns(), None).info.sha256
    assert Input(str(two), Columns(), None).info.sha256 == same
    assert Input(str(two), Columns(), 1).info.sha256 != same
    two.write_text('{"prompt": "R"}\n')
    assert Input(str(two), Columns(), None).info.sha256 != same


def test_rows_without_an_answer_are_bad_ones_where_it_is_wanted(tmp_path: Path) -> None:
    path = str(jsonl(tmp_path, {"prompt": "Q", "answer": "A"}, {"prompt": "Q"}))
    with pytest.raises(UsageError, match=r"rows.jsonl line 2: no answer"):
        Input(path, Columns(), None, wanting="no answer")
    [good, bad] = Input(path, Columns(), None, wanting="no answer", skip=1)
    assert (good.problem, bad.problem) == (None, f"{path} line 2: no answer")
    assert [row.answer for row in Input(path, Columns(), None)] == ["A", None]


@given(st.lists(st.sampled_from("abc"), max_size=12))
def test_equal_rows_are_counted_as_by_a_dictionary(rows: list[str]) -> None:
    occurrences, before = Occurrences(), Counter[str]()
    for row in rows:
        occurrences.survey((row, None))
    for _ in range(2):
        count = occurrences.counter()
        before.clear()
        for row in rows:
            assert count((row, None)) == before[row]
            before[row] += 1
