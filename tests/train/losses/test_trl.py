"""Losses without a reference against the methods of TRL's trainers (with one: test_trl_parity)."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given, settings
from hypothesis import strategies as st

from train.losses.without_reference import cpo, orpo, simpo

pytest.importorskip("trl")
cpo_trainer = pytest.importorskip("trl.experimental.cpo")
orpo_trainer = pytest.importorskip("trl.experimental.orpo")

logps = st.floats(-20, -0.01)


def trls(loss_type: str, win: torch.Tensor, lose: torch.Tensor, **options: Any) -> torch.Tensor:
    own = SimpleNamespace(accelerator=Accelerator(cpu=True), loss_type=loss_type, **options)
    return cpo_trainer.CPOTrainer.cpo_loss(own, win, lose)[0]


@settings(max_examples=30, deadline=None)
@given(win=logps, lose=logps, alpha=st.sampled_from([0.0, 0.25, -0.1]), eps=st.sampled_from([0.0, 0.1]))
def test_simpo_and_alphapo(win, lose, alpha, eps):
    sides = torch.tensor([win], dtype=torch.float64), torch.tensor([lose], dtype=torch.float64)
    ours = simpo(*sides, beta=2.0, simpo_gamma=0.7, alpha=alpha, label_smoothing=eps)
    theirs = trls("simpo", *sides, alpha=alpha, beta=2.0, simpo_gamma=0.7, label_smoothing=eps)
    assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(win=logps, lose=logps, eps=st.sampled_from([0.0, 0.1]))
def test_cpo(win, lose, eps):
    sides = torch.tensor([win], dtype=torch.float64), torch.tensor([lose], dtype=torch.float64)
    theirs = trls("sigmoid", *sides, alpha=0.0, beta=0.1, label_smoothing=eps)
    assert torch.allclose(cpo(*sides, beta=0.1, label_smoothing=eps), theirs, rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(win=logps, lose=logps)
def test_orpo(win, lose):
    """TRL takes the term off the SFT loss that we add it to."""
    sides = torch.tensor([win]), torch.tensor([lose])
    own = SimpleNamespace(accelerator=Accelerator(cpu=True), beta=0.1)
    theirs = -orpo_trainer.ORPOTrainer.odds_ratio_loss(own, *sides)[0]
    assert torch.allclose(orpo(*sides, beta=0.1), theirs, rtol=1e-4, atol=1e-6)
