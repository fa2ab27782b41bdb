"""`pairwright dedup`: rows that say what another row says already."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pairwright.folders.manifest import Manifest
from pairwright.records import DUPLICATE, KEPT, Ending, content_hash
from pairwright.sift.folder import SiftConfig, sift
from pairwright.sift.shingles import folded, jaccard, shingles
from pairwright.sift.whole import WholeRow

if TYPE_CHECKING:
    import numpy as np

_PERMUTATIONS = 128
_LENGTH = 3
"""Words in a shingle."""


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


class Duplicates:
    """Remembers the rows that stayed.

    Near ones are found by MinHash and locality-sensitive hashing (datasketch), which may miss some,
    and then measured, so that no row is dropped that is not as near as was said.
    """

    def __init__(self, config: DedupConfig) -> None:
        from datasketch import MinHash, MinHashLSH

        self._config = config
        self._exact: dict[str, str] = {}
        self._kept: list[tuple[str, np.ndarray]] = []
        # Drawn once: drawing them anew for each row took a third of the time.
        self._blank = MinHash(_PERMUTATIONS, hashfunc=_low_bits)
        # Recall matters more than speed: what is found is measured anyway.
        self._index = (
            MinHashLSH(config.near, _PERMUTATIONS, weights=(0.1, 0.9)) if config.near < 1 else None
        )

    def __call__(self, row: WholeRow) -> Ending:
        text = row.prompt if self._config.on == "prompt" else "\n\n".join(row.texts)
        exact = content_hash(folded(text))
        if exact in self._exact:
            return Ending(DUPLICATE, f"says what {self._exact[exact]} says")
        self._exact[exact] = row.where
        return Ending(KEPT) if self._index is None else self._nearly(row.where, text)

    def _nearly(self, where: str, text: str) -> Ending:
        assert self._index is not None
        found = shingles(text, _LENGTH)
        sketch = self._blank.copy()
        sketch.update_batch(found.tolist())
        near = {other: jaccard(found, self._kept[other][1]) for other in self._index.query(sketch)}
        other = max(near, key=lambda number: near[number], default=None)
        if other is not None and near[other] >= self._config.near:
            return Ending(
                DUPLICATE,
                f"shares {near[other]:.0%} of its runs of {_LENGTH} words with {self._kept[other][0]}",
            )
        self._index.insert(len(self._kept), sketch)  # a line may hold several rows
        self._kept.append((where, found))
        return Ending(KEPT)


def _low_bits(shingle: int) -> int:
    """As many bits as MinHash takes."""
    return shingle & 0xFFFFFFFF
