"""Measures of a pair under a model.

W  width of a hidden state    L  tokens of an answer
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from train.data.split import TokenIds

Floats = npt.NDArray[np.float64]


class Ches(NamedTuple):
    """Centered hidden embedding similarity of a pair."""

    plain: float
    normalized: float
    """With means in the place of sums, so that length does not decide."""


class ModelMeasures(NamedTuple):
    """The measures of a pair under a model, named as the columns that they are written to."""

    logp_chosen: float
    """Log-probability of the chosen answer given the prompt: nats, summed over its tokens."""
    logp_rejected: float
    ches: float
    """The higher, the more alike the answers are to the model, and the more DPO pushes chosen down too."""
    ches_normalized: float
    surprise_chosen: float
    """Nats for each of its tokens that the other answer has not; NaN where it has no such token."""
    surprise_rejected: float


def ches(chosen_W: Floats, rejected_W: Floats, chosen_tokens: int, rejected_tokens: int) -> Ches:
    """Return CHES of a pair: ⟨Σ h⁺, Σ h⁻⟩ − ‖Σ h⁺‖², and with means in the place of sums.

    The arguments are the sums of the last hidden states that predict the tokens of each answer, from the
    prompt's last token on. See Razin et al. 2024, "Unintentional Unalignment: Likelihood Displacement in
    Direct Preference Optimization", Definition 2 (https://arxiv.org/abs/2410.08847).
    """
    mean_w, mean_l = chosen_W / chosen_tokens, rejected_W / rejected_tokens
    return Ches(
        float(chosen_W @ rejected_W - chosen_W @ chosen_W), float(mean_w @ mean_l - mean_w @ mean_w)
    )


def token_distance(chosen_ids: TokenIds, rejected_ids: TokenIds) -> int:
    """Return the edit distance of two answers in tokens: the fewest to insert, delete or replace."""
    return Levenshtein.distance(rejected_ids.tolist(), chosen_ids.tolist())


def surprise(logps_L: Floats, changed_L: npt.NDArray[np.bool_]) -> float:
    """Return the mean negative log-probability of the changed tokens; NaN where none is."""
    return float(-logps_L[changed_L].mean()) if changed_L.any() else float("nan")


def implicit_margin(delta_chosen: Floats, delta_rejected: Floats, beta: float) -> Floats:
    """Return β (Δ_w − Δ_l), of log-ratios (P,): how far the model prefers chosen beyond its reference.

    It is the margin of implicit rewards of Rafailov et al. 2023 (https://arxiv.org/abs/2305.18290).
    """
    return beta * (delta_chosen - delta_rejected)


def dcrm(margin: Floats, distance: Floats, logp_chosen: Floats, logp_rejected: Floats) -> Floats:
    """Return the margin over the distance (P,): a reward margin counts for more where little else differs.

    The distance is the edit distance in tokens and the difference in log-probability, and 1, so that
    equal answers have one. After Huang and Goyal 2025, "DCRM" (https://arxiv.org/abs/2506.14157).
    """
    return margin / (distance + np.abs(logp_chosen - logp_rejected) + 1.0)
