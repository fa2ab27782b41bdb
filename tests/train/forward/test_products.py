"""Float32 products by another library: the same numbers, within its block alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_model import save_tiny_model
from transformers import AutoModelForCausalLM

from pairwright.models import products
from pairwright.models.products import attention_of, fast_products
from train.forward.answers import Answer
from train.forward.logprobs import answer_logprobs

MKL, ONEDNN = "ieee", "bf16"


@pytest.fixture
def unset() -> Iterator[Any]:
    """The switch of PyTorch, which nobody has set."""
    switch = torch.backends.mkldnn.matmul
    before, switch.fp32_precision = switch.fp32_precision, "none"
    yield switch
    switch.fp32_precision = before


@pytest.fixture
def taken(unset: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The switch of PyTorch, on a machine where it is used."""
    monkeypatch.setattr(products, "_onednn_is_faster", lambda: True)
    return unset


class Spy(torch.autograd.Function):
    """An attention that notes which library it and its backward pass find."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, seen: list[str]) -> torch.Tensor:
        ctx.seen = seen
        seen.append(torch.backends.mkldnn.matmul.fp32_precision)
        return query * 2

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        ctx.seen.append(torch.backends.mkldnn.matmul.fp32_precision)
        return grad * 2, None, None


@pytest.mark.parametrize(("keys", "library"), [(511, MKL), (512, ONEDNN)])
def test_short_attention_is_mkls_in_both_passes(taken: Any, keys: int, library: str) -> None:
    query, seen = torch.ones(4, 8, requires_grad=True), []
    with fast_products():
        attention_of(Spy.apply, query, torch.ones(keys, 8), seen).sum().backward()
        assert taken.fp32_precision == ONEDNN
    assert seen == [library, library]
    assert query.grad is not None
    assert query.grad.eq(2).all()


def test_a_block_ends_as_it_began(taken: Any) -> None:
    with fast_products():
        assert taken.fp32_precision == ONEDNN
    assert taken.fp32_precision == "none"


def test_a_precision_that_somebody_chose_stays(taken: Any) -> None:
    taken.fp32_precision = MKL
    with fast_products():
        assert taken.fp32_precision == MKL
    assert taken.fp32_precision == MKL


@pytest.mark.usefixtures("unset")
def test_logprobs_and_gradients_are_those_of_float32(tmp_path: Path) -> None:
    """As this machine has it: where the other library is not faster, both sides are the same."""
    shape = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4}
    model = AutoModelForCausalLM.from_pretrained(save_tiny_model(tmp_path, **shape)).eval()
    random = np.random.default_rng(0)

    def ids(count: int) -> Any:
        return random.integers(0, model.config.vocab_size, count, dtype=np.int32)

    prompt = ids(40)
    answers = [Answer(prompt, ids(count)) for count in (30, 50)]

    def passed() -> list[torch.Tensor]:
        model.zero_grad()
        sums_A = answer_logprobs(model, answers).sums_A
        sums_A.sum().backward()
        return [sums_A.detach(), *(p.grad.clone() for p in model.parameters())]

    expected = passed()
    with fast_products():
        found = passed()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5 * float(other.abs().max()))
