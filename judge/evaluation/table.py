"""The tables of an evaluation on a terminal."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from judge.evaluation.measures import Evaluation, ModelMeasures
from pairwright.figures.intervals import Interval
from pairwright.terminal.text import printable


def evaluation_tables(found: Evaluation) -> Iterator[Table]:
    """Yield every model on all prompts; then by the values of the columns that were asked for."""
    again = f" ({found.repeats:,} of them repeats)" if found.repeats else ""
    yield _table(
        f"{found.prompts:,} prompts{again}, verified by {found.verify}", found, caption=found.verdict
    )
    for column, groups in found.by.items():
        table = Table(column, "prompts", *_names(found.models), title=f"pass rate by {printable(column)}")
        for value, models in groups.items():
            cells = [f"{m.pass_rate.value:.1%}{_beside(m)}" for m in models]
            table.add_row(printable(value), f"{models[0].prompts:,}", *cells)
        yield table


def _table(title: str, found: Evaluation, caption: str) -> Table:
    models = found.models
    table = Table("measure", *_names(models), title=printable(title), caption=printable(caption) or None)
    table.add_row("pass rate", *(_share(m.pass_rate) for m in models))
    if found.k is not None:
        table.add_row(f"pass@{found.k}", *(f"{m.pass_at_k or 0.0:.1%}" for m in models))
    if all(m.instructions is not None for m in models):
        table.add_row("instructions followed", *(f"{m.instructions or 0.0:.1%}" for m in models))
    if len(models) > 1:
        others = models[1:]
        table.add_row("difference to the first", "", *(_points(m.difference) for m in others))
        table.add_row("prompts won, lost", "", *(f"{m.won}, {m.lost}" for m in others))
        table.add_row("McNemar, two-sided p", "", *(f"{m.mcnemar:.3g}" for m in others))
    table.add_row("mean score", *(f"{m.mean_score:.3f}" for m in models))
    table.add_row("tokens, characters", *(f"{m.mean_tokens:.0f}, {m.mean_characters:.0f}" for m in models))
    table.add_row("ended by itself", *(f"{m.ended:.1%}" for m in models))
    if found.unscored or found.failed:
        table.add_row("unscored, failed prompts", f"{found.unscored:,}, {found.failed:,}")
    return table


def _names(models: Sequence[ModelMeasures]) -> list[str]:
    return [printable(model.model) for model in models]


def _share(interval: Interval) -> str:
    return f"{interval.value:.1%} ({interval.low:.1%} – {interval.high:.1%})"


def _points(interval: Interval | None) -> str:
    if interval is None:
        return ""
    value, low, high = (f"{100 * part:+.1f}" for part in interval)
    return f"{value} ({low} to {high})"


def _beside(model: ModelMeasures) -> str:
    return "" if model.difference is None else f" ({100 * model.difference.value:+.1f})"
