"""Data sets of the Hugging Face hub as a source of records."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairwright.errors import UsageError
from pairwright.hub import go_offline_if_unreachable
from pairwright.inputs.source import CHUNK, plain_schema

if TYPE_CHECKING:
    import datasets


class HubDataset:
    """A split of a data set, downloaded once and read from the cache."""

    def __init__(self, name: str, split: str) -> None:
        self._name = f"{name}:{split}"
        self._rows = _load(name, split).with_format("arrow")
        self.schema = plain_schema(self._rows.data.schema)

    def sha256(self) -> str:
        """Hash of the name, the revision and the size.

        The cache keeps each revision in a folder of its own.
        """
        revisions = sorted({Path(f["filename"]).parent.name for f in self._rows.cache_files})
        known = json.dumps([self._name, revisions, len(self._rows)])
        return hashlib.sha256(known.encode()).hexdigest()

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        number = 0
        for table in self._rows.iter(batch_size=CHUNK):
            for record in table.cast(self.schema).to_pylist():
                number += 1
                yield f"{self._name} row {number}", record


def _load(name: str, split: str) -> "datasets.Dataset":
    go_offline_if_unreachable()
    import datasets

    datasets.logging.set_verbosity_error()
    try:
        return datasets.load_dataset(name, split=split)
    except Exception as error:  # the hub client raises many kinds, all of them about this name
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"{name}: no such file or folder, and not to be had as a data set of the hub ({reason})"
        ) from None
