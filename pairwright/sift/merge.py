"""`pairwright merge`: several runs as one."""

from pairwright.folders.manifest import Manifest
from pairwright.records import DUPLICATE, KEPT, Ending
from pairwright.sift.folder import SiftConfig, sift
from pairwright.sift.whole import Block


class MergeConfig(SiftConfig):
    """Put the kept rows of several runs or files into one run folder; a row that is there twice stays once.

    Example: pairwright merge runs/first runs/second --out runs/both
    """


def merge(config: MergeConfig) -> Manifest:
    """Write all rows, in the order of the inputs. Rows with an id that was seen are `duplicate`."""
    seen: dict[str, str] = {}

    def sieve(block: Block) -> list[Ending]:
        ids = block.table["row_id"].to_pylist()
        firsts = [seen.setdefault(row_id, where) for row_id, where in zip(ids, block.wheres, strict=True)]
        return [
            Ending(KEPT) if first is where else Ending(DUPLICATE, f"the same row as {first}")
            for first, where in zip(firsts, block.wheres, strict=True)
        ]

    return sift("merge", config, sieve)
