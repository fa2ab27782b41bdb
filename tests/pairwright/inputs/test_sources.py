"""Where rows come from: Parquet, folders of it, runs and the hub; streamed, and told apart when broken."""

import os
import time
import tracemalloc
from pathlib import Path
from typing import Any
from urllib.request import getproxies

import datasets
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from runs_on_disk import revise_config, write_jsonl

from pairwright.cli import run_command
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.shards import read_tables
from pairwright.inputs.columns import Columns
from pairwright.inputs.rows import Input
from pairwright.inputs.sources import open_source, records
from pairwright.models import hub
from revise import revise


def refusal(source: Path | str) -> str:
    """The one sentence with which a source is refused."""
    with pytest.raises(PairwrightError) as caught:
        list(Input(str(source), Columns(), None))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def parquet(path: Path, rows: int = 3, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"prompt": [f"{path.stem} {i}" for i in range(rows)]} | columns)
    pq.write_table(table, path, write_page_checksum=True)
    return path


def test_parquet_is_known_by_its_bytes(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.parquet").rename(tmp_path / "rows.pq")
    assert [where for where, _ in open_source(str(path))] == [f"{path} row {i}" for i in (1, 2, 3)]


def test_a_folder_of_parquet_is_read_in_order_without_bookkeeping(tmp_path: Path) -> None:
    parquet(tmp_path / "two.parquet", tag=[1, 2, 3])
    parquet(tmp_path / "one.parquet", late=pa.array([b"x"] * 3, pa.large_binary()))
    for hidden in (".tmp-9-three.parquet", "_temporary/four.parquet", ".cache/five.parquet"):
        parquet(tmp_path / hidden)
    rows = Input(str(tmp_path), Columns(), None)
    assert [r.prompt[0].content for r in rows] == ["one 0", "one 1", "one 2", "two 0", "two 1", "two 2"]
    assert {f.name: f.type for f in rows.carried} == {"late": pa.binary(), "tag": pa.int64()}
    parquet(tmp_path / "zero.parquet", tag=["text"] * 3)
    assert "zero.parquet: not the same columns as the files before it" in refusal(tmp_path)


@pytest.mark.parametrize("kind", [pa.null(), pa.string()])
def test_a_column_without_a_value_has_the_type_of_other_files_and_runs(
    tmp_path: Path, kind: pa.DataType
) -> None:
    """Whoever wrote only nulls wrote text, or no type."""
    said = {name: pa.array([f"{name} 1", f"{name} 2", f"{name} 3"]) for name in ("chosen", "rejected")}
    none = parquet(tmp_path / "rows" / "none.parquet", **said, tag=pa.nulls(3, kind))
    some = parquet(tmp_path / "rows" / "some.parquet", **said, tag=[1, 2, None])
    arrow = tmp_path / "none.arrow"
    feather.write_feather(pq.read_table(none), arrow)
    runs = [tmp_path / "run_of_none", tmp_path / "run_of_some"]
    for source, folder in zip((none, some), runs, strict=True):
        run_command(["merge", str(source), "--out", str(folder)])
    for sources in ([none.parent], [none, some], [some, none], [arrow, some], runs):
        out = tmp_path / f"merged_{'_'.join(path.name for path in sources)}"
        run_command(["merge", *map(str, sources), "--out", str(out)])
        tags = pa.chunked_array([tag for table in read_tables(out) for tag in table["tag"].chunks])
        assert (tags.type, tags.null_count, pc.sum(tags).as_py()) == (pa.int64(), 4, 3)


def test_a_row_in_a_folder_is_named_by_its_file(tmp_path: Path) -> None:
    parquet(tmp_path / "one.parquet")
    pq.write_table(pa.table({"prompt": ["Q", None]}), tmp_path / "two.parquet")
    assert refusal(tmp_path).startswith(f"{tmp_path}/two.parquet row 2: `prompt` is empty")


def test_two_files_in_one_name_are_two(tmp_path: Path) -> None:
    one = parquet(tmp_path / "one.parquet")
    again = f"{one}+{tmp_path / 'folder' / '..' / 'one.parquet'}"
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=r"one\.parquet is named twice; name it once"):
        open_source(again)


def test_parquet_that_holds_nothing_is_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "none.parquet", rows=0)
    assert "no rows in it" in refusal(tmp_path / "none.parquet")
    assert "no rows in it" in refusal(tmp_path)
    (tmp_path / "empty").mkdir()
    assert "no data set that can be read as a whole: it is empty" in refusal(tmp_path / "empty")
    (tmp_path / "empty" / ".rows.jsonl").write_text('{"prompt": "Q"}\n')
    assert "it holds .rows.jsonl, and no rows; names that begin with a dot" in refusal(tmp_path / "empty")
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "twice.parquet")
    assert "two columns are named `a`" in refusal(tmp_path / "twice.parquet")


def test_damaged_parquet_is_refused_and_never_read_wrong(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    long = [f"{i} {'x' * 50}" for i in range(400)]
    pq.write_table(pa.table({"prompt": long}), path, write_page_checksum=True, compression="none")
    whole = path.read_bytes()
    for at in range(4, len(whole), len(whole) // 60):
        flipped = bytearray(whole)
        flipped[at] ^= 4
        path.write_bytes(flipped)
        try:
            found, told = [r["prompt"] for r in records(str(path))], str(path)
        except PairwrightError as error:
            found, told = long, str(error)
        assert found == long
        assert str(path) in told
        assert "\n" not in told
        path.write_bytes(whole[:at])
        assert "rows.parquet: cannot be read as Parquet" in refusal(path)
    path.write_bytes(whole.replace(b"7 xxx", b"7 xyx", 1))
    assert "damaged after row 0" in refusal(path)


def test_text_that_is_no_utf8_in_parquet_is_refused(tmp_path: Path) -> None:
    data = pa.py_buffer(b"caf\xe9")
    column = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\4\0\0\0"), data)
    pq.write_table(pa.table({"prompt": column}), tmp_path / "rows.parquet")
    assert "rows.parquet: damaged after row 0" in refusal(tmp_path / "rows.parquet")


def test_what_is_no_source_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file; rows are read more than once" in refusal(tmp_path / "pipe")
    for name in ("gone.jsonl", "./gone", "/gone", "gone", "a/b/c", "owner/gone.parquet", "~/gone"):
        assert refusal(name) == f"{name}: no such file or folder"
    assert "cannot be read (File name too long)" in refusal("x" * 5000)


def test_the_kept_rows_of_a_run_are_an_input(tmp_path: Path) -> None:
    revise(revise_config(tmp_path, rows=40))
    rows = Input(str(tmp_path / "run"), Columns(), None)
    kept = list(records(str(tmp_path / "run")))
    assert rows.info.rows == len(kept) == 28
    assert [r.answer for r in rows] == [k["rejected"][0]["content"] for k in kept]
    shard = tmp_path / "run" / "data" / "train-00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-1])
    assert "train-00001.parquet: damaged" in refusal(tmp_path / "run")


def test_an_unfinished_run_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    from pairwright.folders.manifest import load_manifest

    revise(revise_config(tmp_path, rows=40))
    run = tmp_path / "run"
    manifest = load_manifest(run)
    one = {0: manifest.shards[0]}
    manifest.model_copy(update={"shards": one, "complete": False}).save(run)
    assert "an unfinished run (16 of 40 rows); run its command again first, or name" in refusal(run)
    assert len(list(records(f"{run}/data"))) == 28
    for shard in (run / "data").iterdir():
        shard.unlink()
    assert refusal(run).endswith("run its command again first")


def test_reading_holds_a_chunk_and_never_the_file(tmp_path: Path) -> None:
    """Of 12 MB it holds the parts of a few thousand rows."""
    filler, rows = "x" * 1_000, 12_000
    path = write_jsonl(tmp_path / "rows.jsonl", ({"prompt": f"{i}", "note": filler} for i in range(rows)))
    table = pa.table({"prompt": list("0123456789") * 1200, "note": [f"{i}{filler}" for i in range(rows)]})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=1000)
    for source in (path, tmp_path / "rows.parquet"):
        tracemalloc.start()
        assert sum(1 for _ in Input(str(source), Columns(), None)) == rows
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8e6, source


def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in getproxies():
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_PROXY".upper(), raising=False)


def test_an_unreachable_hub_is_one_quick_sentence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", datasets.config.HF_HUB_OFFLINE)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    without_proxies(monkeypatch)
    assert not hub.reachable()
    started = time.monotonic()
    message = refusal("owner/name:test")
    assert time.monotonic() - started < 5
    assert message.startswith("owner/name: no such file or folder, and the hub gives no such data set")
    assert capfd.readouterr() == ("", "")


def test_a_hub_that_answers_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    without_proxies(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        assert hub.reachable()
    assert not hub.reachable()
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    assert hub.reachable()


def test_a_data_set_of_the_hub_is_read_by_split(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None, str, str | None]] = []

    def load_dataset(
        name: str, config: str | None, *, split: str, revision: str | None
    ) -> datasets.Dataset:
        asked.append((name, config, split, revision))
        if split == "none":
            raise ValueError('Unknown split "none".\nUse one of the others.')
        return datasets.Dataset.from_dict({"question": ["Q1", "Q2"], "answer": ["A", "B"], "n": [1, 2]})

    monkeypatch.setenv("HF_ENDPOINT", "http://localhost")
    monkeypatch.setenv("http_proxy", "http://proxy:3128")  # behind one the hub counts as there
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    rows = Input("owner/name", Columns(), None)
    assert [(r.prompt[0].content, r.answer, r.carried) for r in rows] == [
        ("Q1", "A", {"n": 1}),
        ("Q2", "B", {"n": 2}),
    ]
    assert asked == [("owner/name", None, "train", None)]
    other = Input("owner/name:test", Columns(), None)
    assert other.info.sha256 != rows.info.sha256
    named = Input("owner/name@v1.0:short/test", Columns(), None)
    assert asked[-1] == ("owner/name", "short", "test", "v1.0")
    assert len({rows.info.sha256, other.info.sha256, named.info.sha256}) == 3
    assert '(Unknown split "none".)' in refusal("owner/name:none")


@pytest.mark.parametrize(
    "name", ["https://example.org/rows.jsonl", "s3://bucket/rows.parquet", "file:///rows.jsonl"]
)
def test_an_address_is_no_file(name: str) -> None:
    with pytest.raises(UsageError, match=f"^{name}: is an address; fetch the file and name it"):
        open_source(name)


@pytest.mark.parametrize("row_group_size", [1000, 40_000])
def test_of_a_parquet_file_little_is_in_memory_at_a_time(tmp_path: Path, row_group_size: int) -> None:
    table = pa.table({"prompt": [f"{n} {os.urandom(300).hex()}" for n in range(40_000)]})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=row_group_size, compression="none")
    del table
    held, before = [], pa.total_allocated_bytes()
    for piece in open_source(str(tmp_path / "rows.parquet")).pieces():
        held.append(pa.total_allocated_bytes() - before)
        del piece
    assert max(held) < 10 * 2**20 < (tmp_path / "rows.parquet").stat().st_size / 2
