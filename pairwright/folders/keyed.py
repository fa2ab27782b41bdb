"""Numbers by key on disk, that any number of runs share and add to at once.

FOLDER/about.json                  what the numbers are of, in words
FOLDER/part-….parquet              key and numbers; a file for each time that something new was found
"""

import io
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pairwright.errors import PairwrightError
from pairwright.folders.cache import cache_folder
from pairwright.folders.durable import write_durably
from pairwright.folders.shards import read_parquet
from pairwright.records import content_hash

KEY = pa.field("key", pa.binary(16))


def shared_folder(place: str, name: str) -> Path:
    """Return the folder that the user names, or `name` in the user's cache where `place` is empty."""
    return Path(place).expanduser() if place else cache_folder() / name


class KeyedNumbers:
    """Numbers by the hash of what they were computed from, of this run and earlier ones."""

    def __init__(self, root: Path, identity: Mapping[str, Any], numbers: pa.Schema) -> None:
        """`identity` says what the numbers are of: another one finds nothing that is not its own."""
        self.folder = root / content_hash(dict(identity))[:16]
        self._identity = dict(identity)
        self._schema = pa.schema([KEY, *numbers])

    def find(self, keys: Sequence[bytes]) -> dict[bytes, tuple[float, ...]]:
        """Return the numbers of each key that is known.

        Raises `PairwrightError`, naming the file, for one that is damaged.
        """
        found: dict[bytes, tuple[float, ...]] = {}
        wanted = pa.array(keys, KEY.type)
        for path in sorted(self.folder.glob("part-*.parquet")):
            try:
                table = read_parquet(path).select(self._schema.names).cast(self._schema)
            except (OSError, KeyError, pa.ArrowException) as error:
                raise PairwrightError(
                    f"{path} is damaged ({error}); delete it, and what it held is computed again"
                ) from error
            table = table.filter(pc.is_in(table["key"], value_set=wanted))
            first, *numbers = (column.to_pylist() for column in table.columns)
            found |= dict(zip(first, zip(*numbers, strict=True), strict=True))
        return found

    def add(self, keys: Sequence[bytes], *numbers: Sequence[float]) -> None:
        """Store new numbers in a file of their own."""
        if not keys:
            return
        table = pa.table([keys, *numbers], schema=self._schema)
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "about.json").exists():
            about = json.dumps(self._identity, indent=1, sort_keys=True, ensure_ascii=False)
            write_durably(self.folder / "about.json", about.encode())
        write_durably(self.folder / f"part-{uuid.uuid4().hex[:12]}.parquet", sink.getvalue())
