"""Selections for the terminal and the page: rules, measures, and pairs from both ends."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pairwright.figures.folder import Figures
from pairwright.figures.spread import shares
from pairwright.pairs.word_diff import pieces
from pairwright.reports.charts import histogram
from pairwright.reports.sections import Chart, Panel
from pairwright.terminal.text import printable

_ABOUT = {
    "ches_normalized": "CHES of mean hidden states: the higher, the more DPO pushes chosen down too",
    "ches": "CHES of summed hidden states",
    "implicit_margin": "β × difference of the log-ratios",
    "dcrm": "margin for what differs",
    "margin": "as the input has it",
    "length_difference": "tokens of chosen less those of rejected",
    "logp_chosen": "nats, summed over tokens",
    "logp_rejected": "nats, summed over tokens",
    "surprise_chosen": "nats a token that rejected has not",
    "surprise_rejected": "nats a token that chosen has not",
}


class Selected(NamedTuple):
    """One folder's selection."""

    run: int
    pairs: int
    kept: int
    down_weighted: int
    rules: list[Mapping[str, Any]]
    charts: list[Chart]
    """By measure, all pairs beside those that are kept."""
    ends: list[dict[str, Any]]
    """By measure, pairs with the lowest and the highest values."""


def in_numbers(selection: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of a selection as a table has room for: what each rule took, and medians."""
    medians = {
        f"median {name}/{which}": spread["median"]
        for name, spreads in selection["measures"].items()
        for which, spread in spreads.items()
        if spread is not None
    }
    taken = {f"taken by {rule['rule']}": rule["taken"] for rule in selection["rules"]}
    return {"pairs": selection["pairs"], "kept": selection["kept"], **taken, **medians}


def selections(figures: Sequence[Figures]) -> list[Selected]:
    """Return the selections of the folders that have one."""
    return [_selected(run, f.selection) for run, f in enumerate(figures) if f.selection]


def _selected(run: int, found: Mapping[str, Any]) -> Selected:
    return Selected(
        run=run,
        pairs=found["pairs"],
        kept=found["kept"],
        down_weighted=found["down_weighted"],
        rules=[rule | {"rule": printable(rule["rule"])} for rule in found["rules"]],
        charts=[_chart(run, name, spreads) for name, spreads in found["measures"].items()],
        ends=[_ends(name, ends) for name, ends in found["ends"].items()],
    )


def _chart(run: int, name: str, spreads: Mapping[str, Any]) -> Chart:
    """The measure of all pairs and of those that are kept, over the same bins and up to the same height."""
    there = {which: spread for which, spread in spreads.items() if spread is not None}
    top = max(max(shares(spread["bins"])) for spread in there.values())
    panels = []
    for which, spread in there.items():
        svg = histogram(spread["edges"], shares(spread["bins"]), top=top, median=spread["median"])
        numbers = " · ".join(f"{n} {spread[n]:,.3g}" for n in ("median", "p10", "p90"))
        panels.append(Panel(run, svg, f"{which}, {spread['rows']:,}: {numbers}".replace("-", "−")))
    return Chart(printable(name.replace("_", " ")), _ABOUT.get(name, ""), panels)


def _ends(name: str, ends: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": printable(name), **{which: [_shown(e) for e in ends[which]] for which in ends}}


def _shown(example: Mapping[str, Any]) -> dict[str, Any]:
    diff = pieces(example["rejected"], example["chosen"])
    return {
        "value": example["value"],
        "prompt": printable(example["prompt"]),
        "text": [(kind, printable(text)) for kind, text in diff],
    }
