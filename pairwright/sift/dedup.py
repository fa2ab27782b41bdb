"""`pairwright dedup`: rows that repeat another row."""

from typing import Literal

from pydantic import Field

from pairwright.folders.manifest import Manifest
from pairwright.inputs.columns import PAIR
from pairwright.inputs.conversations import Conversations
from pairwright.records import DUPLICATE, KEPT, Ending, key_hash
from pairwright.sift.folder import SiftConfig, sift
from pairwright.sift.neighbours import Near, Neighbours, Sides
from pairwright.sift.on_disk import OnDisk, encoded
from pairwright.sift.shingles import hashed, keys_of
from pairwright.sift.sketches import LENGTH
from pairwright.sift.sorted_runs import Firsts
from pairwright.sift.whole import Block

_NO_PAIR = (b"", b"")


class DedupConfig(SiftConfig):
    """Drop rows that repeat another one, word for word or nearly; the first of them stays.

    Example: pairwright dedup runs/pairs --out runs/unique
    """

    on: Literal["row", "prompt"] = "row"
    """`row`: the prompt with its answers. `prompt`: one row a prompt stays, whatever the answers."""
    near: float = Field(default=0.8, gt=0, le=1)
    """Share of runs of three words that two rows have in common when they are nearly the same; 1 drops
    exact repeats only (white space and case aside). A pair is no repeat of one that prefers the other way:
    that rejects what it chooses, or chooses what it rejects."""


def dedup(config: DedupConfig) -> Manifest:
    """Write the rows; those that repeat another are `duplicate`."""
    return sift("dedup", config, Duplicates(config))


class Duplicates:
    """Remembers the rows that stayed, at 60 bytes each and 250 where near ones count; texts are on disk.

    Near ones are found by MinHash and locality-sensitive hashing, which may miss some, and then measured,
    so that no row is dropped that is not as near as was said.
    """

    def __init__(self, config: DedupConfig) -> None:
        self._config = config
        self._exact = Firsts()
        self._wheres = OnDisk()
        self._near = Neighbours(config.near) if config.near < 1 else None

    def __call__(self, block: Block) -> list[Ending]:
        """Return how rows end, by what they say and what was said before."""
        said = block.prompts() if self._config.on == "prompt" else block.texts()
        texts = hashed(said.to_pylist())
        own = self._wheres.add(list(map(encoded, block.wheres)))
        firsts = self._exact(keys_of(texts))
        twice = [first != place for first, place in zip(firsts, own, strict=True)]
        nearest: list[Near | None] = [None] * len(own)
        if self._near:
            sides = _sides(block) if self._config.on == "row" else [_NO_PAIR] * len(own)
            nearest = self._near(texts, twice, sides)
        return [
            Ending(DUPLICATE, f"says what {self._where(first)} says")
            if again
            else Ending(KEPT)
            if near is None
            else Ending(
                DUPLICATE,
                f"shares {near.share:.0%} of its runs of {LENGTH} words with {self._where(near.place)}",
            )
            for again, first, near in zip(twice, firsts, nearest, strict=True)
        ]

    def _where(self, place: int) -> str:
        return self._wheres[place].decode()


def _sides(block: Block) -> list[Sides]:
    """Hashes of what each row prefers, and to what."""
    if not set(PAIR) <= set(block.table.schema.names):
        return [_NO_PAIR] * len(block.wheres)
    said = [Conversations(block.table[name].combine_chunks()).joined().to_pylist() for name in PAIR]
    chosen, rejected = ([key_hash(text) if text else b"" for text in side] for side in said)
    return list(zip(chosen, rejected, strict=True))
