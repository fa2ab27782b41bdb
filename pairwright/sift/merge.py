"""`pairwright merge`: several runs as one."""

from pairwright.folders.manifest import Manifest
from pairwright.records import DUPLICATE, KEPT, Ending
from pairwright.sift.folder import SiftConfig, each, sift
from pairwright.sift.whole import WholeRow


class MergeConfig(SiftConfig):
    """Put the kept rows of several runs or files into one run folder; a row that is there twice stays once.

    Example: pairwright merge runs/first runs/second --out runs/both
    """


def merge(config: MergeConfig) -> Manifest:
    """Write all rows, in the order of the inputs. Rows with an id that was seen are `duplicate`."""
    seen: dict[str, str] = {}

    def sieve(row: WholeRow) -> Ending:
        row_id = row.columns["row_id"]
        if row_id in seen:
            return Ending(DUPLICATE, f"the same row as {seen[row_id]}")
        seen[row_id] = row.where
        return Ending(KEPT)

    return sift("merge", config, each(sieve))
