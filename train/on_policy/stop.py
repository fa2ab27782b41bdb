"""Early stopping of a loop, by its measures."""

import math
from collections.abc import Sequence

from pairwright.figures.intervals import Rate, wilson
from train.on_policy.config import LoopLookConfig
from train.rounds.table import Measures


def reason_to_stop(rows: Sequence[Measures], config: LoopLookConfig) -> str | None:
    """Return in one sentence why no round should follow these, or None; `rows[0]` is the start."""
    signs = (_pass_rate_fell, _win_rate_fell, _contradictions_rose)
    return next((reason for sign in signs if (reason := sign(rows, config))), None)


def _pass_rate_fell(rows: Sequence[Measures], config: LoopLookConfig) -> str | None:
    last = rows[-1] if rows else {}
    if not config.stop_below_best or last.get("from_best_high") is None or last["from_best_high"] >= 0:
        return None
    low, high = (f"{100 * last[f'from_best_{end}']:+.1f}" for end in ("low", "high"))
    return (
        f"round {last['round']} passes {last['pass_rate']:.1%} of the prompts, "
        f"{100 * last['from_best']:+.1f} points from the best so far ({low} to {high}; stop_below_best)"
    )


def _win_rate_fell(rows: Sequence[Measures], config: LoopLookConfig) -> str | None:
    rated = [row for row in rows if row.get("win_rate") is not None]
    if len(rated) < 2:
        return None
    best, last = max(rated, key=lambda row: float(row["win_rate"])), rated[-1]
    high = last.get("win_rate_from_best_high")
    if best["win_rate"] - last["win_rate"] <= config.stop_win_rate or high is None or high >= 0:
        return None
    low, high = (f"{100 * last[f'win_rate_from_best_{end}']:+.1f}" for end in ("low", "high"))
    what = "the start" if best["round"] == 0 else f"round {best['round']}"
    return (
        f"the win rate against the start fell to {last['win_rate']:.3f} in round {last['round']}, from "
        f"{best['win_rate']:.3f} of {what}, the best so far ({low} to {high} points, prompt by prompt; "
        f"stop_win_rate {config.stop_win_rate:g})"
    )


def _contradictions_rose(rows: Sequence[Measures], config: LoopLookConfig) -> str | None:
    judged = [row for row in rows if row.get("contradictions") is not None]
    if len(judged) < 2:
        return None
    first, last = judged[0], judged[-1]
    rise = last["contradictions"] - first["contradictions"]
    if rise <= config.stop_contradictions or _least_rise(first, last) <= 0:
        return None
    return (
        f"the judge contradicts itself on {last['contradictions']:.0%} of pairs in round {last['round']}, "
        f"{first['contradictions']:.0%} in round {first['round']} "
        f"(stop_contradictions {config.stop_contradictions:g})"
    )


def _least_rise(first: Measures, last: Measures) -> float:
    """The lower end of the 95 % interval of the rise, after Newcombe (1998), method 10."""
    before, after = (
        wilson(row["contradictions"] * row["verdicts"], row["verdicts"])
        if row.get("verdicts")
        else Rate(row["contradictions"], 0.0, 1.0, 0)
        for row in (first, last)
    )
    rise: float = last["contradictions"] - first["contradictions"]
    return rise - math.hypot(last["contradictions"] - after.low, before.high - first["contradictions"])
