"""The end of the demo: the gain and its price, answers side by side, and where to look further."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pairwright.figures.folder import Figures, figures_of
from pairwright.folders.shards import read_tables
from pairwright.records import KEPT
from pairwright.terminal.text import printable

_SHOWN = 3
"""Prompts whose answers are shown side by side."""


def show_outcome(console: Console, out: Path, seconds: float) -> None:
    """Print the results of the runs in `out`, `seconds` after the demo began."""
    asked, unasked = (_evaluation(out / name) for name in ("asked", "unasked"))
    console.print()
    table = _table(asked, unasked, figures_of(out / "pairs"), figures_of(out / "model"))
    reason, *counts = _commonest_failure(out / "asked", [model["model"] for model in asked["models"]])
    table.add_row(printable(f"failed: {reason}"), *counts)
    console.print(table)
    _show_answers(console, asked["examples"][0]["won"][:_SHOWN])
    console.print(
        f"\n{gain_in_words(asked, unasked)}\n\n"
        f"pairs: {out}/pairs · trained model: {out}/model · all answers: {out}/asked, {out}/unasked · "
        f"{seconds:,.0f} s in all\nopen {out}/report.html to look at all of it",
        highlight=False,
        soft_wrap=True,
    )


def gain_in_words(asked: Mapping[str, Any], unasked: Mapping[str, Any]) -> str:
    """Return the outcome in two sentences, from both evaluations."""
    (before, after), (clean_before, clean_after) = asked["models"], unasked["models"]
    gain, low, high = after["difference"]
    return (
        f"Pass rate on {asked['prompts']:,} held-out prompts: {before['pass_rate'][0]:.1%} → "
        f"{after['pass_rate'][0]:.1%}, {100 * gain:+.1f} points (95 % interval {100 * low:+.1f} to "
        f"{100 * high:+.1f}).\nAnswers with a form that nobody asked for, of {unasked['prompts']:,}: "
        f"{1 - clean_before['pass_rate'][0]:.1%} → {1 - clean_after['pass_rate'][0]:.1%}."
    )


def _evaluation(folder: Path) -> dict[str, Any]:
    found = figures_of(folder).evaluation
    assert found is not None
    return found


def _table(asked: Mapping[str, Any], unasked: Mapping[str, Any], pairs: Figures, model: Figures) -> Table:
    """What became of the rows, what training did to the pairs, and the rates before and after."""
    table = Table("what", "before", "after", title="what happened", title_justify="left")
    assert pairs.rows is not None
    counts = pairs.rows.by_status
    table.add_row("answers sampled", "", f"{sum(counts.values()):,}")
    table.add_row("repaired and verified; with mirrored pairs twice as many", "", f"{counts[KEPT]:,}")
    for status, count in sorted(counts.items(), key=lambda c: -c[1]):
        if status != KEPT:
            table.add_row(f"  left out: {status}", "", f"{count:,}")
    table.add_section()
    for side in ("chosen", "rejected"):
        curve = model.training.held_out.get(f"logratios/{side}") if model.training else None
        if curve is not None:
            ends = [f"{value:+.2f} nats" for value in (curve.values[0], curve.last)]
            table.add_row(f"log-ratio of {side} answers in held-out pairs", *ends)
    table.add_section()
    table.add_row("requests followed, held-out prompts", *_rates(asked["models"]))
    for form, models in asked["by"]["form"].items():
        table.add_row(f"  {form}", *_rates(models))
    table.add_row("no form unasked", *_rates(unasked["models"]))
    table.add_row("answers that ended by themselves", *(f"{m['ended']:.1%}" for m in asked["models"]))
    return table


def _commonest_failure(folder: Path, models: Sequence[str]) -> tuple[str, ...]:
    """What the verifier says most often of the last model's failures, and how often of each model's.

    A model may learn to please a verifier: this is where it shows.
    """
    reasons: dict[str, Counter[str]] = {model: Counter() for model in models}
    for table in read_tables(folder):
        for row in table.select(["completion_model", "passed", "feedback"]).to_pylist():
            if not row["passed"]:
                reasons[row["completion_model"]][row["feedback"] or "no words"] += 1
    commonest = max(reasons[models[-1]].items(), key=lambda c: (c[1], c[0]), default=("nothing", 0))[0]
    return commonest, *(f"{reasons[model][commonest]:,}" for model in models)


def _rates(models: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{model['pass_rate'][0]:.1%}" for model in models]


def _show_answers(console: Console, examples: Sequence[Mapping[str, str]]) -> None:
    for example in examples:
        table = Table(
            "before", "after", title=printable(example["prompt"]), title_justify="left", expand=True
        )
        table.add_row(*(printable(example[side]) for side in ("first", "other")))
        console.print()
        console.print(table, markup=False, highlight=False)
