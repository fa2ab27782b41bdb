"""`tournament.json`: the results of a tournament of several models, with intervals."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from judge.comparison.bradley_terry import (
    Array,
    Cycle,
    Pair,
    all_pairs,
    counts_of,
    cycles,
    field_points,
    fit,
    intervals,
    resampled,
    surprising,
)
from judge.comparison.config import WinrateConfig
from judge.comparison.correction import JudgeErrors
from judge.comparison.design import Standing, groups
from judge.comparison.statistics import fit_length, length_feature
from pairwright.errors import PairwrightError
from pairwright.figures.intervals import Interval, Rate, share, sign_test
from pairwright.folders.json_record import read_record
from pairwright.folders.manifest import Manifest
from pairwright.records import FAILED, Record

TOURNAMENT = "tournament.json"
_AGAIN = "make it with pairwright winrate … --fresh"
SIGNIFICANT = 0.05


class Placed(Record):
    """One of the models."""

    model: str
    name: str
    """`a`, `b` and so on, in the order in which they were named."""
    strength: Interval
    """In log-odds, the mean of all being 0."""
    points: Interval
    """What it would take from the others, on average over them: 1/2 is as good as they are."""
    mean_length: float
    """Of its answers, in characters."""


class Meeting(Record):
    """Two of the models."""

    a: str
    b: str
    prompts: int
    """With a verdict."""
    wins: int
    """Of a."""
    losses: int
    ties: int
    inconsistent: int
    unparsed: int
    win_rate: Rate
    """Points of a on the prompts where they met."""
    expected: float
    """The same by the strengths."""
    length_controlled: float | None = None
    """Win rate of a if its answers were as long as those of b."""
    corrected: Interval | None = None
    """Win rate of a with the judge's errors taken out (`--calibration`)."""
    better: str | None = None
    """Name of the better one; None where they cannot be told apart."""
    follows: bool = False
    """Whether that follows from other pairs."""
    p: float | None = None
    """Sign test, two-sided, adjusted for all pairs (Bonferroni); of tournaments on all prompts."""
    evidence: float | None = None
    """Capital of the wager against "neither is better"; of tournaments in rounds."""


class Circle(Record):
    """Models of which each is preferred to the next, and the last one to the first."""

    models: list[str]
    surprise: float
    """In standard errors from what strengths could say."""
    luck: bool
    """Whether it can be luck, at 5 % over all threes."""


class Tournament(Record):
    """The results of a tournament."""

    judge: str
    verdict: str
    """The order in words."""
    design: str
    error_rate: float
    """Most probability that any two are told apart wrongly."""
    prompts: int
    used: int
    """Prompts on which anybody met."""
    comparisons: int
    of: int
    """Comparisons of a tournament of everybody on every prompt."""
    failed: int
    places: list[Placed]
    """From best to worst."""
    groups: list[list[str]]
    """The same, those together who are not told apart from all above and below."""
    meetings: list[Meeting]
    circles: list[Circle] = Field(default_factory=list)
    agreement: Rate | None = None
    """Of the calibration that rates were corrected by."""
    mismatch: dict[str, int] = Field(default_factory=dict)
    """Prompts and answers that have no counterpart, by kind and name."""


def load_tournament(folder: Path) -> Tournament:
    """Return what a tournament wrote into a folder. Raises `PairwrightError` when it cannot be read."""
    found = read_record(folder / TOURNAMENT, Tournament, _AGAIN)
    if found is None:
        raise PairwrightError(f"{folder}: no {TOURNAMENT} here; {_AGAIN}")
    return found


def tournament_of(
    config: WinrateConfig,
    models: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    manifest: Manifest,
    standing: Standing,
    mismatch: Mapping[str, int],
    errors: JudgeErrors | None,
) -> Tournament:
    """Return the numbers of a finished tournament from its rows."""
    if not rows:
        raise PairwrightError(
            f"{config.out}: no prompt came to a verdict; the reasons are in {config.out}/dropped"
        )
    pairs = all_pairs(len(models))
    counts_PM3 = counts_of(_points(rows, models, pairs))
    counts_M3, sampled_BM3 = (
        counts_PM3.sum(axis=0),
        resampled(counts_PM3, config.bootstrap_samples, config.seed),
    )
    found, samples = fit(counts_M3[None], pairs, len(models)), fit(sampled_BM3, pairs, len(models))
    strengths = intervals(found.theta_BK[0], samples.theta_BK)
    points = intervals(field_points(found)[0], field_points(samples))
    order = [int(n) for n in np.argsort(-found.theta_BK[0], kind="stable")]
    names = [chr(ord("a") + n) for n in range(len(models))]
    lengths = _lengths(rows)
    meetings = _meetings(config, models, rows, found.expected_BKK()[0], standing, errors)
    better = {
        pair: 1 if m.better == m.a else -1 for pair, m in zip(pairs, meetings, strict=True) if m.better
    }
    told = [[models[n] for n in group] for group in groups(order, better)]
    circles = cycles(counts_M3, sampled_BM3, pairs, len(models))
    no_luck = surprising(circles, len(models))
    return Tournament(
        judge=config.judge or "",
        verdict=in_words(told, [_named(c, models) for c in no_luck]),
        design=config.design or ("sparse" if config.in_rounds else "all"),
        error_rate=config.until or SIGNIFICANT,
        prompts=manifest.items,
        used=len({row["prompt_id"] for row in rows}),
        comparisons=sum(m.prompts + m.unparsed for m in meetings),
        of=manifest.items * len(pairs),
        failed=manifest.counts.get(FAILED, 0),
        places=[
            Placed(
                model=models[n],
                name=names[n],
                strength=strengths[n],
                points=points[n],
                mean_length=float(np.mean(lengths.get(models[n], [0]))),
            )
            for n in order
        ],
        groups=told,
        meetings=meetings,
        circles=[
            Circle(models=_named(c, models), surprise=min(c.surprise, 1e6), luck=c not in no_luck)
            for c in circles
        ],
        agreement=errors and errors.agreement,
        mismatch={kind: count for kind, count in mismatch.items() if count},
    )


def in_words(told: Sequence[Sequence[str]], circles: Sequence[Sequence[str]]) -> str:
    """Sum up in one line which models are ahead of which, and whether that is an order."""
    line = " > ".join(" ~ ".join(group) for group in told)
    line += "; ~: not told apart" if any(len(group) > 1 for group in told) else ""
    if circles:
        first = " > ".join([*circles[0], circles[0][0]])
        line += f"; no order explains this: {first} (a significant cycle)"
    return line


def _meetings(
    config: WinrateConfig,
    models: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    expected_KK: Array,
    standing: Standing,
    errors: JudgeErrors | None,
) -> list[Meeting]:
    """Every pair; on all prompts by sign tests, in rounds by what the standing says."""
    of: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        of.setdefault((row["side_a"], row["side_b"]), []).append(row)
    told, direct = standing.better(), standing.better(direct=True)
    found = []
    for pair, wins in standing.wins.items():
        a, b = (models[n] for n in pair)
        p = min(1.0, sign_test(wins, standing.losses[pair]) * len(standing.wins))
        met = of.get((a, b), [])
        decisions = Counter(row["decision"] for row in met)
        read = [row for row in met if row["points"] is not None]
        points = [float(row["points"]) for row in read]
        side = told.get(pair, 0) if config.in_rounds else _sided(p, wins, standing.losses[pair])
        rate = share(points)
        found.append(
            Meeting(
                a=a,
                b=b,
                prompts=len(read),
                wins=wins,
                losses=standing.losses[pair],
                ties=len(read) - wins - standing.losses[pair],
                inconsistent=decisions["inconsistent"],
                unparsed=len(met) - len(read),
                win_rate=rate,
                expected=float(expected_KK[pair]),
                length_controlled=_length_controlled(read),
                corrected=errors and errors.corrected(read),
                better={1: a, -1: b}.get(side),
                follows=config.in_rounds and pair in told and pair not in direct,
                p=None if config.in_rounds else p,
                evidence=standing.evidence(pair) if config.in_rounds else None,
            )
        )
    return found


def _sided(p: float, wins: int, losses: int) -> int:
    return 0 if p >= SIGNIFICANT else (1 if wins > losses else -1)


def _length_controlled(rows: Sequence[Mapping[str, Any]]) -> float | None:
    if not rows:
        return None
    points, lengths = (np.array([float(row[n]) for row in rows]) for n in ("points", "length_difference"))
    return fit_length(points, length_feature(lengths)).win_rate


def _points(rows: Sequence[Mapping[str, Any]], models: Sequence[str], pairs: Sequence[Pair]) -> Array:
    """Points of the first of each pair on each prompt, (P, M); NaN where they did not meet."""
    prompts = {key: n for n, key in enumerate(dict.fromkeys(row["prompt_id"] for row in rows))}
    places = {(models[a], models[b]): n for n, (a, b) in enumerate(pairs)}
    points_PM = np.full((len(prompts), len(pairs)), np.nan)
    for row in rows:
        if row["points"] is not None:
            points_PM[prompts[row["prompt_id"]], places[row["side_a"], row["side_b"]]] = row["points"]
    return points_PM


def _lengths(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    seen: dict[str, dict[str, int]] = {}
    for row in rows:
        for side in "ab":
            text = row[f"answer_{side}"][0]["content"]
            seen.setdefault(row[f"side_{side}"], {})[row["prompt_id"]] = len(text)
    return {model: list(lengths.values()) for model, lengths in seen.items()}


def _named(cycle: Cycle, models: Sequence[str]) -> list[str]:
    return [models[n] for n in cycle.models]
