"""Several sources, one after the other."""

import hashlib
import json
from collections.abc import Iterator, Sequence

import pyarrow as pa

from pairwright.errors import UsageError
from pairwright.inputs.source import Piece, Record, Source, unified


class Joined(Source):
    """Several sources as one."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        owned = [source.own for source in sources]
        self.own = frozenset().union(*(own or () for own in owned)) if None not in owned else None
        self._now: Source = sources[0]
        typed = {source: source.schema for source in sources if source.schema is not None}
        try:
            if typed:
                self.known = unified(list(typed.values()), [source.valueless for source in typed])
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise UsageError(f"the inputs have a column of one name and two types ({error})") from None
        self.schema = self.known if len(typed) == len(sources) else None

    def own_now(self) -> frozenset[str] | None:
        """Return the run's own columns of the source of the last record."""
        return self._now.own

    def readable(self) -> Iterator[tuple[str, Record | UsageError]]:
        """Yield every record of every source, or its error."""
        return (entry for source in self._each() for entry in source.readable())

    def pieces(self) -> Iterator[Piece]:
        """Yield the same, in columns where they are kept so."""
        return (piece for source in self._each() for piece in source.pieces())

    def _each(self) -> Iterator[Source]:
        for source in self._sources:
            self._now = source
            yield source

    def sha256(self) -> str:
        """Return the hash of the sources' hashes, in order."""
        return hashlib.sha256(json.dumps([s.sha256() for s in self._sources]).encode()).hexdigest()
