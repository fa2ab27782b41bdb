"""Attention over a forest: every token sees its own branch and its trunk, up to itself.

Registered with `transformers` under names of their own, so any model that takes its attention from
there can run on forests. Without a forest both are `sdpa`. Two backends do the same:

    pairwright_tree         a call of SDPA for each trunk with its first branch, and for each other branch
    pairwright_tree_flex    one call of FlexAttention for the forest, compiled; blocks of tokens that
                            do not see each other are skipped
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from pairwright.models.products import attended_in, attention_of
from train.forward.trees import ForestMask

BY_TREE = "pairwright_tree"
BY_BLOCKS = "pairwright_tree_flex"
Backend = Callable[[Tensor, Tensor, Tensor, ForestMask, float | None], Tensor]
"""Heads of a forest (1, H, T, D) to outputs (1, H, T, D)."""


def backends(device: torch.device) -> tuple[str, ...]:
    """Return the names of the attentions for forests, the probably fastest on this device first."""
    return (BY_BLOCKS, BY_TREE) if device.type == "cuda" else (BY_TREE,)


_REACHED: list[list[str]] = []


@contextmanager
def reached() -> Iterator[list[str]]:
    """Open a block that lists the backend of every call of these attentions with a forest."""
    names: list[str] = []
    _REACHED.append(names)
    try:
        yield names
    finally:
        _REACHED[:] = [others for others in _REACHED if others is not names]  # equal ones are not the same


def _registered(attend: Backend) -> Callable[..., tuple[Tensor, None]]:
    """A backend as `transformers` calls it."""

    def attention(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        *,
        layout: ForestMask | None = None,
        scaling: float | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, None]:
        """Heads (1, H, T, D) to outputs (1, T, H, D), for the forest that `layout` describes."""
        if layout is None:
            plain: tuple[Tensor, None] = sdpa_attention_forward(
                module, query, key, value, attention_mask, scaling=scaling, **kwargs
            )
            return plain
        for names in _REACHED:
            names.append(attend.__name__)
        return attend(query, key, value, layout, scaling).transpose(1, 2), None

    return attention


def by_tree(query: Tensor, key: Tensor, value: Tensor, layout: ForestMask, scaling: float | None) -> Tensor:
    """Attend tree by tree, with a call for the trunk and its first branch, and one for each other branch.

    Other branches attend over the trunk again.

    Heads are split once, not sliced for every branch: the gradient of a slice is as long as the forest.
    """
    spans, given, taken = layout.spans, query.dtype, attended_in(query)
    sizes = [b - a for start, _, ends in spans for a, b in itertools.pairwise((start, *ends))]
    pieces = zip(*(torch.split(x.to(taken), sizes, dim=2) for x in (query, key, value)), strict=True)
    out = []
    for start, fork, ends in spans:
        q, first_k, first_v = next(pieces)
        out.append(_sdpa(q, first_k, first_v, scaling, is_causal=True))
        trunk = fork - start
        for q, own_k, own_v in itertools.islice(pieces, len(ends) - 1):
            k = torch.cat([first_k[:, :, :trunk], own_k], dim=2)
            v = torch.cat([first_v[:, :, :trunk], own_v], dim=2)
            mask = q.new_ones(q.shape[2], k.shape[2], dtype=torch.bool).tril(trunk)
            out.append(_sdpa(q, k, v, scaling, attn_mask=mask))
    return torch.cat(out, dim=2).to(given)


def by_blocks(
    query: Tensor, key: Tensor, value: Tensor, layout: ForestMask, scaling: float | None
) -> Tensor:
    """Attend over the whole forest at once, under a block mask that is made once for all layers."""
    attend = _compiled() if query.is_cuda else flex_attention
    mask = layout.once("block_mask", lambda: block_mask(layout, query.device))
    out: Tensor = attend(query, key, value, block_mask=mask, scale=scaling, enable_gqa=True)
    return out


def block_mask(layout: ForestMask, device: torch.device) -> BlockMask:
    """Return the block mask of a forest, (T, T): which token sees which."""
    trees_T, branches_T = (torch.from_numpy(part).to(device) for part in layout.segments())

    def sees(batch: Tensor, head: Tensor, here: Tensor, there: Tensor) -> Tensor:
        same = (branches_T[there] == 0) | (branches_T[there] == branches_T[here])
        return (here >= there) & (trees_T[here] == trees_T[there]) & same

    return create_block_mask(sees, None, None, layout.tokens, layout.tokens, device=device)


@cache
def _compiled() -> Any:
    """Compiled for any number of tokens; uncompiled it would make all (T, T) scores."""
    return torch.compile(flex_attention, dynamic=True)


def _sdpa(q: Tensor, k: Tensor, v: Tensor, scaling: float | None, **how: Any) -> Tensor:
    return attention_of(F.scaled_dot_product_attention, q, k, v, scale=scaling, enable_gqa=True, **how)


def _mask(*args: Any, attention_mask: Tensor | None = None, **kwargs: Any) -> Tensor | None:
    """No mask where none is asked for: the layout says it all."""
    if attention_mask is None:
        return None
    mask: Tensor | None = sdpa_mask(*args, attention_mask=attention_mask, **kwargs)
    return mask


for _name, _backend in ((BY_TREE, by_tree), (BY_BLOCKS, by_blocks)):
    AttentionInterface.register(_name, _registered(_backend))
    AttentionMaskInterface.register(_name, _mask)
