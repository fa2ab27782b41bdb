"""The result of a command in Python: the folder it wrote, and readers of its content."""

import os
from collections.abc import Mapping
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from pairwright.errors import UsageError
from pairwright.inputs.quiet import without_progress_bars

if TYPE_CHECKING:
    import datasets
    import polars as pl

    from pairwright.figures.folder import Figures

_SHOWN = 5
"""Rows in a notebook's table."""


class Result(os.PathLike[str]):
    """The outcome of a command; taken wherever a path is."""

    def __init__(self, folder: Path | None, text: str = "", value: object = None) -> None:
        self.text = text
        """What the command line would have shown: a preview, a table, an examination."""
        self._folder = folder
        self._value = value

    @property
    def folder(self) -> Path:
        """The folder, or the file, that was written. Raises `UsageError` when nothing was."""
        if self._folder is None or not self._folder.exists():
            raise UsageError("this result has no folder: nothing was written (a preview, or a dry run)")
        return self._folder

    @property
    def counts(self) -> dict[str, int]:
        """Rows by status, of a run; pairs, tokens and updates, of a training."""
        found = self._counts
        return dict(found) if isinstance(found, Mapping) else {}

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of every metric of a training."""
        return dict(getattr(self._value, "metrics", {}))

    @cached_property
    def figures(self) -> "Figures":
        """Everything that `pairwright stats` knows of the folder."""
        from pairwright.figures.folder import figures_of

        return figures_of(self.folder)

    def frame(self) -> "pl.DataFrame":
        """Return the kept rows as a polars frame.

        Raises `UsageError` for a folder without rows, `PairwrightError` for a damaged one.
        """
        return self._rows("data")

    def dropped(self) -> "pl.DataFrame":
        """Return the dropped rows, each with its `status` and `reason`."""
        import polars as pl

        rows = self._rows("dropped")
        return rows if rows.width else rows.with_columns(status=pl.lit(""), reason=pl.lit("")).clear()

    def dataset(self) -> "datasets.Dataset":
        """Return the kept rows as a `datasets.Dataset`, memory-mapped from disk."""
        import datasets

        files = sorted(map(str, (self._run() / "data").glob("*.parquet")))
        if not files:
            raise UsageError(f"{self.folder}: no row was kept; dropped() has the others with their reasons")
        with without_progress_bars():
            return datasets.Dataset.from_parquet(files)

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {count:,}" for name, count in self.counts.items())
        return f"<{self._folder or 'nothing written'}{': ' if counts else ''}{counts}>"

    def _repr_html_(self) -> str:
        """A table for notebooks: how the rows ended, and the first of those that were kept; or a page."""
        if (page := getattr(self._value, "_repr_html_", None)) is not None:
            return str(page())
        if self._folder is None or not self._folder.exists():
            return f"<pre>{escape(self.text)}</pre>"
        head = f"<p><code>{escape(str(self._folder))}</code></p>"
        metrics = {name: round(value, 4) for name, value in self.metrics.items()}
        named: Mapping[str, float] = self.counts or metrics
        body = "".join(f"<tr><td>{escape(n)}</td><td>{value:,}</td></tr>" for n, value in named.items())
        shown = f"<table>{body}</table>" if body else f"<pre>{escape(self.text)}</pre>"
        return head + shown + self._first_rows()

    def _first_rows(self) -> str:
        if not any((self.folder / "data").glob("*.parquet")):
            return ""
        rows = self.frame().head(_SHOWN)
        names = [n for n in ("prompt", "completion", "rejected", "chosen") if n in rows.columns]
        head = "".join(f"<th>{name}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_last_text(row[name]))}</td>" for name in names) + "</tr>"
            for row in rows.iter_rows(named=True)
        )
        return f"<table><tr>{head}</tr>{body}</table>" if names else ""

    @cached_property
    def _counts(self) -> object:
        """Read once, from what the command returned or from the run's own record."""
        counts = getattr(self._value, "counts", None)
        if counts is None and hasattr(self._value, "updates"):
            counts = {name: getattr(self._value, name) for name in ("pairs", "held_out_pairs", "updates")}
        return counts

    def _run(self) -> Path:
        """The folder, which is a run. Raises `UsageError` that says what else it holds."""
        from pairwright.folders.manifest import MANIFEST
        from pairwright.inputs.layouts import what_it_holds

        if self.folder.is_dir() and not (self.folder / MANIFEST).exists():
            raise UsageError(f"{self.folder}: has no rows of its own; {what_it_holds(self.folder)}")
        return self.folder

    def _rows(self, part: str) -> "pl.DataFrame":
        import polars as pl

        from pairwright.folders.shards import read_tables

        tables = [pl.from_arrow(t.replace_schema_metadata()) for t in read_tables(self._run(), part)]
        frames = [table for table in tables if isinstance(table, pl.DataFrame)]
        return pl.concat(frames, how="diagonal") if frames else pl.DataFrame()


def _last_text(messages: object) -> str:
    """The last message of a conversation, as far as a table has room for it."""
    last = messages[-1]["content"] if isinstance(messages, list) and messages else messages
    text = str(last)
    return text if len(text) <= 300 else f"{text[:300]}…"
