"""A sweep as a table, best first, and as a plot."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pairwright.reports.charts import picture
from train.rounds.table import as_rich, write_markdown, write_rows
from train.selection.hyperparameters.record import Point, SweepRecord, best_of, lower_is_better

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = {
    "pass_rate": ("pass", "{:.1%}"),
    "eval_rewards/accuracies": ("accuracy", "{:.3f}"),
    "eval_rewards/margins": ("margin", "{:+.3f}"),
    "eval_loss": ("loss", "{:.4f}"),
    "eval_logratios/chosen": ("chosen", "{:+.2f}"),
    "eval_logratios/rejected": ("rejected", "{:+.2f}"),
}


def write_table(folder: Path, record: SweepRecord) -> None:
    """Write `table.jsonl`, `table.md` and `sweep.png`."""
    rows = _rows(record)
    write_rows(folder, rows)
    write_markdown(folder, rows, _columns(record))
    plot(folder / "sweep.png", record)


def show(record: SweepRecord) -> None:
    """Show the table and name the best point."""
    console = Console()
    console.print(as_rich(_rows(record), _columns(record)))
    if best := best_of(record):
        value = best.metrics[record.by]
        console.print(f"best by {record.by} ({value:.4g}): {best.name}, in {best.folder}", soft_wrap=True)


def _rows(record: SweepRecord) -> list[dict[str, Any]]:
    sign = 1 if lower_is_better(record.by) else -1
    worst = float("inf")
    ordered = sorted(
        record.points, key=lambda p: sign * p.metrics[record.by] if record.by in p.metrics else worst
    )
    return [p.metrics | p.values | {"point": p.name, "failure": p.failure} for p in ordered]


def _columns(record: SweepRecord) -> Mapping[str, tuple[str, str]]:
    swept = {name: (name, "{}") for name in (record.points[0].values if record.points else ())}
    by = {} if record.by in _SHOWN else {record.by: (record.by, "{:.4g}")}
    return swept | by | _SHOWN | {"failure": ("failure", "{:.60}")}


def plot(path: Path, record: SweepRecord) -> None:
    """Plot the metric against each setting that differs, a panel each."""
    sound = [point for point in record.points if record.by in point.metrics]
    names = list(record.points[0].values) if record.points else []
    if not sound or not names:
        return
    room = {"left": 0.16 / len(names) + 0.02, "right": 0.98, "bottom": 0.17, "top": 0.93, "wspace": 0.3}
    with picture(path, (4.2 * len(names), 3.6), 1, len(names), **room) as panels:
        for axes, name in zip(panels, names, strict=True):
            _panel(axes, name, sound, record.by)


def _panel(axes: "Axes", name: str, points: Sequence[Point], by: str) -> None:
    """Points, joined where all other settings are the same."""
    numbers = all(_number(point.values[name]) is not None for point in points)
    lines: dict[str, list[tuple[Any, float]]] = {}
    for point in points:
        others = ", ".join(f"{n} {v}" for n, v in point.values.items() if n != name)
        x = _number(point.values[name]) if numbers else point.values[name]
        lines.setdefault(others, []).append((x, point.metrics[by]))
    for label, found in lines.items():
        xs, ys = zip(*(sorted(found) if numbers else found), strict=True)
        axes.plot(xs, ys, marker="o", markersize=4, linewidth=1, label=label)
    if numbers and min(_number(point.values[name]) or 0 for point in points) > 0:
        axes.set_xscale("log")
    axes.set(xlabel=name, ylabel=by)
    if 1 < len(lines) <= 8:
        axes.legend(frameon=False, fontsize=7)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
