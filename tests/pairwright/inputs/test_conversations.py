"""Rows that are read in columns end as they do when each is read by itself, to the byte."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pairwright.inputs import candidates
from pairwright.inputs.candidates import PlainRows
from pairwright.inputs.columns import Columns
from pairwright.inputs.conversations import plain
from pairwright.inputs.source import Chunk
from pairwright.schema import CONVERSATION
from pairwright.sift import whole
from pairwright.sift.dedup import DedupConfig, dedup
from pairwright.sift.merge import MergeConfig, merge
from revise import GivenPairsConfig, gate
from revise.given import GivenPairs

SAID = "The sum of two and two is {}, as all of us know very well, and as it was said before."
ODD: dict[str, dict[str, Any]] = {
    "no answer": {"chosen": None},
    "an empty list": {"rejected": []},
    "a blank answer": {"chosen": "\u2003\n"},
    "the whole conversation": {"chosen": [("user", "Q?"), ("assistant", "It is so.")], "prompt": "Q?"},
    "a prompt of several": {
        "prompt": [("system", " "), ("user", "Hi"), ("assistant", "Ho"), ("user", "?")]
    },
    "another role": {"prompt": [("developer", "Be brief."), ("user", "Q?")]},
}


def messages(role: str, said: Any) -> Any:
    said = [(role, said)] if isinstance(said, str) else said
    return said and [{"role": role, "content": text} for role, text in said]


def row(number: int, **other: Any) -> dict[str, Any]:
    said = {
        "prompt": f'What is "{number}"?\n\x00\x1f\x7f é',
        "chosen": SAID.format(number),
        "rejected": SAID.format("five"),
        **other,
    }
    roles = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
    columns = {name: messages(roles[name], text) for name, text in said.items() if name in roles}
    return columns | {
        "source": f"s{number % 3}",
        "chosen_model": ["", "m", None][number % 3],
        "tag": number,
    }


PLAIN = [
    *(row(n) for n in range(40)),
    *(row(7), row(8), row(7)),
    row(50, chosen="<think>Five?</think>\n\nSo it is four [see below]."),
    row(51, rejected="<think>Only a thought"),
    row(52, chosen="I am sorry, but I cannot answer that."),
    row(53, chosen=f"Here is the revised answer: {SAID.format(4)}"),
    row(54, chosen=SAID.format("five"), prompt=[("system", "S"), ("assistant", "Ho"), ("user", "?")]),
]  # fmt: skip


def parquet(path: Path, rows: list[dict[str, Any]], tag: pa.DataType) -> Path:
    more = [("source", pa.string()), ("chosen_model", pa.string()), ("tag", tag)]
    schema = pa.schema([*((name, CONVERSATION) for name in ("prompt", "chosen", "rejected")), *more])
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    return path


def run(command: str, source: str, out: Path) -> str:
    """The hash of what a command writes, shard by shard."""
    if command == "gate":
        gate(GivenPairsConfig(input=source, out=str(out), shard_size=9, limit=57))
    elif command == "dedup":
        dedup(DedupConfig(inputs=(source,), out=str(out), shard_size=9, near=0.9))
    else:
        merge(MergeConfig(inputs=(source,), out=str(out), shard_size=9))
    files = sorted(out.glob("d*/*.parquet"))
    assert len(files) > 5
    tables = [(f.name, f.parent.name, pq.read_table(f).replace_schema_metadata(None)) for f in files]
    assert sum(table.num_rows for *_, table in tables) >= 47
    return hashlib.sha256(repr([(*n, t.schema, t.to_pylist()) for *n, t in tables]).encode()).hexdigest()


@pytest.mark.parametrize("command", ["gate", "dedup", "merge"])
def test_a_row_ends_as_it_does_alone(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In plain chunks, and in those that one odd row makes read row by row; of files of two types."""
    (tmp_path / "in").mkdir()
    parquet(tmp_path / "in" / "a.parquet", PLAIN, pa.int64())
    odd = [row(n, **other) for n, other in enumerate(ODD.values(), 60)]
    parquet(tmp_path / "in" / "b.parquet", [row(7), *odd] if command == "gate" else [row(7)], pa.int32())
    source = f"{tmp_path}/in/*.parquet"
    found = run(command, source, tmp_path / "columns")
    for place in (candidates, whole):
        monkeypatch.setattr(place, "plain", lambda *_: None)
    assert run(command, source, tmp_path / "rows") == found


@pytest.mark.parametrize("name", ODD)
def test_a_chunk_with_an_odd_row_is_not_plain(name: str, tmp_path: Path) -> None:
    columns = Columns(prompt="prompt", answers=("chosen", "rejected"))
    rows = {kind: pq.read_table(parquet(tmp_path / kind, some, pa.int64())).to_batches()[0]
            for kind, some in (("plain", PLAIN), ("odd", [*PLAIN, row(60, **ODD[name])]))}  # fmt: skip
    found = plain(Chunk("rows", 1, rows["plain"]), columns, columns.answers)
    assert found is not None
    assert found.size == len(PLAIN)
    assert plain(Chunk("rows", 1, rows["odd"]), columns, columns.answers) is None


def test_the_ids_of_plain_rows_are_those_of_rows(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.parquet", PLAIN, pa.int64())
    rows = GivenPairs(str(path), Columns(answers=("", "")), 45)
    [chunk] = rows.chunks()
    assert isinstance(chunk, PlainRows)
    each = list(rows)
    assert (chunk.row_ids, chunk.prompt_ids) == ([r.row_id for r in each], [r.prompt_id for r in each])
    assert chunk.models("chosen").to_pylist() == [r.candidates[0].model for r in each]
    assert {r.occurrence for r in each} == {0, 1, 2}
