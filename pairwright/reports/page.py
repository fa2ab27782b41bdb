"""From figures and example rows to one page of HTML."""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairwright.figures.folder import Figures
from pairwright.figures.rows import RunRows
from pairwright.records import KEPT
from pairwright.reports.evaluations import evaluations
from pairwright.reports.examples import Shown, fitted
from pairwright.reports.sections import judging, measure_charts, round_charts, training_charts
from pairwright.reports.selections import selections
from pairwright.terminal.text import printable

if TYPE_CHECKING:
    from jinja2 import Template

_HERE = Path(__file__).parent
_MOST_BYTES = 2_300_000
"""Of example rows, so that the whole page stays under three megabytes."""
_FEW = 3
"""Examples shown under each status without any script."""


def render(figures: Sequence[Figures], examples: list[Shown]) -> str:
    """Return the page. Everything that came from data or models is escaped text in it, or inert JSON."""
    css = "".join((_HERE / name).read_text() for name in ("palette.css", "report.css"))
    script = (_HERE / "report.js").read_text()
    shown = fitted(examples, lambda some: len(inert(some).encode()), _MOST_BYTES)
    return _template().render(
        policy=_policy(css, script),
        css=css,
        script=script,
        figures=figures,
        names=[printable(name) for name in short_names([f.folder for f in figures])],
        funnels=[_funnel(f.rows, shown, run) for run, f in enumerate(figures) if f.rows],
        histograms=measure_charts(figures),
        judging=judging(figures),
        evaluations=evaluations(figures),
        selections=selections(figures),
        training=training_charts(figures),
        rounds=round_charts(figures),
        rows=shown,
        statuses=list(dict.fromkeys(row["status"] for row in shown)),
        rows_json=inert(shown),
    )


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = readable
    environment.filters["share"] = lambda value: "–" if value is None else f"{value:.1%}".replace("-", "−")
    return environment.get_template("report.html.j2")


def inert(value: Any) -> str:
    """Return a value as JSON that every HTML parser takes for text."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def readable(value: float | None) -> str:
    """Return a number rounded to the digits that matter."""
    if value is None:
        return "–"
    if isinstance(value, int) or abs(value) >= 1000 or abs(value) < 1e-9:
        return f"{value:,.0f}"
    return f"{value:.3g}".replace("-", "−")


def _policy(*sources: str) -> str:
    """What the page may do: be styled by our style, run our script, and fetch nothing at all."""
    style, script = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in sources)
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
        "base-uri 'none'; form-action 'none'"
    )


def short_names(folders: Sequence[str]) -> list[str]:
    """Return the last two parts of each path, where they tell the folders apart; else the whole paths."""
    short = [str(Path(*Path(folder).parts[-2:])) for folder in folders]
    return short if len(set(short)) == len(short) else list(folders)


def _funnel(rows: RunRows, shown: Iterable[Shown], run: int) -> dict[str, Any]:
    """Rows by status, with a few examples of each."""
    total = sum(rows.by_status.values())
    mine = [row for row in shown if row["run"] == run]
    steps = [
        {
            "status": status,
            "count": count,
            "share": count / total if total else 0,
            "kept": status == KEPT,
            "examples": [row for row in mine if row["status"] == status][:_FEW],
        }
        for status, count in rows.by_status.items()
    ]
    return {"run": run, "steps": steps}
