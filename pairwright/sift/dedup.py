"""`pairwright dedup`: rows that repeat another row."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from pairwright.folders.manifest import Manifest
from pairwright.records import DUPLICATE, KEPT, Ending
from pairwright.sift.folder import SiftConfig, sift
from pairwright.sift.shingles import folded
from pairwright.sift.whole import WholeRow

if TYPE_CHECKING:
    from pairwright.sift.sketches import Hashes, Sketch


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
    shingles: "Hashes"


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
        self._sketcher = None
        if config.near < 1:
            from pairwright.sift.sketches import Sketcher

            self._sketcher = Sketcher(config.near)

    def __call__(self, rows: Sequence[WholeRow]) -> list[Ending]:
        alone = self._config.on == "prompt"
        texts = [folded(row.prompt if alone else "\n\n".join(row.texts)) for row in rows]
        sketches = self._sketcher(texts) if self._sketcher else [None] * len(texts)
        return [
            self._twice(row.where, text) or self._nearly(row.where, sketch)
            for row, text, sketch in zip(rows, texts, sketches, strict=True)
        ]

    def _twice(self, where: str, text: str) -> Ending | None:
        """How a row ends that says what one before it says, white space and case aside."""
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
        if key in self._exact:
            return Ending(DUPLICATE, f"says what {self._exact[key]} says")
        self._exact[key] = where
        return None

    def _nearly(self, where: str, sketch: "Sketch | None") -> Ending:
        """How a row ends that nobody before it repeats."""
        if sketch is None:
            return Ending(KEPT)
        from pairwright.sift.sketches import LENGTH, jaccard

        alike = [place for band in sketch.bands if (place := self._bands.get(band)) is not None]
        if alike:
            places = sorted({p for found in alike for p in (found if isinstance(found, list) else [found])})
            shares = [jaccard(sketch.shingles, self._kept[place].shingles) for place in places]
            most = max(shares)
            if most >= self._config.near:
                other = self._kept[places[shares.index(most)]].where
                return Ending(DUPLICATE, f"shares {most:.0%} of its runs of {LENGTH} words with {other}")
        place = len(self._kept)
        self._kept.append(_Kept(where, sketch.shingles.copy()))
        for band in sketch.bands:
            before = self._bands.setdefault(band, place)
            if isinstance(before, list):
                before.append(place)
            elif before != place:
                self._bands[band] = [before, place]
        return Ending(KEPT)
