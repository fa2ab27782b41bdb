"""Records from where users have them: JSON and Parquet files, run folders, data sets on disk and the hub.

A source is read in a stream, more than once, and says of every record where it stands.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa

from pairwright.errors import UsageError
from pairwright.folders.manifest import MANIFEST, load_manifest
from pairwright.folders.ownership import own_columns
from pairwright.folders.shards import PARTS, read_tables
from pairwright.inputs.arrow_files import ArrowFile, is_arrow
from pairwright.inputs.delimited import DelimitedFile, delimiter_of
from pairwright.inputs.forms.openai import Batch, is_batch
from pairwright.inputs.forms.table import in_form, named_form
from pairwright.inputs.json_files import json_file
from pairwright.inputs.layouts import named_split, splits_of, what_it_holds
from pairwright.inputs.names import files_named
from pairwright.inputs.parquet_files import ParquetFiles, is_parquet
from pairwright.inputs.source import (
    CHUNK,
    ArrowSource,
    Chunk,
    Piece,
    Record,
    Source,
    plain_schema,
)
from pairwright.inputs.unpacked import (
    STANDARD_INPUT,
    beginning,
    refuse_foreign_form,
    standard_input,
    unpacked_table,
)

_FILES = frozenset(
    (".jsonl .json .parquet .csv .tsv .txt .arrow .feather " + ".gz .zst .bz2 .xz .lz4 .zip").split()
)

_JSON = (".jsonl", ".json", ".ndjson", ".jsonlines")


def open_source(name: str) -> Source:
    """Return the source of a name: a file, a run folder, a folder with one data set, or one of the hub.

    `-` is standard input; a name with `*`, `?` or `[…]` is all files that match it, and `A+B` are two. A
    split is named as `FOLDER:SPLIT`, `FOLDER/SPLIT`, or `user/name@REVISION:CONFIG/SPLIT`, of which only
    `user/name` is needed, and a form of rows as `FORM@SOURCE`. Raises `UsageError` when it cannot be read,
    and for a folder that is several things, naming them.
    """
    form, rest = named_form(name)
    if form is not None and os.path.exists(name):  # noqa: PTH110  # of any length
        form, rest = None, name
    source = _opened(rest)
    return in_form(source, form) if source.own is None else source


def open_kept(name: str) -> Source:
    """Return the source of a name. Raises `UsageError` also for rows that a run did not keep."""
    source = open_source(name)
    if source.dropped:
        raise UsageError(f"{name}: these are rows that a run did not keep; name the run, or its `data`")
    return source


def _opened(name: str) -> Source:
    """The source as its rows stand there."""
    if name in STANDARD_INPUT:
        return _file(standard_input())
    path = Path(name)
    try:
        if path.is_file():
            return _file(path)
        if path.is_dir():
            return _folder(path, None)
        if path.exists():
            raise UsageError(f"{name}: is not a regular file; rows are read more than once")
        head, colon, split = name.rpartition(":")
        if colon and Path(head).is_dir():
            return _folder(Path(head), split)
        if colon and Path(head).is_file():
            raise UsageError(f"{head}: is one file; it has no split `{split}`")
        if path.parent.is_dir() and path.name in splits_of(path.parent):
            return _folder(path.parent, path.name)
        if matches := files_named(name):
            return _joined(name, matches)
    except OSError as error:
        raise UsageError(f"{name}: cannot be read ({error.strerror})") from None
    if "://" in name:
        raise UsageError(
            f"{name}: is an address; fetch the file and name it, or a data set of the hub: user/name"
        )
    dataset, _, split = name.partition(":")
    if dataset.count("/") != 1 or Path(dataset).suffix in _FILES or dataset.startswith((".", "/", "~")):
        raise UsageError(f"{name}: no such file or folder")
    from pairwright.inputs.hub_dataset import from_hub

    return from_hub(dataset, split or "train")


def records(name: str, limit: int | None = None) -> Iterator[Record]:
    """Yield the records of any source, at most `limit`."""
    return (record for _, record in islice(open_source(name), limit))


def _file(path: Path) -> Source:
    if ".tar" in path.suffixes or path.suffix == ".tgz":
        raise UsageError(f"{path}: is an archive; unpack it, and name the file or folder in it")
    path = unpacked_table(path)
    if is_parquet(path):
        return ParquetFiles([path])
    if is_arrow(path):
        return ArrowFile(path)
    refuse_foreign_form(path)
    delimiter = delimiter_of(path)
    if delimiter is not None and not beginning(path, 64).lstrip().startswith((b"{", b"[")):
        return DelimitedFile(path, delimiter)
    _refuse_other_kind(path)
    return json_file(path)


def _refuse_other_kind(path: Path) -> None:
    """Raise `UsageError` for a file that neither its name nor how it begins calls JSON."""
    begins = beginning(path, 64).lstrip(b"\xef\xbb\xbf \t\r\n")
    named = any(suffix in _JSON for suffix in path.suffixes) or not path.suffix
    if begins and not named and not re.match(rb"\{|\[\s*[\{\]]", begins):
        raise UsageError(
            f"{path}: `{path.suffix}` is no kind of file that rows are read from; give JSONL, a JSON list, "
            "CSV, TSV, Parquet or Arrow, packed or not"
        )


def _joined(pattern: str, paths: list[Path]) -> Source:
    """Files that match a pattern, as one source."""
    if folder := next((path for path in paths if not path.is_file()), None):
        raise UsageError(f"{pattern}: matches {folder}, which is no file; match files alone")
    paths = [unpacked_table(path) for path in paths]
    if all(is_parquet(path) for path in paths):
        return ParquetFiles(paths)
    parts = [_file(path) for path in paths]
    firsts = [next((r for _, r in p.readable() if not isinstance(r, UsageError)), None) for p in parts]
    answers = [part for part, first in zip(parts, firsts, strict=True) if is_batch(first, answers=True)]
    requests = [part for part, first in zip(parts, firsts, strict=True) if is_batch(first, answers=False)]
    if answers and requests and len(answers) + len(requests) == len(parts):
        return Batch(Joined(requests), Joined(answers))
    if len({part.schema is None for part in parts}) > 1:
        raise UsageError(f"{pattern}: matches files of several forms; match files of one form")
    return Joined(parts)


def _folder(path: Path, split: str | None) -> Source:
    if (path / MANIFEST).is_file():
        if split not in (None, "train"):
            raise UsageError(
                f"{path}: is a run, which has no split `{split}`; `pairwright split` makes some"
            )
        return RunFolder(path)
    if path.name in PARTS and (path.parent / MANIFEST).is_file():
        return RunPart(path)
    from pairwright.inputs.hub_dataset import is_saved, saved

    if is_saved(path):
        return saved(path, split)
    splits = splits_of(path)
    if not splits:
        raise UsageError(
            f"{path}: is no run, and no data set that can be read as a whole: {what_it_holds(path)}"
        )
    return _files(path, named_split(path, splits, split))


def _files(folder: Path, files: list[Path]) -> Source:
    """Some files as one source: the run whose kept rows they are, or what stands in them."""
    runs = {path.parent.parent for path in files if path.parent.name == "data"}
    if len(runs) == 1 and (run := next(iter(runs))) != folder.parent and (run / MANIFEST).is_file():
        return RunFolder(run)
    if not files:
        raise UsageError(f"{folder}: is no folder of files of rows alone; name one file")
    return _joined(str(folder), files)


class Joined(Source):
    """Files without types that are parts of one, in order."""

    def __init__(self, parts: Sequence[Source]) -> None:
        self._parts = parts

    def sha256(self) -> str:
        """Return the hash of the files' hashes, in order."""
        return hashlib.sha256("".join(part.sha256() for part in self._parts).encode()).hexdigest()

    def readable(self) -> Iterator[tuple[str, Record | UsageError]]:
        """Yield every record of every file, or what is wrong with it."""
        for part in self._parts:
            yield from part.readable()

    def pieces(self) -> Iterator[Piece]:
        """Yield the same, in columns where they are kept so."""
        for part in self._parts:
            yield from part.pieces()


class RunPart(ParquetFiles):
    """The rows in `data` or `dropped` of a run, which need not be finished, as far as they are written."""

    def __init__(self, part: Path) -> None:
        files = sorted(part.glob("*.parquet"))
        if not files:
            raise UsageError(f"{part}: no rows in it; there is nothing to do")
        super().__init__(files)
        self.dropped = part.name == "dropped"
        self.own = own_columns(load_manifest(part.parent).stage, self.schema)


class RunFolder(ArrowSource):
    """The kept rows of a finished run, each shard checked against its recorded hash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._manifest = load_manifest(folder)
        done = sum(self._manifest.counts.values())
        if done < self._manifest.items:
            there = any((folder / "data").glob("*.parquet"))
            or_so = f", or name {folder}/data to go on with what is there" if there else ""
            raise UsageError(
                f"{folder}: an unfinished run ({done:,} of {self._manifest.items:,} rows); run its "
                f"command again first{or_so}"
            )
        first = next(read_tables(folder), None)
        self.schema = plain_schema(first.schema) if first is not None else pa.schema([])
        self.own = own_columns(self._manifest.stage, self.schema)

    def sha256(self) -> str:
        """Return the hash of the shards' recorded hashes, in order."""
        shards = sorted(self._manifest.shards.items())
        return hashlib.sha256(json.dumps([s.sha256.get("data") for _, s in shards]).encode()).hexdigest()

    def pieces(self) -> Iterator[Chunk]:
        """Yield every row: a run's shards are read whole or not at all."""
        number = 0
        for table in read_tables(self._folder):
            for batch in table.to_batches(max_chunksize=CHUNK):
                yield Chunk(str(self._folder), number + 1, batch)
                number += batch.num_rows
