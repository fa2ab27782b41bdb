"""Run folders: deterministic Parquet shards, where the rename of a shard is its only commit.

A shard is up to two files, `data/train-00000.parquet` (kept rows) and `dropped/train-00000.parquet`
(all others); a part without rows has no file, since `datasets` refuses empty ones. Their hashes go to
`run.json` first, then the dropped file is renamed into place, and last the data file: a shard counts
as finished when all its files are there with the recorded hashes. Anything else is put aside and
made again, from the journal.
"""

import hashlib
import io
import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pairwright.errors import PairwrightError
from pairwright.folders.claim import changed_field, refuse_foreign, refuse_other, refuse_reading
from pairwright.folders.durable import sha256_file, sweep_temporaries, write_durably
from pairwright.folders.journal import JOURNAL
from pairwright.folders.manifest import MANIFEST, Manifest, Shard, load_manifest
from pairwright.records import KEPT, Outcome
from pairwright.schema import LATER, dropped

log = logging.getLogger(__name__)
PARTS = ("dropped", "data")
"""In the order in which a shard's files are renamed into place."""
_ANOTHER = "choose another --out, or start this one over with --fresh"


def shard_file(folder: Path, part: str, index: int) -> Path:
    """Return where the kept (`data`) or other (`dropped`) rows of a shard are."""
    return folder / part / f"train-{index:05d}.parquet"


def check_run_folder(folder: Path) -> None:
    """Raise `UsageError` when `folder` exists and is not a run folder."""
    refuse_foreign(folder, MANIFEST, own=(f"{JOURNAL}*",), setting="--out")


def continue_run(folder: Path, planned: Manifest, *, fresh: bool) -> Manifest:
    """Return the manifest to work under: the folder's own when it has one, else the planned one.

    Raises `UsageError` when the folder belongs to something else, naming what differs. Changed gates
    keep the journal and drop the shards. Only for the holder of the folder's lock.
    """
    for part in (folder, folder / "data", folder / "dropped"):
        sweep_temporaries(part)
    if not (folder / MANIFEST).exists():
        check_run_folder(folder)
        planned.save(folder)
        return planned
    if fresh:
        refuse_reading(folder, planned.config, writes=("out",))
        return _start_over(folder, planned)
    found = load_manifest(folder)
    _refuse_another(folder, found, planned)
    gate = changed_field(found.gate, planned.gate)
    if gate:
        log.warning("%s: %s: sorting the finished completions again", folder, gate)
        return _start_over(folder, planned)
    sound = _without_damage(folder, found)
    _remove_unlisted(folder, sound)
    return sound.model_copy(update={"config": planned.config})


def _refuse_another(folder: Path, found: Manifest, planned: Manifest) -> None:
    """Raise `UsageError` for the folder of another run."""
    before, now = ({"stage": run.stage} | run.semantic for run in (found, planned))
    kept = (folder / JOURNAL).exists()
    again = "finished completions are used again" if kept else "from nothing; it has no journal"
    refuse_other(folder, before, now, f"{_ANOTHER} ({again})")


def finished_for_reading(folder: Path, planned: Manifest) -> Manifest | None:
    """Return the manifest of a folder that nobody can write to, where the planned run is finished in it.

    None for any other folder. Raises `UsageError` as `continue_run` does.
    """
    if os.access(folder, os.W_OK) or not (folder / MANIFEST).exists():
        return None
    found = load_manifest(folder)
    _refuse_another(folder, found, planned)
    if not found.complete or found.gate != planned.gate:
        return None
    recorded = {
        shard_file(folder, part, index): sha
        for index, shard in found.shards.items()
        for part, sha in shard.sha256.items()
    }
    sound = all(path.exists() and sha256_file(path) == sha for path, sha in recorded.items())
    return found if sound else None


def as_begun(schema: pa.Schema, folders: Sequence[Path]) -> pa.Schema:
    """Return the schema, less the columns added since that the shards already written lack."""
    there = next(filter(None, map(columns_there, folders)), None)
    if there is None:
        return schema
    return pa.schema([field for field in schema if field.name in there or field.name not in LATER])


def commit_shard(
    folder: Path, manifest: Manifest, index: int, schema: pa.Schema, outcomes: Sequence[Outcome]
) -> Manifest:
    """Write the rows of a shard, in order, and return the manifest that lists it."""
    kept = [row for o in outcomes if o.status == KEPT for row in (o.columns, *o.further)]
    others = [{"status": o.status, "reason": o.reason} | o.columns for o in outcomes if o.status != KEPT]
    shard = Shard(
        counts=dict(Counter(o.status for o in outcomes)),
        further=sum(len(o.further) for o in outcomes if o.status == KEPT),
        sha256={},
        prompt_tokens=_total("prompt_tokens", schema, outcomes),
        completion_tokens=_total("completion_tokens", schema, outcomes),
    )
    tables = {"dropped": as_table(others, dropped(schema)), "data": as_table(kept, schema)}
    return _commit(folder, manifest, index, shard, tables)


class Ended(NamedTuple):
    """Rows in columns, and how each ended."""

    rows: pa.Table
    statuses: Sequence[str]
    reasons: Sequence[str]

    def part(self, start: int, size: int) -> "Ended":
        """Return at most `size` of the rows, from one on."""
        end = start + size
        return Ended(self.rows.slice(start, size), self.statuses[start:end], self.reasons[start:end])


def together(parts: Sequence[Ended]) -> Ended:
    """Return rows one after the other."""
    tables, statuses, reasons = zip(*parts, strict=True)
    return Ended(pa.concat_tables(tables), [*chain(*statuses)], [*chain(*reasons)])


def commit_ended(folder: Path, manifest: Manifest, index: int, ended: Ended) -> Manifest:
    """Write the rows of a shard, in order, and return the manifest that lists it."""
    rows, status = ended.rows, pa.array(ended.statuses, pa.string())
    stays = pc.equal(status, KEPT)
    told = [status, pa.array(ended.reasons, pa.string())]
    others = pa.Table.from_arrays([*told, *rows.columns], schema=dropped(rows.schema))
    shard = Shard(
        counts=dict(Counter(ended.statuses)),
        further=0,
        sha256={},
        prompt_tokens=_sum("prompt_tokens", rows),
        completion_tokens=_sum("completion_tokens", rows),
    )
    kept = rows if shard.counts.keys() == {KEPT} else rows.filter(stays)
    tables = {"dropped": others.filter(pc.invert(stays)), "data": kept}
    return _commit(folder, manifest, index, shard, tables)


def _commit(
    folder: Path, manifest: Manifest, index: int, shard: Shard, tables: Mapping[str, pa.Table]
) -> Manifest:
    """Write a shard's tables by part; a part without rows has no file."""
    note = {"pairwright_shard": str(index), "pairwright_run": manifest.fingerprint}
    files = {part: _parquet(table, note) for part, table in tables.items()}
    hashes = {part: hashlib.sha256(data).hexdigest() for part, data in files.items() if data}
    shards = manifest.shards | {index: shard.with_files(hashes)}
    manifest = manifest.model_copy(update={"shards": shards})
    manifest.save(folder)
    for part in PARTS:
        if files[part]:
            write_durably(shard_file(folder, part, index), files[part])
        else:
            shard_file(folder, part, index).unlink(missing_ok=True)
    return manifest


def _total(name: str, schema: pa.Schema, outcomes: Sequence[Outcome]) -> int:
    """The sum of a column of ours; a user's of that name has another type."""
    ours = name in schema.names and schema.field(name).type == pa.int32()
    return sum(o.columns.get(name) or 0 for o in outcomes) if ours else 0


def _sum(name: str, rows: pa.Table) -> int:
    """The same of rows in columns."""
    ours = name in rows.schema.names and rows.schema.field(name).type == pa.int32()
    return (pc.sum(rows[name]).as_py() or 0) if ours else 0


def read_tables(folder: Path, part: str = "data", *, before: int | None = None) -> Iterator[pa.Table]:
    """Yield the finished shards of a run in order, each checked against its recorded hash.

    `part` is `data` (kept rows) or `dropped`; with `before`, only shards of smaller numbers. Raises
    `PairwrightError` naming a damaged file.
    """
    manifest = load_manifest(folder)
    for index, shard in sorted(manifest.shards.items()):
        if part not in shard.sha256 or (before is not None and index >= before):
            continue
        path = shard_file(folder, part, index)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise PairwrightError(
                f"{path}: missing; run the command that made this folder again to restore it"
            ) from None
        if hashlib.sha256(data).hexdigest() != shard.sha256[part]:
            raise PairwrightError(
                f"{path}: damaged (its hash is not the recorded one); run the command that made "
                "this folder again to restore it"
            )
        yield read_parquet(pa.BufferReader(data))


def columns_there(folder: Path) -> frozenset[str]:
    """Return the columns of the rows that a folder already holds; none if it holds none."""
    files = (path for part in PARTS for path in sorted((folder / part).glob("*.parquet")))
    first = next(files, None)
    try:
        return frozenset(pq.read_schema(first).names) if first else frozenset()
    except (pa.ArrowException, OSError):
        return frozenset()  # damaged: it will be put aside


def read_parquet(source: Path | pa.NativeFile) -> pa.Table:
    """Return a whole Parquet file, its checksums verified, read by this thread alone.

    `pyarrow.parquet.read_table` leaves threads behind that now and then abort a process which ends
    soon after (https://github.com/apache/arrow/issues/34314). Raises as pyarrow does.
    """
    return pq.ParquetFile(source, page_checksum_verification=True).read(use_threads=False)


def as_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table; what a row does not have is null."""
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _parquet(table: pa.Table, note: dict[str, str]) -> bytes:
    """The rows as a Parquet file; no rows, no bytes."""
    if not table.num_rows:
        return b""
    table = table.combine_chunks().replace_schema_metadata(note)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
    return buffer.getvalue()


def _start_over(folder: Path, planned: Manifest) -> Manifest:
    """Forget the shards; the journal stays, so nothing that was paid for is asked again."""
    planned.save(folder)
    _remove_unlisted(folder, planned)
    return planned


def _remove_unlisted(folder: Path, manifest: Manifest) -> None:
    """Remove shards that no commit stands behind, so that nobody loads them."""
    listed = {shard_file(folder, p, i) for i, shard in manifest.shards.items() for p in shard.sha256}
    for part in PARTS:
        for path in (folder / part).glob("*.parquet"):
            if path not in listed:
                path.unlink()


def _without_damage(folder: Path, manifest: Manifest) -> Manifest:
    """The manifest with only the shards whose files are as recorded; damaged files are put aside."""
    sound = {}
    for index, shard in manifest.shards.items():
        files = {shard_file(folder, part, index): sha for part, sha in shard.sha256.items()}
        damaged = [p for p, sha in files.items() if p.exists() and sha256_file(p) != sha]
        for path in damaged:
            aside = folder / "damaged" / f"{path.parent.name}-{path.name}"
            aside.parent.mkdir(exist_ok=True)
            path.replace(aside)
            log.warning("%s does not have its recorded hash: put aside and made again", path)
        if not damaged and all(p.exists() for p in files):
            sound[index] = shard
    return manifest.model_copy(update={"shards": sound, "complete": False})
