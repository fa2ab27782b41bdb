"""`pairwright dedup`: rows that repeat another row."""

import hashlib
from collections.abc import Sequence
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pairwright.folders.manifest import Manifest
from pairwright.records import DUPLICATE, KEPT, Ending
from pairwright.sift.folder import SiftConfig, sift
from pairwright.sift.shingles import split_folded
from pairwright.sift.sketches import LENGTH, Hashes, Sketch, Sketcher, jaccard
from pairwright.sift.whole import Block


class DedupConfig(SiftConfig):
    """Drop rows that repeat another one, word for word or nearly; the first of them stays.

    Example: pairwright dedup runs/pairs --out runs/unique
    """

    on: Literal["row", "prompt"] = "row"
    """`row`: the prompt with its answers. `prompt`: one row a prompt stays, whatever the answers."""
    near: float = Field(default=0.8, gt=0, le=1)
    """Share of runs of three words that two rows have in common when they are nearly the same; 1 drops
    exact repeats only (white space and case aside)."""


def dedup(config: DedupConfig) -> Manifest:
    """Write the rows; those that repeat another are `duplicate`."""
    return sift("dedup", config, Duplicates(config))


class _Kept(NamedTuple):
    """A row that stayed."""

    where: str
    shingles: Hashes


class Duplicates:
    """Remembers the rows that stayed.

    Near ones are found by MinHash and locality-sensitive hashing, which may miss some, and then measured,
    so that no row is dropped that is not as near as was said.
    """

    def __init__(self, config: DedupConfig) -> None:
        self._config = config
        self._exact: dict[bytes, str] = {}
        self._kept: list[_Kept] = []
        self._bands: dict[int, int | list[int]] = {}
        """The rows that stayed, by their bands: the place of one, or of several."""
        self._sketcher = Sketcher(config.near) if config.near < 1 else None

    def __call__(self, block: Block) -> list[Ending]:
        return self.look(block.wheres, block.prompts() if self._config.on == "prompt" else block.texts())

    def look(self, wheres: Sequence[str], texts: pa.StringArray) -> list[Ending]:
        """Return how rows end, by what they say and what was said before."""
        split = split_folded(texts)
        whole = pc.binary_join(split, " ").cast(pa.binary()).to_pylist()
        sketches = self._sketcher(split) if self._sketcher else [None] * len(whole)
        return [
            self._twice(where, text) or self._nearly(where, sketch)
            for where, text, sketch in zip(wheres, whole, sketches, strict=True)
        ]

    def _twice(self, where: str, text: bytes) -> Ending | None:
        """How a row ends that says what one before it says, white space and case aside."""
        first = self._exact.setdefault(hashlib.sha256(text).digest()[:16], where)
        return None if first is where else Ending(DUPLICATE, f"says what {first} says")

    def _nearly(self, where: str, sketch: Sketch | None) -> Ending:
        """How a row ends that nobody before it repeats."""
        if sketch is None:
            return Ending(KEPT)
        place, known = len(self._kept), self._bands
        met = [(band, other) for band in sketch.bands if (other := known.setdefault(band, place)) != place]
        if met:
            places = sorted(
                {p for _, found in met for p in (found if isinstance(found, list) else [found])}
            )
            shares = [jaccard(sketch.shingles, self._kept[place].shingles) for place in places]
            most = max(shares)
            if most >= self._config.near:
                for band in {*sketch.bands} - {band for band, _ in met}:
                    del known[band]
                nearest = self._kept[places[shares.index(most)]].where
                return Ending(DUPLICATE, f"shares {most:.0%} of its runs of {LENGTH} words with {nearest}")
            for band, found in met:
                known[band] = [*found, place] if isinstance(found, list) else [found, place]
        self._kept.append(_Kept(where, sketch.shingles.copy()))
        return Ending(KEPT)
