"""`pairwright split`: a run split into two parts that share no prompt."""

from pathlib import Path

from pydantic import Field
from rich.console import Console
from rich.text import Text

from pairwright.errors import UsageError
from pairwright.folders.durable import write_durably
from pairwright.folders.front_matter import with_front_matter
from pairwright.folders.shards import check_run_folder
from pairwright.records import content_hash
from pairwright.reports.card import CARD
from pairwright.sift.folder import SiftConfig, keep, sifted, write_run
from pairwright.sift.shingles import folded
from pairwright.sift.whole import Block, WholeRow

PARTS = ("train", "test")
_FRONT = {
    "configs": [
        {
            "config_name": "default",
            "data_files": [{"split": part, "path": f"{part}/data/*.parquet"} for part in PARTS],
        }
    ],
    "tags": ["pairwright"],
}
_CARD = """Two parts that have no prompt in common. `datasets.load_dataset` on this folder loads both,
as `train` and `test`. Each is a run folder too, and its own `README.md` says how it was made.
"""


class SplitConfig(SiftConfig):
    """Part rows into `OUT/train` and `OUT/test`, two run folders that have no prompt in common.

    Example: pairwright split runs/pairs --test_share 0.1 --out runs/parted
    """

    test_share: float = Field(default=0.1, gt=0, lt=1)
    """Share of the prompts that go to `test`."""
    seed: int = 0
    """Another number parts the prompts in another way."""


def split(config: SplitConfig) -> None:
    """Write both folders. Where a prompt goes depends on its text and the seed alone.

    Prompts that differ in white space or case only go the same way.
    """
    rows = config.rows
    counts = dict.fromkeys(PARTS, 0)
    for row in rows.whole():
        counts[part_of(row, config)] += 1
    empty = next((part for part, n in counts.items() if not n), None)
    if empty is not None:
        raise UsageError(
            f"{rows.info.path}: no prompt falls to {empty}; there are too few for "
            f"--test_share {config.test_share:g}"
        )
    for part in PARTS:
        check_run_folder(Path(config.out) / part)
    for part in PARTS:
        folder = Path(config.out) / part
        ended = (sifted(_of_part(block, part, config), keep) for block in rows.blocks())
        write_run(f"split ({part})", config, folder, rows, ended, counts[part])
        Console().print(Text(f"{folder}: {counts[part]:,} rows"))
    card = with_front_matter(_CARD, _FRONT)
    write_durably(Path(config.out) / CARD, card.encode())


def _of_part(block: Block, part: str, config: SplitConfig) -> Block:
    """The rows of a block that belong to a part."""
    places = [place for place, row in enumerate(block.rows()) if part_of(row, config) == part]
    return block.take(places)


def part_of(row: WholeRow, config: SplitConfig) -> str:
    """Return a row's part: `test` if its prompt's hash, as a number in [0, 1), is below the share.

    Rows that cannot be read are counted with the larger part.
    """
    if row.problem is not None:
        return PARTS[0]
    place = int(content_hash([config.seed, folded(row.prompt)])[:12], 16) / 16**12
    return "test" if place < config.test_share else "train"
