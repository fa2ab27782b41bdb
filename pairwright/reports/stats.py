"""`pairwright stats`: what a folder holds, in numbers."""

import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pairwright.config import OPERATIONAL, POSITIONAL, Config
from pairwright.reports.summary import statuses
from pairwright.terminal.text import printable

if TYPE_CHECKING:
    from pairwright.figures.folder import Figures
    from pairwright.figures.rows import Cost, Prices
    from pairwright.figures.training import TrainingFigures


class PriceConfig(Config):
    """What tokens cost."""

    group: ClassVar[str] = "Prices"

    prompt_price: float = Field(default=0, ge=0, allow_inf_nan=False, json_schema_extra=OPERATIONAL)
    """Your price for a million prompt tokens, in any currency; with it costs are shown."""
    completion_price: float = Field(default=0, ge=0, allow_inf_nan=False, json_schema_extra=OPERATIONAL)
    """Your price for a million completion tokens."""

    @property
    def prices(self) -> "Prices":
        """Both prices."""
        from pairwright.figures.rows import Prices

        return Prices(prompt=self.prompt_price, completion=self.completion_price)


class FolderConfig(Config):
    """Which folder to look at."""

    run: Path = Field(json_schema_extra=POSITIONAL)
    """Folder of a run, of a training, of a game or of a loop."""


with warnings.catch_warnings():
    # pydantic's own `json` is long deprecated, and `--json` is what people type.
    warnings.simplefilter("ignore", UserWarning)

    class StatsConfig(PriceConfig, FolderConfig):
        """Show what a folder holds: rows by status, measures of pairs, verdicts, training curves, rounds.

        Example: pairwright stats runs/pairs
        """

        json: bool = Field(default=False, json_schema_extra=OPERATIONAL)  # type: ignore[assignment]
        """Print everything as one JSON object, histograms and curves included."""


def stats(config: StatsConfig) -> None:
    """Print the figures of a folder."""
    from pairwright.figures.folder import figures_of

    figures = figures_of(config.run, config.prices)
    if config.json:
        sys.stdout.write(figures.model_dump_json(indent=1) + "\n")
        return
    console = Console()
    for table in tables_of(figures):
        console.print(table)
    if figures.in_words:
        console.print(figures.in_words, highlight=False)


def tables_of(figures: "Figures") -> list[Table]:
    """Return the figures as tables for people."""
    from pairwright.reports.evaluations import by_model
    from pairwright.reports.selections import in_numbers

    found: list[Table] = []
    if (rows := figures.rows) is not None:
        caption = _caption(rows.cost)
        found.append(
            statuses(figures.folder, rows.stage, rows.complete, rows.by_status, rows.items, caption)
        )
        if rows.measures:
            table = Table("measure of kept rows", "median", "p10", "p90", "mean")
            for name, s in rows.measures.items():
                table.add_row(name, *(f"{v:,.3g}" for v in (s.median, s.p10, s.p90, s.mean)))
            found.append(table)
        if (verdicts := rows.verdicts) is not None:
            shares = {
                "swap consistency": verdicts.consistent,
                "first position preferred": verdicts.first_position,
                "mass outside the labels": verdicts.outside_mass,
            }
            table = Table("verdicts", f"over {verdicts.rows + verdicts.unparsed:,} judged rows")
            table.add_row("unparsed", f"{verdicts.unparsed:,}")
            for name, value in shares.items():
                table.add_row(name, "–" if value is None else f"{value:.3f}")
            found.append(table)
    measured = {
        "calibration": figures.calibration,
        "win rate": figures.winrate,
        "evaluation": by_model(figures.evaluation) if figures.evaluation else None,
        "reward model": figures.reward,
        "selection": in_numbers(figures.selection) if figures.selection else None,
    }
    found += [_measured(title, values) for title, values in measured.items() if values]
    if figures.training is not None:
        found.append(_training(figures.folder, figures.training))
    if figures.rounds is not None:
        rounds = figures.rounds
        table = Table("round", *map(str, rounds.rounds), title=Text(figures.folder))
        for name, values in rounds.numbers.items():
            table.add_row(Text(printable(name)), *("–" if v is None else f"{v:,.4g}" for v in values))
        found.append(table)
    return found


def _caption(cost: "Cost") -> str:
    parts = [f"{cost.completion_tokens:,} tokens generated", f"{cost.seconds:,.0f} s"]
    if cost.tokens_per_kept is not None and cost.seconds_per_kept is not None:
        parts.append(
            f"each kept row: {cost.tokens_per_kept:,.0f} tokens read and generated, "
            f"{cost.seconds_per_kept:,.3g} s"
        )
    if cost.money is not None:
        each = "" if cost.money_per_kept is None else f", {cost.money_per_kept:.3g} each kept row"
        parts.append(f"cost {cost.money:,.2f}{each}")
    return " · ".join(parts)


def _measured(title: str, measured: Mapping[str, object]) -> Table:
    """Whatever a command measured: rates with their intervals, numbers, and its verdict in words."""
    from pairwright.figures.rounds import flat

    table = Table(title, "value", "95 % interval", "of")
    for name, value in flat(measured):
        match value:
            case [float() | int() as rate, float() | int() as low, float() | int() as high, int() as n]:
                table.add_row(Text(name), f"{rate:.1%}", f"{low:.1%} – {high:.1%}", f"{n:,}")
            case [float() | int() as rate, float() | int() as low, float() | int() as high]:
                table.add_row(Text(name), f"{rate:.1%}", f"{low:.1%} – {high:.1%}", "")
            case bool() | str():
                table.add_row(Text(name), Text(printable(str(value))), "", "")
            case int() | float():
                table.add_row(Text(name), f"{value:,.4g}", "", "")
    return table


def _training(folder: str, training: "TrainingFigures") -> Table:
    """First and last value of each curve, held-out beside training."""
    state = "" if training.finished else " (unfinished)"
    table = Table(
        "metric", "first", "last", "held out first", "last", title=Text(f"{folder}: training{state}")
    )
    for name in dict.fromkeys([*training.curves, *training.held_out]):
        cells = []
        for curves in (training.curves, training.held_out):
            curve = curves.get(name)
            cells += [f"{v:,.4g}" for v in (curve.values[0], curve.last)] if curve else ["", ""]
        table.add_row(Text(printable(name)), *cells)
    return table
