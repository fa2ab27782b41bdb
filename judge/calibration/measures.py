"""The measures of a judge on labelled pairs, from the rows of a run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from judge.calibration.agreement import kappa, plain_verdict, point
from judge.calibration.calibration import Beside, Calibration, Effect
from judge.calibration.perturbations import COLUMN as PERTURBATIONS
from judge.calibration.perturbations import turned
from judge.calibration.suites import ADVERSARIAL
from judge.jury.verdict import side
from pairwright.figures.intervals import Rate, mean_interval, share, wilson
from pairwright.figures.verdicts import added_up, calibration_error, verdict_expressions
from pairwright.records import FAILED, KEPT


def measured(
    tables: Iterable[pa.Table], judges: dict[str, str], min_margin: float, by: str | None = None
) -> Calibration:
    """Return the judges' calibration from the rows of a run, without failed rows and ties."""
    import polars as pl

    rows: list[dict[str, Any]] = []
    parts = []
    for table in tables:
        rows += table.to_pylist()
        verdicts = pl.DataFrame(table.select(["verdict"]))
        parts.append(verdicts.select(verdict_expressions()).row(0, named=True))
    total = added_up(parts)
    ordered = int(total["ordered"])
    failed = sum(row.get("status") == FAILED for row in rows)
    rows = [row for row in rows if row.get("status") in (None, "unparsed")]
    read = [row for row in rows if row.get("status") is None]
    by_judge = [point(row["verdict"]["preference"]) for row in read]
    by_length = [longest_point(row) for row in read]
    marked = list(zip(read, by_judge, strict=True))
    return Calibration(
        judges=judges,
        verdict=plain_verdict(by_judge, by_length),
        pairs=len(rows),
        failed=failed,
        agreement=share(by_judge),
        kappa=kappa(share(by_judge)),
        points=share(_points(row, p) for row, p in marked),
        points_by_model=_points_by_model(marked),
        min_margin=min_margin,
        agreement_when_consistent=share(
            p for row, p in marked if _has_order(row) and row["verdict"]["consistent"]
        ),
        agreement_when_kept=share(p for row, p in marked if row["decision"] == KEPT),
        consistent=wilson(total["consistent"], ordered),
        kept=share(float(row["decision"] == KEPT) for row in rows),
        first_position=wilson(total["first"], ordered),
        longer_preferred=share(_longer_point(row) for row in read),
        outside_mass=total["mass"] / total["masses"] if total["masses"] else None,
        unparsed=wilson(total["unparsed"], len(rows)),
        longest=share(by_length),
        calibration_error=calibration_error(total),
        by_value={} if by is None else _by_value(marked, by),
        by_perturbation=_by_perturbation(read),
        **_attacked(read),
    )


def _points(row: Mapping[str, Any], agreement: float) -> float:
    return agreement if row["decision"] == KEPT else 0.5


def _points_by_model(marked: Sequence[tuple[dict[str, Any], float]]) -> dict[str, Rate]:
    pairs = {frozenset((row["chosen_model"], row["rejected_model"])) for row, _ in marked}
    if len(pairs) != 1 or None in (models := next(iter(pairs))) or len(models) != 2:
        return {}
    of = {model: [_points(row, p) for row, p in marked if row["chosen_model"] == model] for model in models}
    return {model: share(points) for model, points in sorted(of.items())} if all(of.values()) else {}


def _by_value(marked: Sequence[tuple[dict[str, Any], float]], column: str) -> dict[str, Beside]:
    of: dict[str, list[tuple[dict[str, Any], float]]] = {}
    for row, p in marked:
        value = row.get(column, row.get(f"input_{column}"))  # as one with a name of ours is carried
        of.setdefault(str(value), []).append((row, p))
    parts = [value for value in of if value.startswith(f"{ADVERSARIAL}: ")]
    if len(parts) > 1:
        of[ADVERSARIAL] = [pair for value in parts for pair in of[value]]
    return {
        value: Beside(
            agreement=share(p for _, p in some), longest=share(longest_point(row) for row, _ in some)
        )
        for value, some in sorted(of.items())
    }


def _by_perturbation(rows: Sequence[Mapping[str, Any]]) -> dict[str, Effect]:
    of: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for change in row.get(PERTURBATIONS.name) or ():
            if change["after"] is not None:
                of.setdefault(change["name"], []).append((change["before"], change["after"]))
    return {
        name: Effect(
            turned=share(float(turned(before, after)) for before, after in found),
            shift=mean_interval([after - before for before, after in found]),
            agreement=share(point(after) for _, after in found),
        )
        for name, found in of.items()
    }


def longest_point(row: Mapping[str, Any]) -> float:
    """Return the points of always taking the longer answer (in characters) on a labelled pair."""
    chosen, rejected = (len(row[side][0]["content"]) for side in ("chosen", "rejected"))
    return 0.5 if chosen == rejected else float(chosen > rejected)


def _longer_point(row: Mapping[str, Any]) -> float:
    """Whether the judge takes the longer answer; half when it or the lengths are undecided."""
    return 0.5 + 2 * (longest_point(row) - 0.5) * (point(row["verdict"]["preference"]) - 0.5)


def _has_order(row: Mapping[str, Any]) -> bool:
    """Whether some verdict on a pair has an order; ratings have none."""
    votes = row["verdict"]["votes"]
    return any(v["chosen_first"] is not None and v["probability"] is not None for v in votes)


def _attacked(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    trials = [attack for row in rows for attack in row["attacks"] or ()]
    if not trials:
        return {}
    won = [(t["name"], float(t["preference"] is not None and side(t["preference"]) < 0)) for t in trials]
    names = dict.fromkeys(name for name, _ in won)
    verdicts = sum(t["verdicts"] for t in trials)
    fooled = sum(t["fooled"] for t in trials)
    return {
        "attack_success": share(w for _, w in won),
        "attack_success_per_verdict": share([1.0] * fooled + [0.0] * (verdicts - fooled)),
        "by_attack": {name: share(w for n, w in won if n == name) for name in sorted(names)},
    }
