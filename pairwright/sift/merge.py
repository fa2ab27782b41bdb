"""`pairwright merge`: several runs as one."""

from pairwright.folders.manifest import Manifest
from pairwright.records import DUPLICATE, KEPT, Ending, key_hash
from pairwright.sift.folder import SiftConfig, sift
from pairwright.sift.on_disk import OnDisk, encoded
from pairwright.sift.sorted_runs import Firsts
from pairwright.sift.whole import Block


class MergeConfig(SiftConfig):
    """Put the kept rows of several runs or files into one run folder; a row that is there twice stays once.

    Example: pairwright merge runs/first runs/second --out runs/both
    """


def merge(config: MergeConfig) -> Manifest:
    """Write all rows, in the order of the inputs. Rows with an id that was seen are `duplicate`."""
    seen, wheres = Firsts(), OnDisk()

    def sieve(block: Block) -> list[Ending]:
        own = wheres.add(list(map(encoded, block.wheres)))
        firsts = seen(map(key_hash, block.table["row_id"].to_pylist()))
        return [
            Ending(KEPT)
            if first == place
            else Ending(DUPLICATE, f"the same row as {wheres[first].decode()}")
            for place, first in zip(own, firsts, strict=True)
        ]

    return sift("merge", config, sieve)
