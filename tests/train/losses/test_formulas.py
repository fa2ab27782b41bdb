"""The losses of the papers against hand-computed numbers, numerical gradients and symmetries.

r_w = beta * delta_w,  r_l = beta * delta_l,  d = r_w - r_l,  s(z) = sigma(z) (1 - sigma(z))

loss       value                        d/d log pi(y_w)              d/d log pi(y_l)
dpo        -log sigma(d)                -beta sigma(-d)              +beta sigma(-d)
apo_zero   1 - sigma(r_w) + sigma(r_l)  -beta s(r_w)                 +beta s(r_l)
apo_down   sigma(r_w) + 1 - sigma(d)    +beta (s(r_w) - s(d))        +beta s(d)
"""

import math
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from train.losses.anchored import apo_down, apo_zero, apo_zero_unpaired
from train.losses.difference import cdpo, dpo, ipo
from train.losses.facts import RANKED
from train.losses.registry import LOSSES
from train.losses.sft import SFT_REDUCTIONS, nll_mean, nll_sum
from train.preference.config import LossName, SftReduction

log_ratios = st.floats(-200, 200, allow_nan=False)
betas = st.sampled_from([0.01, 0.05, 0.1, 0.5])


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


# beta, delta_w, delta_l -> dpo, apo_zero, apo_down: value, (gradient of chosen, of rejected)
VECTORS = [
    ((0.1, 0, 0), (0.693147, -0.05, 0.05), (1.0, -0.025, 0.025), (1.0, 0.0, 0.025)),
    (
        (0.1, 2, -3),
        (0.474077, -0.037754, 0.037754),
        (0.875723, -0.024752, 0.024446),
        (0.927375, 0.001251, 0.023500),
    ),
    (
        (0.1, -8, -20),
        (0.263282, -0.023148, 0.023148),
        (0.809177, -0.021391, 0.010499),
        (0.541501, 0.003602, 0.017789),
    ),
    (
        (0.5, -4, 6),
        (5.006715, -0.496654, 0.496654),
        (1.833371, -0.052497, 0.022588),
        (1.112510, 0.049173, 0.003324),
    ),
    (
        (0.05, 30, -45),
        (0.023245, -0.001149, 0.001149),
        (0.277775, -0.007457, 0.004313),
        (0.840552, 0.006335, 0.001122),
    ),
]


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize(("position", "formula"), [(1, dpo), (2, apo_zero), (3, apo_down)])
def test_published_vectors(vector, position, formula):
    beta, delta_w, delta_l = vector[0]
    win, lose = column(delta_w).requires_grad_(), column(delta_l).requires_grad_()
    loss = formula(win, lose, beta=beta)
    loss.sum().backward()
    value, chosen, rejected = vector[position]
    assert loss.item() == pytest.approx(value, abs=1e-6)
    assert win.grad.item() == pytest.approx(chosen, abs=1e-6)
    assert lose.grad.item() == pytest.approx(rejected, abs=1e-6)


def test_cdpo_and_ipo_by_hand():
    """eps = 0.2, beta = 0.1, delta = (2, -3): d = 0.5, -log sigma(d) = 0.474077, of -d 0.974077.

    cdpo = 0.8 * 0.474077 + 0.2 * 0.974077 = 0.574077; ipo = (5 - 1 / 0.2)^2 = 0.
    At the reference ipo = (0 - 5)^2 = 25 with gradients -10 and +10.
    """
    win, lose = column(2, 0).requires_grad_(), column(-3, 0).requires_grad_()
    assert cdpo(win, lose, beta=0.1, label_smoothing=0.2)[0].item() == pytest.approx(0.574077, abs=1e-6)
    loss = ipo(win, lose, beta=0.1)
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([0, 25], abs=1e-9)
    assert win.grad.tolist() == pytest.approx([0, -10], abs=1e-9)
    assert lose.grad.tolist() == pytest.approx([0, 10], abs=1e-9)


def test_cdpo_gradient_by_hand():
    """d/d log pi(y_w) = -beta [(1 - eps) sigma(-d) - eps sigma(d)], rejected: its negative."""
    win, lose = column(2.0).requires_grad_(), column(-3.0).requires_grad_()
    cdpo(win, lose, beta=0.1, label_smoothing=0.2).sum().backward()
    expected = -0.1 * (0.8 / (1 + math.exp(0.5)) - 0.2 / (1 + math.exp(-0.5)))
    assert win.grad.item() == pytest.approx(expected, abs=1e-12)
    assert lose.grad.item() == pytest.approx(-expected, abs=1e-12)


@given(win=log_ratios, lose=log_ratios, shift=log_ratios, beta=betas)
def test_dpo_depends_on_the_difference_only(win, lose, shift, beta):
    here = dpo(column(win), column(lose), beta=beta)
    there = dpo(column(win + shift), column(lose + shift), beta=beta)
    assert torch.allclose(here, there, atol=1e-9)


@given(win=log_ratios, lose=log_ratios, beta=betas)
def test_swapping_the_answers(win, lose, beta):
    win, lose = column(win), column(lose)
    margin = dpo(win, lose, beta=beta) - dpo(lose, win, beta=beta)
    assert torch.allclose(margin, -beta * (win - lose), atol=1e-9)
    symmetric = apo_zero(win, lose, beta=beta) + apo_zero(lose, win, beta=beta)
    assert torch.allclose(symmetric, torch.full_like(win, 2.0))
    smoothed = cdpo(win, lose, beta=beta, label_smoothing=0.25)
    assert torch.allclose(smoothed, cdpo(lose, win, beta=beta, label_smoothing=0.75), atol=1e-9)


@given(win=log_ratios, lose=log_ratios, more=st.floats(1e-3, 50), beta=betas)
def test_better_separation_never_costs(win, lose, more, beta):
    """All fall when the rejected falls; dpo and apo_zero also when the chosen rises."""
    win, lose, more = column(win), column(lose), column(more)
    for formula in (dpo, apo_zero, apo_down):
        assert (formula(win, lose - more, beta=beta) <= formula(win, lose, beta=beta)).all()
    for formula in (dpo, apo_zero):
        assert (formula(win + more, lose, beta=beta) <= formula(win, lose, beta=beta)).all()


def test_apo_down_pushes_the_chosen_only_after_the_start():
    """s(r_w) - s(d): zero at the reference, then down; up again where r_w < 0 and r_l > 2 r_w."""
    win, lose = column(0, -1, -10).requires_grad_(), column(0, -10, -5)
    apo_down(win, lose, beta=0.1).sum().backward()
    at_start, behind, ahead = win.grad.tolist()
    assert at_start == 0
    assert behind > 0 > ahead


def test_unpaired_averages_over_twice_as_many_answers():
    win, lose = column(2, -8), column(-3, -20)
    answers = torch.cat([win, lose])
    desirable = torch.tensor([True, True, False, False])
    unpaired = apo_zero_unpaired(answers, desirable, beta=0.1)
    assert unpaired.shape == (4,)
    assert unpaired.mean().item() == pytest.approx(apo_zero(win, lose, beta=0.1).mean().item() / 2)
    as_pairs = LOSSES["apo_zero_unpaired"].formula(win, lose, beta=0.1)
    assert torch.allclose(as_pairs, apo_zero(win, lose, beta=0.1) / 2)


def test_sft_terms():
    """Answers of 2 and 5 tokens at -1 nat each: sums 2 and 5, means 1 and 1."""
    logps, tokens = column(-2, -5), torch.tensor([2, 5])
    assert nll_sum(logps, tokens).tolist() == [2, 5]
    assert nll_mean(logps, tokens).tolist() == [1, 1]


def test_every_name_on_the_command_line_has_a_formula():
    assert get_args(LossName) == ("auto", *LOSSES, *RANKED)
    assert get_args(SftReduction) == tuple(SFT_REDUCTIONS)
