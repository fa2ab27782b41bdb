"""The splits of a folder that is one data set, and what else a folder may hold; `sources.py` opens it.

A folder is never read for all that lies below it: above runs that would give rows twice and rows that
were dropped, and of a data set with splits the test rows beside the others.
"""

import os
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pairwright.errors import UsageError
from pairwright.folders.front_matter import front_matter
from pairwright.folders.manifest import MANIFEST
from pairwright.inputs.unpacked import beginning

_DATA = (".parquet", ".jsonl", ".ndjson", ".csv", ".tsv", ".arrow", ".feather")
"""Endings of files of rows. What ends in `.json` is one where its content is: folders hold JSON for much
else."""
_PACKED = (".gz", ".zst", ".bz2", ".xz", ".lz4")
_SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
"""Words that name a split in the name of a file or folder, as `datasets` reads them."""
_SHARD = re.compile(r"(?P<split>.+?)-\d{5}(?:-of-\d{5})?")
_PART = re.compile(r"(?P<name>.+)-(?P<number>\d{5})-of-(?P<of>\d{5})(?:-[0-9a-f]+)?")
_MOST = 6
_DEPTH = 4


def splits_of(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each split of a folder that is one data set; empty for any other folder.

    The card's `configs` say so, or else the names of files in the folder, in its `data`, or in folders
    that are named for splits; then nowhere else below it are files of rows. Raises `UsageError` where a
    part of a split is missing.
    """
    named = _by_card(folder)
    if named is None:
        found = [layout for place in (folder, folder / "data") if (layout := _by_names(place))]
        named = found[0] if len(found) == 1 and not _others(folder, found[0]) else {}
    for split, files in named.items():
        _require_all_parts(folder, split, files)
    return named


def _others(folder: Path, layout: Mapping[str, list[Path]]) -> bool:
    """Whether there are files of rows in a folder, or below it, that a layout leaves out."""
    read = {path for files in layout.values() for path in files}
    beside = {path.parent for path in read}
    return any(
        _ending(p) in _DATA and p not in read and p.parent not in beside for p in _below(folder, "*")
    )


def _require_all_parts(folder: Path, split: str, files: list[Path]) -> None:
    """Raise `UsageError` if the names of files tell of more parts than are there."""
    parts = [found for path in files if (found := _PART.fullmatch(_stem(path)))]
    for name, of in {(part["name"], part["of"]) for part in parts}:
        there = {int(part["number"]) for part in parts if (part["name"], part["of"]) == (name, of)}
        missing = sorted(set(range(int(of))) - there)
        if missing:
            raise UsageError(
                f"{folder}: {len(missing)} of the {int(of)} parts of `{split or name}` are missing, such "
                f"as {name}-{missing[0]:05d}-of-{of}; fetch them, or name the files that are to be read"
            )


def what_it_holds(folder: Path) -> str:
    """Describe a folder that is no run and no data set, so that a part of it can be named."""
    links = [
        path.name for path in sorted(folder.iterdir()) if path.is_symlink() and (path / MANIFEST).exists()
    ]
    runs = [*links, *(str(path.parent.relative_to(folder)) for path in _below(folder, MANIFEST))]
    if runs:
        return f"it holds {_count(runs, 'run')}: {_some(runs)}; name one of them"
    for record, what in (("train.json", "a training"), ("config.json", "a model")):
        if (folder / record).is_file() and (folder / record).read_bytes().lstrip()[:1] == b"{":
            return f"it is {what}, which has no rows of its own; name the run or file that it was made from"
    files = [str(p.relative_to(folder)) for p in _below(folder, "*") if _ending(p) in _DATA or _is_other(p)]
    if files:
        return f"it holds {_count(files, 'file')}: {_some(files)}; name one, or the folder of one split"
    names = sorted((path.name for path in folder.iterdir()), key=lambda name: (name.startswith("."), name))
    if not names:
        return "it is empty"
    hidden = "; names that begin with a dot are not read" if names[0].startswith(".") else ""
    return f"it holds {_some(names)}, and no rows{hidden}"


def _by_card(folder: Path) -> dict[str, list[Path]] | None:
    """Splits as the front matter of a card names them; None where it names none."""
    configs = front_matter(folder / "README.md").get("configs")
    if not isinstance(configs, list):
        return None
    found: dict[str, list[Path]] = {}
    for config in (c for c in configs if isinstance(c, dict) and c.get("data_files")):
        for split, patterns in _data_files(config["data_files"]):
            name = split if len(configs) == 1 else f"{config.get('config_name', 'default')}/{split}"
            files = [p for pattern in patterns for p in sorted(folder.glob(pattern)) if p.is_file()]
            found[name] = [*found.get(name, []), *files]
    found = {split: files for split, files in found.items() if files}
    return found or None


def _data_files(value: Any) -> Iterator[tuple[str, list[str]]]:
    """Split and glob patterns, of any of the forms that a card may have."""
    if isinstance(value, str):
        yield "train", [value]
    elif isinstance(value, Mapping):
        for split, paths in value.items():
            yield str(split), [paths] if isinstance(paths, str) else list(paths)
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        yield "train", value
    elif isinstance(value, list):
        for item in (i for i in value if isinstance(i, Mapping) and i.get("path")):
            paths = item["path"]
            yield str(item.get("split", "train")), [paths] if isinstance(paths, str) else list(paths)


def _by_names(place: Path) -> dict[str, list[Path]]:
    """Splits as the names of files in a folder, or of folders in it, tell them; nothing else."""
    if not place.is_dir() or (place / MANIFEST).is_file():
        return {}
    files = _files(place)
    inner = {p: _files(p) for p in sorted(place.iterdir()) if p.is_dir() and p.name in _SPLITS}
    inner = {p: some for p, some in inner.items() if some and not (p / MANIFEST).is_file()}
    read = {*files, *(path for some in inner.values() for path in some)}
    others = (p for f in (place, *inner) for p in f.iterdir() if p not in read and _is_other(p))
    if bool(files) == bool(inner) or any(others):
        return {}
    found: dict[str, list[Path]] = {}
    for folder, some in inner.items():
        found.setdefault(_SPLITS[folder.name], []).extend(some)
    for path in files:
        found.setdefault(_split_in(_stem(path)), []).append(path)
    if any(not _alike(some) for some in found.values()) or (len(found) > 1 and "" in found):
        return {}
    return found


def _alike(files: list[Path]) -> bool:
    """Whether files are parts of one thing: Parquet, or others of one name but for numbers."""
    if {_ending(path) for path in files} == {".parquet"}:
        return True
    return len({(re.sub(r"[\d_.-]+", "", _stem(path)), _ending(path)) for path in files}) == 1


def _files(folder: Path) -> list[Path]:
    """Data files in a folder, or without any its `.json` files with rows.

    Names that begin with `.` or `_` are bookkeeping and left out.
    """
    there = [p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith((".", "_"))]
    found = [p for p in there if _ending(p) in _DATA and p.name != "metrics.jsonl"]
    return found or [p for p in there if _ending(p) == ".json" and _holds_rows(p)]


def _holds_rows(path: Path) -> bool:
    """Whether JSON is a list of objects, or an object a line on two lines or more."""
    try:
        begins = beginning(path, 1 << 16).lstrip()
    except UsageError:
        return False
    first, _, more = begins.partition(b"\n")
    lines = first.rstrip().endswith(b"}") and more.lstrip().startswith(b"{")
    return (begins[:1] == b"[" and begins[1:].lstrip()[:1] == b"{") or (begins[:1] == b"{" and lines)


def _ending(path: Path) -> str:
    """The ending of a file's name that says what it holds, whatever it is packed with."""
    return next((ending for ending in map(str.lower, reversed(path.suffixes)) if ending not in _PACKED), "")


def _stem(path: Path) -> str:
    """A file's name without the endings of what it holds and is packed with."""
    name = path
    while name.suffix.lower() in _PACKED:
        name = name.with_suffix("")
    return name.stem


def _is_other(path: Path) -> bool:
    """Whether a file may hold rows but is read only where it is named: folders hold JSON for much else."""
    return _ending(path) == ".json" and bool(_split_in(_stem(path))) and path.name[0] not in "._"


def _split_in(stem: str) -> str:
    """The split that a file's name tells; "" for none."""
    if shard := _SHARD.fullmatch(stem):
        return _SPLITS.get(shard["split"], shard["split"])
    words = re.split(r"[^a-z]+", stem.lower())
    return next((_SPLITS[word] for word in words if word in _SPLITS), "")


def _below(folder: Path, pattern: str) -> list[Path]:
    """Files of that name in a folder or not far below it."""
    found: list[Path] = []
    for place, folders, files in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = sorted(n for n in folders if depth < _DEPTH and not n.startswith((".", "_")))
        found += [
            Path(place, name) for name in sorted(files) if fnmatch(name, pattern) and name[0] not in "._"
        ]
    return found


def _count(names: list[str], what: str) -> str:
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:_MOST]) + (" …" if len(names) > _MOST else "")


def named_split(folder: Path, splits: Mapping[str, list[Path]], split: str | None) -> list[Path]:
    """Return the files of a split, by default the only one. Raises `UsageError`, naming the splits."""
    if split is None and len(splits) == 1:
        return next(iter(splits.values()))
    listed = ", ".join(
        f"`{name}` ({_count([str(p) for p in files], 'file')})" for name, files in splits.items()
    )
    if split is None:
        first = "train" if "train" in splits else next(iter(splits))
        raise UsageError(
            f"{folder}: has the splits {listed}; name one: {folder}:{first}, or --split {first}"
        )
    if split not in splits:
        raise UsageError(f"{folder}: no split `{split}`; it has {listed}")
    return splits[split]
