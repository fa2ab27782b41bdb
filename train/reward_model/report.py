"""The report on rewards of pairs: accuracy, calibration, and both without length.

`reward.json` holds the numbers, `reliability.png` and `rewards.png` show them. Definitions are those
of the paper's official code (Linear95/APO): https://arxiv.org/abs/2311.08045
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pairwright.figures.intervals import wilson
from pairwright.folders.durable import write_durably
from train.devices.processes import say
from train.forward.logprobs import answers_of
from train.forward.rewards import all_scores
from train.forward.support import tree_support
from train.reward_model.pairs import RewardPair, pairs_of
from train.trainer.batches import deal
from train.trainer.passes import by_answer

REPORT = "reward.json"
_HISTOGRAM_BINS = 20
Floats = npt.NDArray[np.float64]


class PairScores(NamedTuple):
    """Rewards of P pairs, and the tokens of their answers."""

    chosen: Floats
    rejected: Floats
    chosen_tokens: Floats
    rejected_tokens: Floats
    subsets: tuple[str, ...] = ()
    """Which of several parts each pair is of, where they are told apart."""

    @classmethod
    def of(cls, pairs: Sequence[RewardPair], rewards_P2: Tensor) -> "PairScores":
        """Return the scores of P pairs from the rewards (P, 2) of their answers, on the CPU."""
        tokens = [[len(ids) for ids in pair.sides.values()] for pair in pairs]
        lengths = np.array(tokens, dtype=np.float64).reshape(-1, 2)
        subsets = tuple(pair.subset for pair in pairs)
        scores = cls(*rewards_P2.double().numpy().T, *lengths.T)
        return scores._replace(subsets=subsets if any(subsets) else ())


class Calibration(NamedTuple):
    """Predicted probabilities against what happened, bin by bin."""

    ece: float
    ace: float
    mce: float
    predicted: list[float]
    """Mean probability of each bin that is not empty."""
    observed: list[float]
    """Share of true labels in it."""
    counts: list[int]


def calibration(chosen: Floats, rejected: Floats, bins: int) -> Calibration:
    """Return the calibration of sigma(difference of rewards), each pair in both orders.

    p = sigma(r_j - r_i), label = whether j is preferred; `bins` uniform bins over [0, 1], closed on
    the right. ECE = sum over bins |sum p - sum label| / N; ACE is the mean, over bins that are not
    empty, of |mean p - mean label| (nothing adaptive); MCE is the largest of those. As both orders
    are counted, the ECE of an even number of bins is the confidence-ECE of half as many over [1/2, 1].
    """
    margins = np.concatenate([chosen - rejected, rejected - chosen])
    labels = np.repeat([1.0, 0.0], len(chosen))
    chances = np.exp(-np.logaddexp(0.0, -margins))
    edges = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    places = np.searchsorted(edges, chances, side="left")  # p on an edge belongs to the bin below it
    counts = np.bincount(places, minlength=bins)
    predicted = np.bincount(places, chances, minlength=bins)
    observed = np.bincount(places, labels, minlength=bins)
    full = counts > 0
    gaps = np.abs(predicted[full] - observed[full]) / counts[full]
    return Calibration(
        ece=float(np.abs(predicted - observed).sum() / len(margins)),
        ace=float(gaps.mean()),
        mce=float(gaps.max()),
        predicted=(predicted[full] / counts[full]).tolist(),
        observed=(observed[full] / counts[full]).tolist(),
        counts=counts[full].tolist(),
    )


def without_length(scores: PairScores) -> tuple[float, Floats]:
    """Return the reward per token of length, and the margins that are left without it.

    Least squares through the origin of reward differences on length differences, within pairs, so
    that neither the prompts nor which answer was chosen has a say in the slope.
    """
    margins = scores.chosen - scores.rejected
    longer = scores.chosen_tokens - scores.rejected_tokens
    slope = float(margins @ longer / (longer @ longer)) if longer.any() else 0.0
    return slope, margins - slope * longer


def assess(scores: PairScores, *, bins: int) -> dict[str, Any]:
    """Return the report on some pairs; only their number if there are none.

    Accuracy is strict: a tie of rewards counts as wrong, and `ties` says how many there were.
    """
    pairs = len(scores.chosen)
    if not pairs:
        return {"pairs": 0}
    margins = scores.chosen - scores.rejected
    found = calibration(scores.chosen, scores.rejected, bins)
    slope, left = without_length(scores)
    longer = scores.chosen_tokens - scores.rejected_tokens
    right = wilson(int((margins > 0).sum()), pairs)
    rewards = np.concatenate([scores.chosen, scores.rejected])
    edges = np.histogram_bin_edges(rewards, _HISTOGRAM_BINS)
    return {
        "pairs": pairs,
        "accuracy": float((margins > 0).mean()),
        "accuracy_low": right.low,
        "accuracy_high": right.high,
        "ties": int((margins == 0).sum()),
        "accuracy_without_length": float((left > 0).mean()),
        "reward_per_token": slope,
        "longer_accuracy": float(((np.sign(longer) + 1) / 2).mean()),
        "bins": bins,
        **found._asdict(),
        "mean_margin": float(margins.mean()),
        **(_by_subset(margins, np.array(scores.subsets)) if scores.subsets else {}),
        "histogram": {
            "edges": edges.tolist(),
            "chosen": np.histogram(scores.chosen, edges)[0].tolist(),
            "rejected": np.histogram(scores.rejected, edges)[0].tolist(),
        },
    }


def _by_subset(margins: Floats, subsets: npt.NDArray[np.str_]) -> dict[str, Any]:
    """Accuracy in each subset, and the mean of those, in which small ones count as large ones do.

    RewardBench tells accuracy so: Lambert et al. 2024, https://arxiv.org/abs/2403.13787.
    """
    found = {}
    for name in sorted(set(subsets)):
        some = margins[subsets == name]
        right = wilson(int((some > 0).sum()), len(some))
        found[str(name)] = {
            "pairs": len(some),
            "accuracy": right.value,
            "low": right.low,
            "high": right.high,
        }
    mean = float(np.mean([one["accuracy"] for one in found.values()]))
    return {"by_subset": found, "accuracy_over_subsets": mean}


def in_words(assessed: Mapping[str, Any]) -> str:
    """Return the accuracy in each subset, and their mean, in a line."""
    parts = [
        f"{name} {one['accuracy']:.1%} of {one['pairs']}" for name, one in assessed["by_subset"].items()
    ]
    mean = assessed["accuracy_over_subsets"]
    return f"accuracy on held-out pairs: {', '.join(parts)}; mean over subsets {mean:.1%}"


def write_report(folder: Path, scores: Mapping[str, PairScores], *, bins: int) -> None:
    """Write `reward.json`, and the two pictures of each kind of pairs that there are."""
    from train.reward_model.plots import plot_reliability, plot_rewards

    found = {name: assess(some, bins=bins) for name, some in scores.items()}
    write_durably(folder / REPORT, (json.dumps(found, indent=1) + "\n").encode())
    shown = {name: values for name, values in found.items() if values["pairs"]}
    for values in shown.values():
        if "by_subset" in values:
            say(in_words(values))
    if shown:
        plot_reliability(folder / "reliability.png", shown)
        plot_rewards(folder / "rewards.png", shown)


def score_pairs(model: Any, pairs: Sequence[RewardPair], *, budget: int) -> PairScores:
    """Return the rewards of both answers of some pairs, `budget` tokens at a time."""
    if not pairs:
        return PairScores.of(pairs, torch.zeros(0, 2))
    micros = deal(range(len(pairs)), pairs, budget=budget, support=tree_support(model))
    rewards_A = all_scores(model, answers_of(pairs_of(pairs)), by_answer(micros, pairs))
    return PairScores.of(pairs, rewards_A.view(2, -1).T.cpu())
