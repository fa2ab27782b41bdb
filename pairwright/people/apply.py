"""`pairwright apply`: a run made by people's decisions."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from pairwright.errors import UsageError
from pairwright.folders.manifest import InputInfo, Manifest, load_manifest
from pairwright.folders.shards import check_run_folder, read_tables
from pairwright.people.config import ApplyConfig
from pairwright.people.decisions import REVIEW, Decision, Decisions, Place
from pairwright.people.revised import as_decided
from pairwright.records import KEPT, Outcome, content_hash
from pairwright.sift.folder import in_columns, write_run
from pairwright.terminal.text import say

REVIEWED = "reviewed"
REJECTED = "rejected_by_reviewer"
_REVIEWED = pa.struct(
    [("status", pa.string()), ("who", pa.string()), ("at", pa.string()), ("reason", pa.string())]
)
_STATUS = {"accept": "accepted", "swap": "swapped", "edit": "edited", "reject": REJECTED}


class Reviewed(NamedTuple):
    """What `write_run` reads: where the rows are from, and their columns."""

    info: InputInfo
    schema: pa.Schema


def apply(config: ApplyConfig) -> Manifest:
    """Write the run: every row of the reviewed one, kept or dropped, each counted once."""
    check_run_folder(Path(config.out))
    if Path(config.out).resolve() == config.run.resolve():
        raise UsageError(f"{config.out}: is the run that was reviewed; choose another --out")
    manifest = load_manifest(config.run)
    if not (config.run / REVIEW).exists():
        raise UsageError(
            f"{config.run}: nobody has reviewed it (no {REVIEW}); `pairwright review {config.run}` does"
        )
    decisions = Decisions(config.run, manifest)
    reviewed = decisions.reviewed()
    decisions.close()
    if decisions.strangers:
        say(
            f"warning: {decisions.path}: {decisions.strangers:,} decisions are about rows that "
            f"{config.run} no longer has as they were; they are not applied"
        )
    shards = [[index, shard.sha256] for index, shard in sorted(manifest.shards.items())]
    count = sum(manifest.counts.values()) + sum(s.further for s in manifest.shards.values())
    info = InputInfo(path=str(config.run), sha256=content_hash(shards), rows=count)
    schema = _schema(config.run, reviewed)
    return write_run(
        "apply",
        config,
        Path(config.out),
        Reviewed(info, schema),
        in_columns(_outcomes(config, reviewed), schema),
        count,
        {"decisions": content_hash(sorted([*map(str, d[:3]), str(d.place)] for d in reviewed.values()))},
    )


def _outcomes(config: ApplyConfig, reviewed: Mapping[Place, Decision]) -> Iterator[Outcome]:
    """Every row as it ends now, kept ones first."""
    for place, row in _rows(config.run):
        status, reason = row.pop("status", KEPT), row.pop("reason", "")
        if place.part == "data":
            status, reason = KEPT, ""
        decision = reviewed.get(place)
        if decision is not None:
            yield _decided(row, status, decision)
        elif status == KEPT and config.only_reviewed and row.get(REVIEWED) is None:
            yield Outcome(status="not_reviewed", reason="nobody decided about it", columns=row)
        else:
            yield Outcome(status=status, reason=reason, columns=row)


def _decided(row: dict[str, Any], status: str, decision: Decision) -> Outcome:
    """A row that somebody decided of."""
    kept = decision.kind != "reject"
    told = "restored" if status != KEPT and decision.kind == "accept" else _STATUS[decision.kind]
    columns = as_decided(row, decision) | {
        REVIEWED: {"status": told, "who": decision.who, "at": decision.at, "reason": decision.reason}
    }
    reason = "" if kept else f"{decision.who}: {decision.reason}" if decision.reason else decision.who
    return Outcome(status=KEPT if kept else REJECTED, reason=reason, columns=columns)


def _rows(folder: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every row of a run, each shard checked against its hash, and where it stands."""
    manifest = load_manifest(folder)
    for part in ("data", "dropped"):
        indices = [index for index, shard in sorted(manifest.shards.items()) if part in shard.sha256]
        for index, table in zip(indices, read_tables(folder, part), strict=True):
            row = 0
            for batch in table.to_batches(max_chunksize=1000):
                for record in batch.to_pylist():
                    yield Place(part, index, row), record
                    row += 1


def _schema(folder: Path, reviewed: Mapping[Place, Decision]) -> pa.Schema:
    """The run's columns, and who decided what.

    Trainers fail on a `margin` that some kept rows lack: then the column is left out.
    """
    first = next((t for part in ("data", "dropped") for t in read_tables(folder, part)), None)
    if first is None:
        raise UsageError(f"{folder}: has no rows yet; run its command first")
    schema = pa.schema([f for f in first.schema if f.name not in ("status", "reason")])
    if {"chosen", "rejected"} - set(schema.names):
        raise UsageError(f"{folder}: holds no pairs")
    if REVIEWED not in schema.names:
        schema = schema.append(pa.field(REVIEWED, _REVIEWED))
    elif schema.field(REVIEWED).type != _REVIEWED:
        raise UsageError(
            f"{folder}: its column `{REVIEWED}` is not of this command's making; rename it first"
        )
    if "margin" in schema.names and (lacking := _without_margin(folder, reviewed)):
        say(f"{folder}: {lacking:,} pairs that are kept now have no margin of a judge: no column `margin`")
        schema = schema.remove(schema.get_field_index("margin"))
    return schema


def _without_margin(folder: Path, reviewed: Mapping[Place, Decision]) -> int:
    """How many rows are kept by a decision and have no margin, since no judge compared what they say."""
    kept = {place: d for place, d in reviewed.items() if d.kind != "reject"}
    if all(place.part == "data" and d.kind != "edit" for place, d in kept.items()):
        return 0
    rows = ((row, kept[place]) for place, row in _rows(folder) if place in kept)
    return sum(as_decided(row, decision)["margin"] is None for row, decision in rows)
