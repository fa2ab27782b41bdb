"""What an arm of the proof comes to, over its seeds: gain, leak and the guards, from folders of `eval`."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from forms import ANY, Forms, leak
from numpy.typing import NDArray

from pairwright.folders.shards import read_tables

SAMPLES = 10_000
Rows = Mapping[str, Mapping[str, Any]]


class Gain(NamedTuple):
    """How often one model passes, and how much oftener another. Interval: 95 %."""

    before: float
    after: float
    gain: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"**{100 * self.gain:+.1f}** ({100 * self.low:+.1f} to {100 * self.high:+.1f})"


class Measured(NamedTuple):
    """Means over seeds. Intervals are over prompts and seeds."""

    gain: Gain
    by_seed: tuple[Gain, ...]
    """Intervals over prompts alone."""
    instructions: Gain | None
    """The same of single instructions, where a prompt may have several."""
    stray: tuple[float, float]
    """Share of answers with a form that was not asked for, before and after."""
    worst_leak: float
    """Largest rise of a form's share among the answers that were not asked for it."""
    leaked: str
    words: float
    """Words of an answer after training, beside one before."""
    words_where_ended: float
    """The same of prompts to which both answers ended: one cut at the limit has no length of its own."""
    ended: tuple[float, float]
    said: tuple[float, float]
    """Share of answers that say something, before and after: see `_says_something`."""
    meant: Gain
    """Of answers that pass and say something: a gain in forms around nothing is none."""
    distinct: float
    """Different pairs of neighbouring words among all, after training, beside before."""


def measured(
    folders: Sequence[Path],
    untrained: Path,
    forms: Forms,
    asked: Callable[[Mapping[str, Any]], list[str]],
) -> Measured:
    """Of the evaluations of one arm, one folder a seed, beside that of the untrained model."""
    before = answers(untrained)
    both = [(before, answers(folder)) for folder in folders]
    listed = [[[(_text(row), asked(row)) for row in rows.values()] for rows in pair] for pair in both]
    leaks = [[leak(answers, forms) for answers in pair] for pair in listed]
    rises = {form: np.mean([after[form] - before[form] for before, after in leaks]) for form in forms}
    leaked = max(rises, key=lambda form: rises[form])
    has_several = "instruction_id_list" in next(iter(both[0][0].values()))
    return Measured(
        gain=_gain(both, _passed),
        by_seed=tuple(_gain([pair], _passed) for pair in both),
        instructions=_gain(both, _followed) if has_several else None,
        stray=_sides(leaks, lambda shares: shares[ANY]),
        worst_leak=float(rises[leaked]),
        leaked=leaked,
        words=_mean_ratio(both, _words),
        words_where_ended=_mean_ratio([_both_ended(*pair) for pair in both], _words),
        ended=_sides(both, lambda rows: _mean(map(_ended, rows.values()))),
        said=_sides(both, lambda rows: _mean(map(_says_something, rows.values()))),
        meant=_gain(both, _meant),
        distinct=_mean_ratio(both, _distinct),
    )


def compared(folders: Sequence[Path], control: Sequence[Path]) -> tuple[Gain, Gain]:
    """How much oftener an arm passes than another of the same seeds; and passes and says something."""
    both = [(answers(theirs), answers(ours)) for ours, theirs in zip(folders, control, strict=True)]
    return _gain(both, _passed), _gain(both, _meant)


def _gain(
    both: Sequence[tuple[Rows, Rows]], counted: Callable[[Mapping[str, Any]], tuple[float, int]]
) -> Gain:
    """Of what is counted in each row, and of how many, over the prompts that both models answered."""
    prompts = sorted(set.intersection(*(set(rows) for pair in both for rows in pair)))
    hits = np.array([[[counted(m[p])[0] for p in prompts] for m in pair] for pair in both], float)
    weights_P = np.array([counted(both[0][0][p])[1] for p in prompts], float)
    before, after = (float(hits[:, side].mean(axis=0).sum() / weights_P.sum()) for side in (0, 1))
    low, high = _interval(hits[:, 1] - hits[:, 0], weights_P)
    return Gain(before, after, after - before, low, high)


def _passed(row: Mapping[str, Any]) -> tuple[float, int]:
    return float(row["passed"]), 1


def _meant(row: Mapping[str, Any]) -> tuple[float, int]:
    return float(row["passed"] and _says_something(row)), 1


def _followed(row: Mapping[str, Any]) -> tuple[float, int]:
    count = len(row["instruction_id_list"])
    return row["score"] * count, count


def answers(folder: Path) -> Rows:
    """Rows of an evaluation by prompt."""
    return {row["prompt_id"]: row for table in read_tables(folder) for row in table.to_pylist()}


def _interval(differences_SP: NDArray[np.float64], weights_P: NDArray[np.float64]) -> tuple[float, float]:
    """Quantiles over bootstrap samples of seeds and of prompts: both were drawn."""
    draw = np.random.default_rng(0)
    seeds, prompts = differences_SP.shape
    chosen_BS = draw.integers(0, seeds, (SAMPLES, seeds))
    counts_BP = draw.multinomial(prompts, np.full(prompts, 1 / prompts), SAMPLES).astype(float)
    sums_BS = counts_BP @ differences_SP.T
    means = np.take_along_axis(sums_BS, chosen_BS, axis=1).mean(axis=1) / (counts_BP @ weights_P)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _text(row: Mapping[str, Any]) -> str:
    return str(row["completion"][0]["content"])


def _mean(values: Iterable[bool]) -> float:
    return float(np.mean(list(values)))


def _sides(both: Sequence[Sequence[Any]], share: Callable[[Any], float]) -> tuple[float, float]:
    """Mean over seeds of something before, and after."""
    before, after = (float(np.mean([share(pair[side]) for pair in both])) for side in (0, 1))
    return before, after


def _says_something(row: Mapping[str, Any]) -> bool:
    """Five words that the prompt does not have, and no line twice: a form around nothing is no answer."""
    prompt, answer = row["prompt"][-1]["content"], row["completion"][0]["content"]
    own = set(re.findall(r"\w+", answer.lower())) - set(re.findall(r"\w+", prompt.lower()))
    lines = [line.strip() for line in answer.splitlines() if re.search(r"\w", line)]
    return len(own) >= 5 and len(lines) == len(set(lines))


def _mean_ratio(both: Sequence[tuple[Rows, Rows]], size: Any) -> float:
    texts = [[[_text(row) for row in rows.values()] for rows in pair] for pair in both]
    return float(np.mean([size(after) / max(size(before), 1e-9) for before, after in texts]))


def _ended(row: Mapping[str, Any]) -> bool:
    return bool(row["finish_reason"] == "stop")


def _both_ended(before: Rows, after: Rows) -> tuple[Rows, Rows]:
    ended = [p for p in before.keys() & after.keys() if _ended(before[p]) and _ended(after[p])]
    return {p: before[p] for p in ended}, {p: after[p] for p in ended}


def _words(answers: Sequence[str]) -> float:
    return float(np.mean([len(answer.split()) for answer in answers] or [np.nan]))


def _distinct(answers: Sequence[str]) -> float:
    pairs = [pair for answer in answers for pair in pairwise(answer.split())]
    return len(set(pairs)) / max(len(pairs), 1)
