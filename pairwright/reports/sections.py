"""The drawn parts of the page: histograms, curves, rounds, and figures of judges."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pairwright.figures.folder import Figures
from pairwright.figures.rounds import flat
from pairwright.figures.spread import shares
from pairwright.figures.training import TrainingFigures
from pairwright.figures.verdicts import Verdicts
from pairwright.reports.charts import Line, histogram, lines, reliability

MEASURES = {
    "edit_distance": ("edit distance", "words edited, as a share of the longer answer"),
    "kept_share": ("kept share", "of the original's words, in order"),
    "length_ratio": ("length ratio", "words of chosen for each of rejected"),
    "margin": ("margin", "|2p − 1| over both orders"),
    "preference": ("verdict probability", "that chosen is better"),
    "jaccard": ("Jaccard", "distinct words in both, of those in either"),
    "token_levenshtein": ("words edited", "inserted, deleted or replaced"),
    "common_prefix": ("common prefix", "words from the start that are the same"),
    "answer_score": ("answer’s score", "by the verifiers, before revision"),
    "revision_score": ("revision’s score", "by the verifiers"),
    "score": ("reward", "by the reward model"),
    "completion_tokens": ("tokens", "generated for a row"),
}
_RATES = {
    "agreement": "agreement with the labels",
    "longest": "… of taking the longer answer",
    "kappa": "Cohen’s κ",
    "agreement_when_consistent": "… on consistent pairs",
    "agreement_when_kept": "… on pairs it would keep",
    "consistent": "swap consistency",
    "kept": "pairs it would keep",
    "first_position": "first position preferred",
    "longer_preferred": "longer answer preferred",
    "unparsed": "unparsed",
    "attack_success": "attacks that win a pair",
    "attack_success_per_verdict": "attacks that win a verdict",
    "calibration_error": "calibration error (ECE)",
    "outside_mass": "mass outside the labels",
}


class _Plot(NamedTuple):
    title: str
    about: str = ""
    metrics: tuple[tuple[str, str], ...] = ()
    """Metric and colour of each line."""


_PLOTS = (
    _Plot("loss", "what is minimised", (("loss", "accent"),)),
    _Plot(
        "log-ratios",
        "nats over the reference",
        (("logratios/chosen", "chosen"), ("logratios/rejected", "rejected")),
    ),
    _Plot("common mode", "did both answers sink together?", (("logratios/common_mode", "third"),)),
    _Plot("difference mode", "did they move apart?", (("logratios/difference_mode", "accent"),)),
    _Plot("chosen rose", "share of chosen that became likelier", (("logratios/chosen_rose", "chosen"),)),
    _Plot(
        "rewards",
        "what the loss compares",
        (("rewards/chosen", "chosen"), ("rewards/rejected", "rejected")),
    ),
    _Plot("margin", "reward of chosen over rejected", (("rewards/margins", "accent"),)),
    _Plot("accuracy", "share of pairs with chosen ahead", (("rewards/accuracies", "accent"),)),
    _Plot(
        "log-probabilities",
        "of whole answers",
        (("logps/chosen", "chosen"), ("logps/rejected", "rejected")),
    ),
    _Plot("SFT term", "before its weight", (("sft_loss", "third"),)),
    _Plot("gradient norm", "before clipping", (("grad_norm", "third"),)),
    _Plot("learning rate", "", (("learning_rate", "third"),)),
)
_LEFT_OUT = frozenset(
    f"{what}/{side}_per_token" for what in ("logps", "logratios") for side in ("chosen", "rejected")
)
"""Metrics that say the same as one that is drawn."""


class Panel(NamedTuple):
    """A drawing for one folder; none where it has nothing to draw."""

    run: int
    svg: str | None
    said: str = ""


class Chart(NamedTuple):
    """One drawing for each folder, on the same axes."""

    title: str
    about: str
    panels: list[Panel]


def measure_charts(figures: Sequence[Figures]) -> list[Chart]:
    """Return each measure over all runs: the same bins and the same height."""
    measured = {run: f.rows.measures for run, f in enumerate(figures) if f.rows and f.rows.measures}
    found = []
    for name, (title, about) in MEASURES.items():
        spreads = {run: measures.get(name) for run, measures in measured.items()}
        if not any(spreads.values()):
            continue
        top = max(max(shares(s.bins)) for s in spreads.values() if s is not None)
        panels = []
        for run, s in spreads.items():
            if s is None:
                panels.append(Panel(run, None))
                continue
            said = f"median {s.median:,.3g} · p10 {s.p10:,.3g} · p90 {s.p90:,.3g}"
            panels.append(Panel(run, histogram(s.edges, shares(s.bins), top=top, median=s.median), said))
        found.append(Chart(title, about, panels))
    return found


def training_charts(figures: Sequence[Figures]) -> list[Chart]:
    """Return curves of training with held-out values beside them, on the same axes for every folder."""
    trainings = {run: f.training for run, f in enumerate(figures) if f.training}
    named = {name for t in trainings.values() for name in (*t.curves, *t.held_out)}
    others = sorted(named - {name for plot in _PLOTS for name, _ in plot.metrics} - _LEFT_OUT)
    plots = [*_PLOTS, *(_Plot(name, "", ((name, "third"),)) for name in others)]
    charts = (_chart(plot, {run: _curves(plot, t) for run, t in trainings.items()}) for plot in plots)
    return [chart for chart in charts if chart is not None]


def round_charts(figures: Sequence[Figures]) -> list[Chart]:
    """Return every number of a round that ever changes as a line over rounds."""
    rounds = {run: f.rounds for run, f in enumerate(figures) if f.rounds}
    charts = []
    for name in dict.fromkeys(name for r in rounds.values() for name in r.numbers):
        every = {value for r in rounds.values() for value in r.numbers.get(name, ()) if value is not None}
        if len(every) < 2:
            continue
        found = {run: [Line("last", r.rounds, r.numbers.get(name, ()))] for run, r in rounds.items()}
        charts.append(_chart(_Plot(name), found))
    return [chart for chart in charts if chart is not None]


def _curves(plot: _Plot, training: TrainingFigures) -> list[Line]:
    found = []
    for name, colour in plot.metrics:
        label = f"{name.partition('/')[2]} " if len(plot.metrics) > 1 else ""
        for curves, when in ((training.curves, "last"), (training.held_out, "held out")):
            if (curve := curves.get(name)) is not None:
                dashed = curves is training.held_out
                found.append(Line(label + when, curve.steps, curve.values, colour, dashed))
    return found


def _chart(plot: _Plot, by_folder: Mapping[int, list[Line]]) -> Chart | None:
    every = [line for found in by_folder.values() for line in found]
    values = [v for line in every for v in line.values if v is not None]
    steps = [s for line in every for s in line.steps]
    if not values:
        return None
    limits, ends = (min(values), max(values)), (min(steps), max(steps))
    panels = []
    for run, found in by_folder.items():
        drawn = [line for line in found if any(v is not None for v in line.values)]
        svg = lines(drawn, limits=limits, ends=ends) if drawn else None
        panels.append(Panel(run, svg, " · ".join(map(_last, drawn))))
    return Chart(plot.title, plot.about, panels)


def _last(line: Line) -> str:
    value = next(v for v in reversed(line.values) if v is not None)
    return f"{line.label} {value:.3g}".replace("-", "−")


class Judging(NamedTuple):
    """The figures of judges in one folder."""

    run: int
    verdicts: Verdicts | None
    tables: list[dict[str, Any]]
    """What commands measured: rates with intervals, plain numbers, and a verdict in words."""
    reliability: str | None
    """Where labels say which side is right: in a calibration."""


def judging(figures: Sequence[Figures]) -> list[Judging]:
    """Return habits of judges, calibrations and win rates, of the folders that have some."""
    found = []
    for run, f in enumerate(figures):
        verdicts = f.rows.verdicts if f.rows else None
        measured = (("Calibration", f.calibration), ("Win rate", f.winrate), ("Reward model", f.reward))
        tables = [{"title": title, **_measured(values)} for title, values in measured if values]
        if verdicts is not None or tables:
            drawing = _reliability(verdicts) if verdicts is not None and f.calibration else None
            found.append(Judging(run, verdicts, tables, drawing))
    return found


def _reliability(verdicts: Verdicts) -> str | None:
    points = [(b.confidence, b.accuracy, b.rows) for b in verdicts.bins if b is not None]
    return reliability(points) if points else None


def _measured(measured: Mapping[str, Any]) -> dict[str, Any]:
    rates: list[dict[str, Any]] = []
    numbers: list[tuple[str, float]] = []
    values = dict(flat(measured))
    for name in [*_RATES, *(name for name in values if name not in _RATES)]:
        title = _RATES.get(name, name.replace("_", " "))
        match values.get(name):
            case [float() | int() as rate, float() | int() as low, float() | int() as high, int() as n]:
                rates.append({"name": title, "value": rate, "low": low, "high": high, "n": n})
            case [float() | int() as rate, float() | int() as low, float() | int() as high]:
                rates.append({"name": title, "value": rate, "low": low, "high": high, "n": None})
            case bool():
                continue
            case int() | float() as value:
                numbers.append((title, value))
    return {"rates": rates, "numbers": numbers, "verdict": measured.get("verdict")}
