"""The same rows out of every form of file."""

import bz2
import csv
import gzip
import io
import json
import lzma
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairwright.errors import PairwrightError, UsageError
from pairwright.inputs import unpacked
from pairwright.inputs.sources import open_source, records

ROWS = [
    {"prompt": "What is\u2028two, and “two”?", "answer": 'Four,\n"of course".\r\n'},
    {"prompt": "Да?", "answer": None},
    {"prompt": "你好 😀", "answer": "  return True\t"},
]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


def packed_by_arrow(codec: str) -> Callable[[bytes], bytes]:
    def pack(data: bytes) -> bytes:
        out = pa.BufferOutputStream()
        with pa.CompressedOutputStream(out, codec) as file:
            file.write(data)
        return bytes(out.getvalue())

    return pack


PACKS = [gzip.compress, bz2.compress, lzma.compress, packed_by_arrow("zstd"), packed_by_arrow("lz4")]


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("text", [LINES, json.dumps(ROWS)], ids=["lines", "array"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_packed_text_in_any_encoding(
    tmp_path: Path, pack: Callable[[bytes], bytes], text: str, encoding: str
) -> None:
    """By its first bytes, whatever it is called."""
    for name, data in (("rows.jsonl", text.encode(encoding)), ("rows.txt", pack(text.encode(encoding)))):
        (tmp_path / name).write_bytes(data)
        assert list(records(str(tmp_path / name))) == ROWS


@pytest.mark.parametrize("pack", PACKS[:4])
def test_a_packed_file_that_breaks_off_says_where(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    noise = "".join(json.dumps({"prompt": f"{n * 7919 % 104729}"}) + "\n" for n in range(20_000))
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(pack(noise.encode())[:-2000])
    with pytest.raises(UsageError, match=r"rows.jsonl.gz: damaged after line \d+ \("):
        list(records(str(path)))


@pytest.mark.parametrize("pack", PACKS)
def test_packed_tables(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, tmp_path / "rows.parquet")
    feather.write_feather(table, tmp_path / "rows.feather")
    for name in ("rows.parquet", "rows.feather"):
        packed = tmp_path / f"packed-{name}.gz"
        packed.write_bytes(pack((tmp_path / name).read_bytes()))
        for _ in range(2):  # the second time it is unpacked already
            assert list(records(str(packed))) == ROWS
        packed.write_bytes(pack((tmp_path / name).read_bytes())[:-40])
        with pytest.raises(PairwrightError, match=rf"packed-{name}"):
            list(records(str(packed)))
    assert list(records(f"{tmp_path}/rows.*quet")) == ROWS


@pytest.mark.parametrize("name", ["train.csv", "train.tsv.gz", "train.jsonl.gz", "train.arrow"])
def test_folders_of_every_form(tmp_path: Path, name: str) -> None:
    rows = [{"prompt": "Q", "answer": "A"}, {"prompt": "R", "answer": "B"}]
    table = pa.Table.from_pylist(rows)
    text = {
        "csv": b"prompt,answer\nQ,A\nR,B\n",
        "tsv": b"prompt\tanswer\nQ\tA\nR\tB\n",
        "jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode(),
    }
    for split in ("train", "test"):
        path = tmp_path / name.replace("train", split)
        if ".arrow" in name:
            feather.write_feather(table, path)
            continue
        data = text[path.suffixes[0][1:]]
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert list(records(f"{tmp_path}:train")) == rows
    (tmp_path / name.replace("train", "test")).unlink()
    assert list(records(str(tmp_path))) == rows


@pytest.mark.parametrize("text", [json.dumps(ROWS, indent=0), LINES], ids=["array", "lines"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_cannot_be_decoded_is_named_by_line_and_byte(
    tmp_path: Path, text: str, pack: Callable[[bytes], bytes]
) -> None:
    lines = text.encode().replace(b"True", b"Tr\xffe").split(b"\n")
    line, byte = next((n, line.index(b"\xff")) for n, line in enumerate(lines, 1) if b"\xff" in line)
    halved = len(text.encode("utf-16")) - 1
    for data, reason in (
        (b"\n".join(lines), f"line {line}: is not UTF-8 text (byte {byte + 1} of it is 0xff)"),
        (text.encode("utf-16")[:-1], f"is not UTF-16 text (byte {halved} of the file)"),
    ):
        (tmp_path / "rows.json").write_bytes(pack(data))
        with pytest.raises(UsageError) as raised:
            list(records(str(tmp_path / "rows.json")))
        assert "rows.json line " in str(raised.value)
        assert reason in str(raised.value)


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(
    st.lists(st.tuples(st.text("ab", min_size=1), cells, cells), min_size=1), st.sampled_from([",", "\t"])
)
def test_a_table_holds_what_was_written(rows: list[tuple[str, str, str]], delimiter: str) -> None:
    """By Python's own writer: quotes, line ends and delimiters in cells, and blank ones."""
    ending = {",": ".csv", "\t": ".tsv"}[delimiter]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows{ending}"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows([("prompt", "answer", "note"), *rows])
        found = [tuple(record.values()) for record in records(str(path))]
    assert found == [tuple(cell or None for cell in row) for row in rows]


def test_numbers_of_a_table_are_those_of_columns_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    turns = json.dumps([{"role": "user", "content": "Hi"}]).replace('"', '""')
    path.write_text(f'prompt,zip,score,messages\nQ,00701,0.50,"{turns}"\n')
    [row] = records(str(path))
    assert row == {
        "prompt": "Q", "zip": "00701", "score": 0.5, "messages": [{"role": "user", "content": "Hi"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prompt,answer\nQ,A\nQ,A,B\n", "rows.csv line 3: 3 fields, and line 1 names 2 columns"),
        ('prompt,answer\nQ,"A\nmore"\nQ\n', "rows.csv line 4: 1 fields, and line 1 names 2 columns"),
        ('prompt,answer\nQ,"A" or B\n', "rows.csv line 2: broken table (',' expected after '\"')"),
        ("prompt,prompt\nQ,A\n", "rows.csv line 1: two columns are named `prompt`"),
        ("prompt,\nQ,A\n", "rows.csv line 1: a column has no name"),
        (
            "prompt|answer\nQ|A\n",
            "rows.csv line 1: names one column, with '|' in it; columns are",
        ),
        (",prompt\n0,A\n", "the first column has no name; if it is pandas' index, save without"),
        ("sep=;\nprompt;answer\nQ;A\n", "rows.csv line 1: is a note to Excel and names no columns"),
        ("prompt,answer\rQ,A\r", "rows.csv: its lines end with a carriage return alone"),
        ("prompt,score\nQ,good\n", "rows.csv line 2: `score` must be a number, and is 'good'"),
        ("prompt,answer\nQ,caf\xe9\n", "rows.csv line 2: is not UTF-8 text (byte 6 of the line is 0xe9)"),
    ],
)
def test_a_broken_table_is_told_by_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as raised:
        list(open_source(str(path)))
    assert reason in str(raised.value)


def test_an_empty_table_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"")
    assert list(open_source(str(tmp_path / "rows.csv"))) == []


def test_arrow_files_and_streams(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    feather.write_feather(table, tmp_path / "rows.feather")
    with pa.OSFile(str(tmp_path / "rows.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as to:
        to.write_table(table, max_chunksize=1)
    for name in ("rows.feather", "rows.arrow"):
        source = open_source(str(tmp_path / name))
        assert source.schema is not None
        assert [record for _, record in source] == ROWS
    whole = (tmp_path / "rows.arrow").read_bytes()
    (tmp_path / "cut.arrow").write_bytes(whole[: len(whole) - 300])
    with pytest.raises(PairwrightError, match=r"cut\.arrow: damaged after row \d"):
        list(records(str(tmp_path / "cut.arrow")))


def test_names_that_match_several_files(tmp_path: Path) -> None:
    for number, row in enumerate(ROWS):
        (tmp_path / f"part-{number}.jsonl").write_text(json.dumps(row) + "\n")
    assert list(records(f"{tmp_path}/part-*.jsonl")) == ROWS
    assert list(records(f"{tmp_path}/**/part-[02].jsonl")) == [ROWS[0], ROWS[2]]
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "part-3.parquet")
    with pytest.raises(UsageError, match="matches files of several forms"):
        open_source(f"{tmp_path}/part-*")
    with pytest.raises(UsageError, match="no such file or folder"):
        open_source(f"{tmp_path}/gone-*.jsonl")


def test_standard_input_is_read_as_often_as_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked.standard_input.cache_clear()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(LINES.encode()))))
    assert list(records("-")) == list(records("-")) == ROWS
    assert next(iter(open_source("-")))[0].endswith("standard input line 1")
    unpacked.standard_input.cache_clear()


TABLE = ["prompt,answer\nQ,A\n", "prompt\tanswer\r\nQ\tA\r\n", '{"prompt": "Q", "answer": "A"}\n']


@pytest.mark.parametrize("text", TABLE)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_tables_are_piped_too(monkeypatch: pytest.MonkeyPatch, text: str, encoding: str) -> None:
    unpacked.standard_input.cache_clear()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode(encoding))))
    assert list(records("-")) == [{"prompt": "Q", "answer": "A"}]
    unpacked.standard_input.cache_clear()


def test_rows_are_piped_into_a_command(tmp_path: Path) -> None:
    pairs = json.dumps({"prompt": "Q", "draft": "It is five, I think.", "edited": "It is four, I think."})
    for _ in range(2):  # the second finds all done
        done = subprocess.run(
            [sys.executable, "-m", "pairwright", "gate", "-", "--out", str(tmp_path / "out")],
            input=pairs, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "out" / "data").num_rows == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.jsonl", '{"prompt": "a", "n": 1}\n{"prompt": "b", "n": 1, "prompt": "c"}\n'),
        ("rows.json", '[{"prompt": "b", "n": {"x": 1, "x": 2}}]'),
        ("rows.jsonl", '{"prompt": [{"role": "user", "x": "a", "x": "b"}]}\n'),
    ],
)
def test_a_key_that_stands_twice_loses_nothing_silently(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UsageError, match=r"has the key `(prompt|x)` twice, and one would be lost"):
        list(open_source(str(path)))
    path.write_text('{"prompt": "a", "inner": {"prompt": "\\"prompt\\": b"}}\n')
    assert len(open_source(str(path)).sha256()) == 64
    assert [record["prompt"] for _, record in open_source(str(path))] == ["a"]


@pytest.mark.parametrize("name", ["rows.tar", "rows.tar.gz", "rows.tgz"])
def test_an_archive_is_to_be_unpacked(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UsageError, match=r"is an archive; unpack it, and name the file or folder in it"):
        open_source(str(tmp_path / name))


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.toml"
    path.write_text('prompt = "p"\n')
    with pytest.raises(UsageError, match=r"`\.toml` is no kind of file that rows are read from; give"):
        open_source(str(path))
    path.write_text('{"prompt": "p"}\n')
    assert [record["prompt"] for _, record in open_source(str(path))] == ["p"]


def test_marks_of_byte_order_where_files_were_joined(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"prompt": "a"}\n' * 3)
    assert [record["prompt"] for _, record in open_source(str(path))] == ["a"] * 3
