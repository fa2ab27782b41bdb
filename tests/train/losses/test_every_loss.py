"""Every loss by its name: numbers worked out by hand, gradients, number formats, and far away."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from train.losses.difference import exo, robust
from train.losses.facts import FACTS
from train.losses.registry import LOSSES
from train.losses.without_reference import alphapo_reward, log_odds, orpo, simpo
from train.preference.config import OPTIONS, TrainConfig
from train.preference.objective import objective_of

S, E2, L2 = math.log1p(math.exp(-1)), math.exp(-2), math.log(2)
"""-log sigma(1), exp(-2), -log sigma(0). So -log sigma(-1) = S + 1."""


def objective(loss: str, **settings: Any) -> Any:
    return objective_of(TrainConfig(model="m", data=("d",), output_dir="o", loss=loss, **settings))


def formula(name: str, **settings: Any) -> Callable[[Tensor, Tensor], Tensor]:
    return objective(name, **settings).preference


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


# loss, settings, what it is given of (chosen, rejected), its value there
VECTORS: list[tuple[str, dict[str, Any], tuple[float, float], float]] = [
    ("dpo", {"beta": 0.1}, (7, -3), S),
    ("dpo", {"beta": 0.1, "label_smoothing": 0.25}, (7, -3), S + 0.25),
    ("dpo_norm", {}, (0.1, -0.1), S),  # beta 5 by itself
    ("dpo_norm", {"label_smoothing": 0.25}, (0.1, -0.1), S + 0.25),
    ("robust", {"beta": 0.1, "label_smoothing": 0.25}, (7, -3), (0.75 * S - 0.25 * (S + 1)) / 0.5),
    ("ipo", {"beta": 0.1}, (2, -1), 4.0),
    ("hinge", {"beta": 0.1}, (2, -3), 0.5),
    ("hinge", {"beta": 0.1}, (20, -3), 0.0),
    ("exo", {"beta": 0.1, "label_smoothing": 0.25}, (4, 4), math.log(4 / 3) / 2),  # q = 1/2
    ("discopop", {"beta": 0.1}, (3, 3), L2 / 2 + 0.5),
    ("discopop", {"beta": 0.1, "discopop_tau": 1e-3}, (20, 0), E2),
    ("discopop", {"beta": 0.1, "discopop_tau": 1e-3}, (0, 10), S + 1),
    ("apo_zero", {"beta": 0.1}, (10, -10), 2 / (1 + math.e)),
    ("apo_down", {"beta": 0.1}, (-10, -20), 2 / (1 + math.e)),
    ("apo_hinge_zero", {"beta": 0.1}, (4, -3), 1.3),
    ("apo_hinge_zero", {"beta": 0.1}, (11, 5), 1.5),
    ("apo_zero_unpaired", {"beta": 0.1}, (10, -10), 1 / (1 + math.e)),
    ("kto", {"beta": 0.1}, (10, -10), 1 / (1 + math.e)),
    ("kto", {"beta": 0.1, "desirable_weight": 2, "undesirable_weight": 0}, (10, 5), 1 / (1 + math.e)),
    ("nca", {"beta": 0.1}, (10, -10), S + (S + 1) / 2 + S / 2),
    ("bco", {"beta": 0.1}, (10, -10), 2 * S),
    ("sppo", {"beta": 0.1}, (3, -4), 5.0),
    ("simpo", {"simpo_gamma": 1.0}, (-1, -2), S),  # beta 2 by itself
    ("simpo", {"simpo_gamma": 1.0, "label_smoothing": 0.25}, (-1, -2), S + 0.25),
    (
        "simpo",
        {"beta": 1.0, "simpo_gamma": math.e - 2, "alpha": 1.0},
        (-1, -L2),
        math.log1p(math.exp(2 * math.e - 4)),
    ),
    ("simper", {}, (-L2, -2 * L2), -0.25),
    ("cpo", {"beta": 0.1}, (-7, -17), S),
    ("orpo", {"beta": 0.5}, (-L2, -math.log(1 + math.e)), 0.5 * S),  # odds 1 and 1 / e
]


@pytest.mark.parametrize(("name", "settings", "given_of", "value"), VECTORS)
def test_by_hand(name, settings, given_of, value):
    win, lose = column(given_of[0]), column(given_of[1])
    assert formula(name, **settings)(win, lose).tolist() == pytest.approx([value], abs=1e-9)


def test_every_loss_has_its_numbers():
    assert {name for name, *_ in VECTORS} == set(LOSSES) == set(FACTS)
    assert {option for facts in FACTS.values() for option in facts.options} == set(OPTIONS)


AT_REFERENCE = {
    "dpo": L2,
    "dpo_norm": L2,
    "robust": L2,
    "ipo": 25.0,
    "hinge": 1.0,
    "exo": -L2 - (math.log(0.999) + math.log(0.001)) / 2,
    "discopop": (L2 + 1) / 2,
    "apo_zero": 1.0,
    "apo_down": 1.0,
    "apo_hinge_zero": 2.0,
    "apo_zero_unpaired": 0.5,
    "kto": 0.5,
    "nca": 2 * L2,
    "bco": 2 * L2,
    "sppo": 50.0,
}


@pytest.mark.parametrize("name", AT_REFERENCE)
def test_value_at_the_reference(name):
    settings = {} if "beta" in FACTS[name].defaults else {"beta": 0.1}
    assert objective(name, **settings).at_reference == pytest.approx(AT_REFERENCE[name], rel=1e-6)


def test_every_loss_with_a_reference_is_at_it():
    assert set(AT_REFERENCE) == {name for name, loss in LOSSES.items() if loss.reference}


def some_of(name: str) -> tuple[Tensor, Tensor]:
    """Log-ratios, or log-probabilities (per token, where that is taken), away from kinks."""
    if LOSSES[name].reference:
        return column(0.3, 2, -8, 3.1, -4), column(0.1, -3, -20, -4.5, 6)
    return column(-0.1, -2, -8, -0.6, -4), column(-0.7, -3, -0.2, -4.5, -6)


@pytest.mark.parametrize("name", LOSSES)
def test_numerical_gradient(name):
    win, lose = (side.requires_grad_() for side in some_of(name))
    assert torch.autograd.gradcheck(formula(name), (win, lose))


def test_numerical_gradient_of_the_shapes_of_alphapo():
    win, lose = (side.requires_grad_() for side in some_of("simpo"))
    for alpha in (-0.25, 0.25):
        assert torch.autograd.gradcheck(partial(simpo, beta=2.0, simpo_gamma=0.5, alpha=alpha), (win, lose))


@pytest.mark.parametrize("name", LOSSES)
def test_float32_agrees_with_float64(name):
    win, lose = some_of(name)
    fine, coarse = formula(name)(win, lose), formula(name)(win.float(), lose.float())
    assert coarse.dtype == torch.float32
    assert torch.allclose(coarse.double(), fine, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_finite_far_away(name):
    far = torch.tensor([1e4, 1e4, -1e4, -1e4, 0.0])
    far = far if LOSSES[name].reference else -far.abs()
    win, lose = far.clone().requires_grad_(), far.roll(1).clone().requires_grad_()
    loss = formula(name)(win, lose)
    loss.sum().backward()
    assert all(torch.isfinite(t).all() for t in (loss, win.grad, lose.grad))


@pytest.mark.parametrize("name", LOSSES)
def test_a_better_pair_costs_less(name):
    """By a margin of 6 nats; closer to the start DiscoPOP's loss rises a little, as it is known to."""
    start, apart = ((0.0, 0.0), (3.0, -3.0)) if LOSSES[name].reference else ((-4.0, -4.0), (-1.0, -7.0))
    before, after = (formula(name)(column(win), column(lose)) for win, lose in (start, apart))
    assert after.item() < before.item()


@given(
    margin=st.floats(-200, 200), noise=st.sampled_from([0.05, 0.1, 0.4]), beta=st.sampled_from([0.05, 0.5])
)
def test_robust_is_unbiased(margin, noise, beta):
    """Its mean over labels flipped with that chance is DPO's loss on the true label."""
    win, lose = column(margin), column(0)
    kept = robust(win, lose, beta=beta, label_smoothing=noise)
    flipped = robust(lose, win, beta=beta, label_smoothing=noise)
    mean = (1 - noise) * kept + noise * flipped
    assert torch.allclose(mean, formula("dpo", beta=beta)(win, lose), atol=1e-9)


def test_exo_is_a_divergence():
    """0 where the policy's preference is the smoothed label, sigma(d) = 1 - eps, and above elsewhere."""
    label = column(math.log(0.9 / 0.1), 0, 9, -3)
    found = exo(label, torch.zeros_like(label), beta=1.0, label_smoothing=0.1)
    assert found[0].item() == pytest.approx(0, abs=1e-12)
    assert (found[1:] > 0).all()


def test_nca_holds_the_chosen_reward_at_log_two():
    win = column(L2 / 0.1).requires_grad_()
    formula("nca", beta=0.1)(win, column(-5)).sum().backward()
    assert win.grad.item() == pytest.approx(0, abs=1e-12)


@given(logp=st.floats(-30, -1e-3))
def test_the_reward_of_alphapo_tends_to_that_of_simpo(logp):
    assert alphapo_reward(column(logp), 1e-7).item() == pytest.approx(logp, rel=1e-4)
    assert alphapo_reward(column(logp), 0.0).item() == logp
    assert alphapo_reward(column(logp), 0.5).item() == pytest.approx((1 - math.exp(-0.5 * logp)) / 0.5)


@given(probability=st.floats(1e-5, 1 - 1e-5))
def test_log_odds(probability):
    expected = math.log(probability) - math.log1p(-probability)
    assert log_odds(column(math.log(probability))).item() == pytest.approx(expected, abs=1e-7)


def test_an_answer_that_is_certain_has_finite_odds():
    sure = column(0.0).requires_grad_()
    loss = orpo(sure, column(-1.0), beta=0.1)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(sure.grad).all()
