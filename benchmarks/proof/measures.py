"""What an arm of the proof comes to, over its seeds: gain, leak and the guards, from folders of `eval`."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from forms import leak
from numpy.typing import NDArray

from pairwright.folders.shards import read_tables

SAMPLES = 10_000
Rows = Mapping[str, Mapping[str, Any]]


class Measured(NamedTuple):
    """Means over seeds. Intervals are 95 %, over prompts and seeds."""

    seeds: int
    before: float
    after: float
    gain: float
    low: float
    high: float
    worst_leak: float
    """Largest rise of a form's share among the answers that were not asked for it."""
    leaked: str
    words: float
    """Words of an answer after training, beside one before."""
    ended: float
    said: tuple[float, float]
    """Share of answers that say something, before and after: see `_says_something`."""
    distinct: float
    """Different pairs of neighbouring words among all, after training, beside before."""


def measured(folders: Sequence[Path]) -> Measured:
    """Of the evaluations of one arm, one folder a seed, each of two models: untrained and trained."""
    both = [_by_model(folder) for folder in folders]
    prompts = sorted(both[0][0])
    passed = np.array([[[bool(m[p]["passed"]) for p in prompts] for m in pair] for pair in both], float)
    differences_SP = passed[:, 1] - passed[:, 0]
    low, high = _interval(differences_SP)
    leaks = [[leak(_answers(model)) for model in pair] for pair in both]
    rises = {form: np.mean([after[form] - before[form] for before, after in leaks]) for form in leaks[0][0]}
    leaked = max(rises, key=lambda form: rises[form])
    return Measured(
        seeds=len(folders),
        before=float(passed[:, 0].mean()),
        after=float(passed[:, 1].mean()),
        gain=float(differences_SP.mean()),
        low=low,
        high=high,
        worst_leak=float(rises[leaked]),
        leaked=leaked,
        words=_mean_ratio(both, _words),
        ended=float(np.mean([r["finish_reason"] == "stop" for _, after in both for r in after.values()])),
        said=(_said(model[0] for model in both), _said(model[1] for model in both)),
        distinct=_mean_ratio(both, _distinct),
    )


def _by_model(folder: Path) -> tuple[Rows, Rows]:
    """Rows of an evaluation by prompt, of the first model and of the second."""
    found: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for table in read_tables(folder):
        for row in table.to_pylist():
            found[row["completion_model"]][row["prompt_id"]] = row
    first, second = found.values()
    return first, second


def _interval(differences_SP: NDArray[np.float64]) -> tuple[float, float]:
    """Quantiles over bootstrap samples of seeds and of prompts: both were drawn."""
    draw = np.random.default_rng(0)
    seeds, prompts = differences_SP.shape
    means = [
        differences_SP[draw.integers(0, seeds, seeds)][:, draw.integers(0, prompts, prompts)].mean()
        for _ in range(SAMPLES)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _answers(rows: Rows) -> list[tuple[str, Sequence[str]]]:
    return [(row["completion"][0]["content"], row["instruction_id_list"]) for row in rows.values()]


def _said(models: Iterable[Rows]) -> float:
    return float(np.mean([_says_something(row) for rows in models for row in rows.values()]))


def _says_something(row: Mapping[str, Any]) -> bool:
    """Five words that the prompt does not have, and no line twice: a form around nothing is no answer."""
    prompt, answer = row["prompt"][-1]["content"], row["completion"][0]["content"]
    own = set(re.findall(r"\w+", answer.lower())) - set(re.findall(r"\w+", prompt.lower()))
    lines = [line.strip() for line in answer.splitlines() if re.search(r"\w", line)]
    return len(own) >= 5 and len(lines) == len(set(lines))


def _mean_ratio(both: Sequence[tuple[Rows, Rows]], size: Any) -> float:
    texts = [[[answer for answer, _ in _answers(rows)] for rows in pair] for pair in both]
    return float(np.mean([size(after) / max(size(before), 1e-9) for before, after in texts]))


def _words(answers: Sequence[str]) -> float:
    return float(np.mean([len(answer.split()) for answer in answers]))


def _distinct(answers: Sequence[str]) -> float:
    pairs = [pair for answer in answers for pair in pairwise(answer.split())]
    return len(set(pairs)) / max(len(pairs), 1)
