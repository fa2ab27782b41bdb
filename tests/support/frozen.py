"""What a folder holds, as far as it may not change: all but times, versions and the bytes of files."""

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from safetensors.numpy import load_file

from pairwright.schema import LATER

_DIFFER = {
    "run.json": ("versions", "started", "seconds", "hash"),
    "train.json": ("versions", "seconds", "peak_memory_gib", "files", "begun_in"),
}
"""Fields that differ from run to run and from machine to machine."""
_ADDED = {
    "calibration.json": ("points", "points_by_model", "min_margin", "by_value", "by_perturbation"),
    "winrate.json": ("corrected", "agreement", "agreement_by_side"),
    "table.jsonl": (
        "verdicts",
        "win_rate_from_best",
        "win_rate_from_best_high",
        "win_rate_from_best_low",
    ),
}
"""Fields that came later, of which those who made the goldens knew nothing."""
_JSON = ("stats.json", "train.json", "reward.json", "calibration.json", "winrate.json", "export.json")
CLOSE = 1e-4
"""Relative difference of numbers that another machine may make, by its caches or a cloud's scheduling."""


def content(folder: Path) -> dict[str, Any]:
    """Records, tables and weights of a folder of any command, as JSON."""
    found: dict[str, Any] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = str(path.relative_to(folder))
        if path.name == "run.json":
            found[name] = _without_hashes(_record(path))
        elif path.name in _JSON:
            found[name] = _record(path)
        elif path.suffix == ".parquet":
            found[name] = _table(path)
        elif path.suffix == ".jsonl":
            later = _ADDED.get(path.name, ())
            rows = [_as_before(json.loads(line)) for line in path.read_text().splitlines()]
            found[name] = [{key: row[key] for key in row if key not in later} for row in rows]
        elif path.suffix == ".safetensors":
            found[name] = weights(path)
    return found


def weights(path: Path) -> dict[str, list[Any]]:
    """Of every tensor: shape, type, hash of its bytes, sum and norm."""
    return {
        name: [
            list(tensor.shape),
            str(tensor.dtype),
            hashlib.sha256(tensor.tobytes()).hexdigest()[:16],
            float(tensor.sum(dtype="float64")),
            float((tensor.astype("float64") ** 2).sum() ** 0.5),
        ]
        for name, tensor in sorted(load_file(path).items())
    }


def _record(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text())
    apart = (*_DIFFER.get(path.name, ()), *_ADDED.get(path.name, ()))
    kept = {name: v for name, v in values.items() if name not in apart}
    if "cost" in values:
        kept["cost"] = {name: v for name, v in values["cost"].items() if not name.startswith("seconds")}
    return kept


def _without_hashes(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest without the hashes of its shards' files, whose content is compared itself."""
    for shard in manifest["shards"].values():
        shard["sha256"] = sorted(shard["sha256"])
    return manifest


def _table(path: Path) -> dict[str, Any]:
    table = pq.read_table(path)
    empty = {name for name in LATER & set(table.column_names) if table[name].null_count == len(table)}
    columns = [f"{field.name}: {field.type}" for field in table.schema if field.name not in empty]
    rows = json.loads(json.dumps(table.to_pylist(), default=str))
    return {"columns": columns, "rows": [_as_before(row) for row in rows]}


def _as_before(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the columns that came later, where they hold nothing."""
    return {name: value for name, value in row.items() if value is not None or name not in LATER}


def difference(found: Any, kept: Any, where: str = "", *, exact: bool = True) -> str | None:
    """The first place where two such contents differ, with both values; None if they are the same.

    Unless `exact`, numbers may be `CLOSE`, and hashes of tensors are not compared.
    """
    if isinstance(found, dict) and isinstance(kept, dict):
        if where.endswith("/config"):  # settings are added; what decides the rows is recorded beside them
            found = {key: value for key, value in found.items() if key in kept}
        if missing := sorted(found.keys() ^ kept.keys()):
            return f"{where}: {', '.join(missing)} only {'now' if missing[0] in found else 'before'}"
        pairs = [(f"{where}/{key}", value, kept[key]) for key, value in found.items()]
    elif isinstance(found, list) and isinstance(kept, list):
        if len(found) != len(kept):
            return f"{where}: {len(kept)} before, {len(found)} now"
        pairs = [(f"{where}/{n}", *both) for n, both in enumerate(zip(found, kept, strict=True))]
    elif found == kept or (not exact and _close(found, kept, where)):
        return None
    else:
        return f"{where}: was {kept!r}, is {found!r}"
    return next((d for place, a, b in pairs if (d := difference(a, b, place, exact=exact))), None)


def _close(found: Any, kept: Any, where: str) -> bool:
    if isinstance(found, float) and isinstance(kept, float):
        return math.isclose(found, kept, rel_tol=CLOSE, abs_tol=1e-6)
    return ".safetensors/" in where and where.endswith("/2")


def bit_for_bit() -> bool:
    """Whether computed numbers must have the bits that they had on the machine that made the goldens."""
    return os.environ.get("PAIRWRIGHT_GOLDEN") == "bits"


def written() -> bool:
    """Whether goldens are to be written anew."""
    return os.environ.get("PAIRWRIGHT_GOLDEN") == "write"
