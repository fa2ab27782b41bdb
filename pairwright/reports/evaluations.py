"""Evaluations for the terminal and the page: rates by model, and prompts side by side."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pairwright.figures.folder import Figures
from pairwright.terminal.text import printable

_NUMBERS = ("mcnemar", "won", "lost", "mean_score", "mean_tokens", "mean_characters")
_LONGEST = 1500
"""Characters shown of a prompt or an answer."""


class Panel(NamedTuple):
    """One folder's evaluation."""

    run: int
    verdict: str
    rates: list[dict[str, Any]]
    numbers: list[tuple[str, list[Any]]]
    """A measure, and its value for each model."""
    models: list[str]
    compared: list[dict[str, Any]]
    """For each further model, prompts that it won and lost, with both answers."""


def by_model(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of an evaluation under the name of each model."""
    left_out = ("model", "prompts")
    return {"verdict": evaluation["verdict"], "prompts": evaluation["prompts"]} | {
        model["model"]: {n: v for n, v in model.items() if n not in left_out and v is not None}
        for model in evaluation["models"]
    }


def evaluations(figures: Sequence[Figures]) -> list[Panel]:
    """Return the evaluations of the folders that have one."""
    return [_panel(run, f.evaluation) for run, f in enumerate(figures) if f.evaluation]


def _panel(run: int, found: Mapping[str, Any]) -> Panel:
    models = found["models"]
    rates = [_rate(f"pass rate of {m['model']}", m["pass_rate"], found["prompts"]) for m in models]
    rates += [
        _rate(f"{m['model']} above the first", m["difference"], found["prompts"])
        for m in models
        if m["difference"] is not None
    ]
    for column, groups in found["by"].items():
        for value, measured in groups.items():
            name = f"{column} {value}" if column != value else column
            rates += [_rate(f"{name}: {m['model']}", m["pass_rate"], m["prompts"]) for m in measured]
    numbers = [(name.replace("_", " "), [m[name] for m in models]) for name in _NUMBERS]
    return Panel(
        run=run,
        verdict=printable(found["verdict"]),
        rates=rates,
        numbers=numbers,
        models=[printable(m["model"]) for m in models],
        compared=[_compared(models[0]["model"], pair) for pair in found["examples"]],
    )


def _rate(name: str, interval: Sequence[float], n: int) -> dict[str, Any]:
    value, low, high = interval
    return {"name": printable(name), "value": value, "low": low, "high": high, "n": n}


def _compared(first: str, pair: Mapping[str, Any]) -> dict[str, Any]:
    sides = {
        name: [{part: _cut(text) for part, text in example.items()} for example in pair[name]]
        for name in ("won", "lost")
    }
    return {"first": printable(first), "model": printable(pair["model"]), **sides}


def _cut(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
