"""Filters of a run's rows: by status, source, words, measures, and verdicts."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from pairwright.errors import UsageError
from pairwright.figures.rows import collect, columns_of, scan
from pairwright.folders.manifest import Manifest
from pairwright.records import KEPT

if TYPE_CHECKING:
    import polars as pl

NEAR = 0.1
"""A row is uncertain when one of its numbers is so near to what decided about it."""
MEASURES = ("margin", "kept_share", "edit_distance", "length_ratio")
"""Numbers of a row that can be asked for, beside the `preference` of judges."""


class Columns(Protocol):
    """The columns of rows that are no texts."""

    def __getitem__(self, name: str) -> "pl.Series": ...

    @property
    def preferences(self) -> np.ndarray: ...


class Indexed(Protocol):
    """The numbers of a run's rows (R of them), without their texts."""

    folder: Path
    manifest: Manifest
    kept: int
    """The first of them were kept, the others dropped."""

    def __len__(self) -> int: ...

    @property
    def index(self) -> "Columns": ...

    @property
    def distances(self) -> np.ndarray: ...

    @property
    def split(self) -> np.ndarray: ...


class Wanted(NamedTuple):
    """Which rows to show; all of it as text, as the page sends it."""

    status: str = KEPT
    """A status; `""` for all rows, `dropped` for all that were not kept."""
    source: str = ""
    state: str = ""
    """`open` for rows that nobody decided of, `contested` for those of which people decided different
    things, or a kind of decision."""
    phrase: str = ""
    """Text that the prompt or an answer holds, in any case."""
    doubt: str = ""
    """`near` for rows near the threshold of a gate or hardly preferred, `split` for those of which judges,
    or the two orders of one, said different things."""
    measure: str = ""
    """A measure, or `preference`, that lies between `low` and `high`, both included."""
    low: str = ""
    high: str = ""


def chosen_of(rows: Indexed, wanted: Wanted) -> np.ndarray:
    """Return which rows match (R,), whatever was decided of them. Raises `UsageError`."""
    chosen = np.ones(len(rows), bool)
    if wanted.status in (KEPT, "dropped"):
        chosen[rows.kept :] = wanted.status == "dropped"
        chosen[: rows.kept] = wanted.status == KEPT
    elif wanted.status:
        chosen &= (rows.index["status"] == wanted.status).to_numpy()
    if wanted.source:
        chosen &= (rows.index["source"] == wanted.source).fill_null(False).to_numpy()
    if wanted.doubt == "near":
        chosen &= rows.distances < NEAR
    elif wanted.doubt == "split":
        chosen &= rows.split
    if wanted.measure:
        chosen &= _between(rows, wanted)
    if wanted.phrase:
        chosen &= _holding(rows, wanted.phrase)
    return chosen


def _between(rows: Indexed, wanted: Wanted) -> np.ndarray:
    """Which rows have a measure between two numbers (R,)."""
    if wanted.measure not in (*MEASURES, "preference"):
        raise UsageError(f"{wanted.measure!r} is no measure: {', '.join((*MEASURES, 'preference'))}")
    try:
        low, high = float(wanted.low or "-inf"), float(wanted.high or "inf")
    except ValueError:
        raise UsageError("a measure lies between two numbers, such as 0.2 and 0.5") from None
    if wanted.measure == "preference":
        values = rows.index.preferences
    else:
        values = rows.index[wanted.measure].fill_null(np.nan).to_numpy()
    return (low <= values) & (values <= high)


def _holding(rows: Indexed, phrase: str) -> np.ndarray:
    """Which rows hold a phrase (R,): one pass over their texts, in a stream."""
    import polars as pl

    texts = [
        pl.col(name).list.eval(pl.element().struct.field("content")).list.join("\n", ignore_nulls=True)
        for name in ("prompt", "chosen", "rejected")
    ]
    text = pl.concat_str(texts, separator="\n", ignore_nulls=True).str.to_lowercase()
    return where(rows, text.str.contains(phrase.lower(), literal=True))


def split_votes(rows: Indexed) -> np.ndarray:
    """Return the rows on which judges' votes fall on both sides of one half, as booleans (R,)."""
    import polars as pl

    votes = pl.col("verdict").struct.field("votes").list.eval(pl.element().struct.field("probability"))
    return where(rows, (votes.list.min() < 0.5) & (votes.list.max() > 0.5), needs="verdict")


def where(rows: Indexed, condition: "pl.Expr", needs: str = "prompt") -> np.ndarray:
    """Return the rows for which an expression of polars holds (R,); none without the column it `needs`."""
    found = np.zeros(len(rows), bool)
    for part, place in (("data", slice(rows.kept)), ("dropped", slice(rows.kept, None))):
        frame = scan(rows.folder, rows.manifest, part)
        if frame is not None and needs in columns_of(frame, rows.folder):
            mask = frame.select(condition.fill_null(False).alias("is"))
            found[place] = collect(mask, rows.folder)["is"].to_numpy()
    return found
