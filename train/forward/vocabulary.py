"""The projection to the vocabulary where only one token's log-probability each is needed.

    N  hidden states    W  their width    V  vocabulary    C  hidden states of a chunk

Logits stand for a chunk at a time, in the forward pass and again in the backward pass, so memory
does not grow with N * V.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.distributed.fsdp import FSDPModule

from train.forward.answers import Layout
from train.forward.model import running_on_text, unwrapped

CHUNK_BYTES = 2**28
"""Most memory of the float32 logits of one chunk."""
_BLOCK = 64
"""Hidden states normalised at a time, so that what `logsumexp` makes in between stays small."""
_PLAIN: "WeakKeyDictionary[nn.Module, bool]" = WeakKeyDictionary()


class TargetLogprobs(torch.autograd.Function):
    """log softmax(h W^T + b)[target] for each hidden state, (N,) float32, chunk by chunk.

    Its gradient is g * (onehot(target) - softmax) through the same projection. The softmax of a single
    chunk is kept for it; logits of several are made again. Logits are float32; products of the gradient
    are in `coarse`, as those of all other layers are.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden_NW: Tensor,
        weight_VW: Tensor,
        bias_V: Tensor | None,
        targets_N: Tensor,
        size: int,
        squares: bool,
        coarse: torch.dtype,
    ) -> tuple[Tensor, Tensor]:
        """Compute the log-probabilities in chunks of at most `size` hidden states.

        With `squares`, log sum p^2 too.
        """
        weight, bias = weight_VW.to(hidden_NW.dtype), None if bias_V is None else bias_V.to(hidden_NW.dtype)
        logps, normalizers, found, kept = [], [], [], None
        for hidden_CW, targets_C in zip(
            torch.split(hidden_NW, size), torch.split(targets_N, size), strict=True
        ):
            logits_CV = F.linear(hidden_CW, weight, bias).float()
            lse_C = torch.cat([part.logsumexp(1) for part in torch.split(logits_CV, _BLOCK)])
            logps.append(logits_CV.gather(1, targets_C[:, None])[:, 0] - lse_C)
            normalizers.append(lse_C)
            if squares:
                blocks = [(2 * part).logsumexp(1) for part in torch.split(logits_CV, _BLOCK)]
                found.append(torch.cat(blocks) - 2 * lse_C)
            kept = _softmax_(logits_CV, lse_C) if len(hidden_NW) <= size else None
        ctx.save_for_backward(hidden_NW, weight_VW, bias_V, targets_N, torch.cat(normalizers), kept)
        ctx.size, ctx.coarse = size, coarse
        squares_N = torch.cat(found) if squares else logps[0].new_empty(0)
        ctx.mark_non_differentiable(squares_N)
        return torch.cat(logps), squares_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_N: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of hidden states, weight and bias."""
        hidden_NW, weight_VW, bias_V, targets_N, lse_N, kept = ctx.saved_tensors
        dtype, size, coarse = hidden_NW.dtype, ctx.size, ctx.coarse
        weight, bias = weight_VW.to(dtype), None if bias_V is None else bias_V.to(dtype)
        coarse_weight = weight_VW.to(coarse)
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        grad_hidden, grad_weight = [], None
        grad_bias = torch.zeros_like(bias_V, dtype=torch.float32) if wants_bias else None
        pieces = (torch.split(tensor, size) for tensor in (hidden_NW, targets_N, lse_N, grad_N))
        for hidden_CW, targets_C, lse_C, grad_C in zip(*pieces, strict=True):
            if kept is None:
                logits_CV = F.linear(hidden_CW, weight, bias).float()
                grad_CV = _softmax_(logits_CV, lse_C).mul_(-grad_C[:, None])
            else:
                grad_CV = kept * -grad_C[:, None]
            grad_CV[torch.arange(len(targets_C), device=grad_CV.device), targets_C] += grad_C
            if grad_bias is not None:
                grad_bias += grad_CV.sum(0)
            grad_CV = grad_CV.to(coarse)
            if wants_hidden:
                grad_hidden.append((grad_CV @ coarse_weight).to(dtype))
            if wants_weight:
                part = grad_CV.T @ hidden_CW.to(coarse)
                grad_weight = part.to(weight_VW.dtype) if grad_weight is None else grad_weight.add_(part)
        return (
            torch.cat(grad_hidden) if grad_hidden else None,
            grad_weight,
            None if grad_bias is None else grad_bias.to(bias_V.dtype),
            None,
            None,
            None,
            None,
        )


def _softmax_(logits_CV: Tensor, lse_C: Tensor) -> Tensor:
    """The probabilities, in the place of the logits."""
    return logits_CV.sub_(lse_C[:, None]).exp_()


def target_logprobs(
    hidden_NW: Tensor, weight_VW: Tensor, bias_V: Tensor | None, targets_N: Tensor, *, size: int = 0
) -> Tensor:
    """Return the log-probability of each target given its hidden state, (N,) float32, with gradients.

    `size` is the most hidden states whose logits stand at once; by default as many as
    `CHUNK_BYTES` holds.
    """
    return _target_logprobs(hidden_NW, weight_VW, bias_V, targets_N, size=size, squares=False)[0]


def _target_logprobs(
    hidden_NW: Tensor,
    weight_VW: Tensor,
    bias_V: Tensor | None,
    targets_N: Tensor,
    *,
    size: int = 0,
    squares: bool,
    coarse: torch.dtype | None = None,
) -> tuple[Tensor, Tensor]:
    size = size or max(1, CHUNK_BYTES // (4 * len(weight_VW)))
    found: tuple[Tensor, Tensor] = TargetLogprobs.apply(  # type: ignore[no-untyped-call]
        hidden_NW, weight_VW, bias_V, targets_N, size, squares, coarse or hidden_NW.dtype
    )
    return found


def chunked(model: nn.Module) -> bool:
    """Return whether this model's logits are a plain projection of its hidden states; tried once."""
    inner = unwrapped(model)
    if inner not in _PLAIN:
        _PLAIN[inner] = _is_plain(model)
    return _PLAIN[inner]


@contextmanager
def asked_for(model: nn.Module, laid: Layout, *, squares: bool = False) -> Iterator[None]:
    """Open a block in which the head gives answer tokens' log-probabilities (1, N, 1) instead of logits.

    With `squares` it gives (1, N, 2): beside each log sum p^2 over the vocabulary, without gradient.

    It stays the model's own module, called by the model's own forward, so that whatever wraps them
    gathers weights and reduces gradients as ever.
    """
    head: Any = unwrapped(model).get_output_embeddings()  # type: ignore[operator]

    def ask(hidden: Tensor) -> Tensor:
        device = hidden.device.type
        coarse = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        with torch.autocast(device, enabled=False):
            hidden_NW = hidden[laid.rows_N, laid.columns_N]
            logps_N, squares_N = _target_logprobs(
                hidden_NW, head.weight, head.bias, laid.targets_N, squares=squares, coarse=coarse
            )
            if squares:
                return torch.stack([logps_N, squares_N], 1)[None]
            return logps_N[None, :, None].clone()  # sharding warns of views, and N numbers are few

    head.forward = ask
    try:
        yield
    finally:
        del head.forward


@torch.no_grad()
def _is_plain(model: nn.Module) -> bool:
    """Let the head give logits as large as they get, and see whether the model leaves them alone."""
    head: Any = unwrapped(model).get_output_embeddings()  # type: ignore[operator]
    # Sharding derives a class of its own from that of every module it cuts.
    if type(head) is not nn.Linear and not (isinstance(head, nn.Linear) and isinstance(head, FSDPModule)):
        return False
    own: Any = head
    given = torch.linspace(-50, 50, head.out_features, device=head.weight.device)[None, None]
    own.forward = lambda hidden: given
    try:
        ids = torch.zeros(1, 1, dtype=torch.long, device=given.device)
        with running_on_text(model):
            found = model(input_ids=ids, use_cache=False).logits
    finally:
        del own.forward
    return torch.equal(found, given)
