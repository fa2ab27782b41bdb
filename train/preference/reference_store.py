"""Reference log-probabilities on disk, shared by all runs that have the same reference.

STORE/NAME/about.json              what the reference is, in words
STORE/NAME/part-….parquet          key, logp (nats), tokens; a file for each run that found something new

NAME is a hash of the weights and of the numerics that they are run with; a key is a hash of the token
ids of a prompt and an answer. So another output folder, learning rate, beta or loss finds everything,
and another template, truncation, model or number format finds nothing that is not its own.
"""

import hashlib
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
from train.forward.answers import Answer

NONE = "none"
_SCHEMA = pa.schema([("key", pa.binary(16)), ("logp", pa.float32()), ("tokens", pa.int32())])


class ReferenceStore:
    """What one reference said of answers, in this run and in earlier ones."""

    def __init__(self, place: str, identity: Mapping[str, Any]) -> None:
        """`place` is a folder; the user's cache when empty. `identity` says what the reference is."""
        root = Path(place).expanduser() if place else cache_folder() / "reference"
        self.folder = root / content_hash(dict(identity))[:16]
        self._identity = dict(identity)

    def known(self, answers: Sequence[Answer]) -> list[float | None]:
        """The log-probability of each answer, where it is known.

        Raises `PairwrightError`, naming the file, for one that is damaged.
        """
        keys = [key_of(answer) for answer in answers]
        found: dict[bytes, float] = {}
        wanted = pa.array(keys, pa.binary(16))
        for path in sorted(self.folder.glob("part-*.parquet")):
            try:
                table = read_parquet(path).select(_SCHEMA.names).cast(_SCHEMA)
            except (OSError, KeyError, pa.ArrowException) as error:
                raise PairwrightError(
                    f"{path} is damaged ({error}); delete it, and what it held is computed again"
                ) from error
            table = table.filter(pc.is_in(table["key"], value_set=wanted))
            found |= dict(zip(table["key"].to_pylist(), table["logp"].to_pylist(), strict=True))
        return [found.get(key) for key in keys]

    def add(self, answers: Sequence[Answer], logps: Sequence[float]) -> None:
        """Keep what was found of answers, in a file of its own: any number of runs may add at once."""
        if not answers:
            return
        table = pa.table(
            {
                "key": [key_of(answer) for answer in answers],
                "logp": logps,
                "tokens": [len(answer.answer_ids) for answer in answers],
            },
            schema=_SCHEMA,
        )
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        about = json.dumps(self._identity, indent=1, sort_keys=True, ensure_ascii=False)
        write_durably(self.folder / "about.json", about.encode())
        write_durably(self.folder / f"part-{uuid.uuid4().hex[:12]}.parquet", sink.getvalue())


def key_of(answer: Answer) -> bytes:
    """Hash of the token ids of a prompt and an answer: 16 bytes."""
    digest = hashlib.blake2b(len(answer.prompt_tokens).to_bytes(8, "little"), digest_size=16)
    for ids in answer:
        digest.update(ids.astype("<i4").tobytes())
    return digest.digest()
