"""The head in chunks is log-softmax, and never stands whole."""

import pytest
import torch
from architectures import ARCHITECTURES, model_of

from train.forward.vocabulary import _target_logprobs, chunked, target_logprobs


@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_head_in_chunks_is_log_softmax(size):
    torch.manual_seed(0)
    hidden, weight, bias = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((7, 5), (11, 5), (11,))
    )
    targets, scale = torch.randint(0, 11, (7,)), torch.randn(7, dtype=torch.float64)
    plain = torch.nn.functional.linear(hidden, weight, bias).log_softmax(1)[torch.arange(7), targets]
    expected = torch.autograd.grad((plain * scale).sum(), (hidden, weight, bias))
    found = target_logprobs(hidden, weight, bias, targets, size=size)
    assert torch.allclose(found, plain.float(), atol=1e-5)
    gradients = torch.autograd.grad((found * scale).sum(), (hidden, weight, bias))
    for gradient, other in zip(gradients, expected, strict=True):
        assert torch.allclose(gradient, other, atol=1e-5)


def test_the_heads_logits_never_stand_whole(monkeypatch):
    hidden, weight = torch.randn(60, 8, requires_grad=True), torch.randn(50, 8, requires_grad=True)
    rows = []
    plain = torch.nn.functional.linear
    monkeypatch.setattr("torch.nn.functional.linear", lambda x, *w: rows.append(len(x)) or plain(x, *w))
    logps = target_logprobs(hidden, weight, None, torch.zeros(60, dtype=torch.long), size=16)
    kept = logps.grad_fn.saved_tensors
    assert max(t.numel() for t in kept if t is not None) == hidden.numel()
    logps.sum().backward()
    assert rows == [16, 16, 16, 12] * 2


@pytest.mark.parametrize("size", [3, 100])
def test_in_bfloat16_logits_are_float32_and_gradients_are_rounded_once(size):
    """As `asked_for` has it under autocast: float32 states, and products of gradients as in all layers."""
    torch.manual_seed(0)
    hidden, weight = (torch.randn(*shape, requires_grad=True) for shape in ((7, 64), (11, 64)))
    targets = torch.randint(0, 11, (7,))
    parts = {"size": size, "squares": False}
    exact, found = (
        _target_logprobs(hidden, weight, None, targets, coarse=coarse, **parts)[0]
        for coarse in (None, torch.bfloat16)
    )
    assert torch.equal(found, exact)
    expected = torch.autograd.grad(exact.sum(), (hidden, weight))
    for gradient, other in zip(torch.autograd.grad(found.sum(), (hidden, weight)), expected, strict=True):
        assert gradient.dtype == torch.float32
        assert 0 < (gradient - other).norm() < 2**-7 * other.norm()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_models_that_change_their_logits_keep_their_own_head(name):
    assert chunked(model_of(name)) is (name not in ("gemma2", "granite", "cohere"))
