"""Data sets as `datasets` has them, from the hub or saved to disk, as a source of records."""

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from pairwright.errors import UsageError
from pairwright.inputs.layouts import named_split
from pairwright.inputs.quiet import without_progress_bars
from pairwright.inputs.source import CHUNK, ArrowSource, Chunk, plain_schema
from pairwright.models.hub import go_offline_if_unreachable
from pairwright.terminal.text import is_spoken_to_log

if TYPE_CHECKING:
    import datasets


class DatasetRows(ArrowSource):
    """A split of a data set, read from Arrow files on disk."""

    def __init__(self, name: str, rows: "datasets.Dataset") -> None:
        self._name = name
        self._rows = rows.with_format("arrow")
        self.schema = plain_schema(self._rows.data.schema)

    def sha256(self) -> str:
        """Return the hash of the name, the revision and the size.

        The cache keeps each revision in a folder of its own.
        """
        revisions = sorted({Path(f["filename"]).parent.name for f in self._rows.cache_files})
        known = json.dumps([self._name, revisions, len(self._rows)])
        return hashlib.sha256(known.encode()).hexdigest()

    def pieces(self) -> Iterator[Chunk]:
        """Yield every row: Arrow is read whole or not at all."""
        number = 0
        for table in self._rows.iter(batch_size=CHUNK):
            for batch in table.cast(self.schema).to_batches():
                yield Chunk(self._name, number + 1, batch)
                number += batch.num_rows


def from_hub(name: str, split: str) -> DatasetRows:
    """Return a split of a data set of the hub, downloaded once. Raises `UsageError` if it is not to be had.

    `name` may end in `@REVISION`, a branch, tag or commit, and `split` be `CONFIG/SPLIT`.
    """
    dataset, _, revision = name.partition("@")
    config, _, part = split.rpartition("/")
    go_offline_if_unreachable()
    import datasets

    datasets.logging.set_verbosity_error()
    watched = sys.stderr.isatty() and not is_spoken_to_log()
    try:
        with nullcontext() if watched else without_progress_bars():
            rows = datasets.load_dataset(dataset, config or None, split=part, revision=revision or None)
    except Exception as error:  # the hub client raises many kinds, all of them about this name
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"{name}: no such file or folder, and the hub gives no such data set ({reason})"
        ) from None
    return DatasetRows(f"{name}:{split}", rows)


def is_saved(folder: Path) -> bool:
    """Return whether a folder is what `save_to_disk` of `datasets` writes."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def saved(folder: Path, split: str | None) -> DatasetRows:
    """Return a data set that was saved to disk. Raises `UsageError` where a split has to be named."""
    import datasets

    if (folder / "dataset_dict.json").is_file():
        splits = {p.name: [p] for p in sorted(folder.iterdir()) if (p / "state.json").is_file()}
        [folder] = named_split(folder, splits, split)
    elif split is not None:
        raise UsageError(f"{folder}: is one data set without splits; name no split")
    try:
        return DatasetRows(str(folder), datasets.load_from_disk(str(folder)))
    except Exception as error:  # of any kind, and all about this folder
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{folder}: cannot be read as a saved data set ({reason})") from None
