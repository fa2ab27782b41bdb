"""Attention over a forest: every token sees its own branch and its trunk, up to itself.

Registered with `transformers` under a name of its own, so any model that takes its attention from
there can run on forests. Without a forest it is `sdpa`.
"""

import itertools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from train.trees import Layout

NAME = "pairwright_tree"


def tree_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layout: Layout | None = None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Heads (1, H, T, D) to outputs (1, T, H, D), for the forest that `layout` describes."""
    if layout is None:
        plain: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
        return plain
    return by_tree(query, key, value, layout, scaling).transpose(1, 2), None


def by_tree(query: Tensor, key: Tensor, value: Tensor, layout: Layout, scaling: float | None) -> Tensor:
    """The trunk with the first branch is an ordinary sequence; other branches see the trunk again."""
    out = []
    for start, fork, ends in layout.spans:
        q, k, v = (x[:, :, start : ends[0]] for x in (query, key, value))
        out.append(_sdpa(q, k, v, scaling, is_causal=True))
        for begin, end in itertools.pairwise(ends):
            q = query[:, :, begin:end]
            k, v = (torch.cat([x[:, :, start:fork], x[:, :, begin:end]], dim=2) for x in (key, value))
            mask = torch.ones(end - begin, k.shape[2], dtype=torch.bool).tril(fork - start)
            out.append(_sdpa(q, k, v, scaling, attn_mask=mask))
    return torch.cat(out, dim=2)


def _sdpa(q: Tensor, k: Tensor, v: Tensor, scaling: float | None, **how: Any) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, scale=scaling, enable_gqa=True, **how)


def _mask(*args: Any, attention_mask: Tensor | None = None, **kwargs: Any) -> Tensor | None:
    """No mask where none is asked for: the layout says it all."""
    if attention_mask is None:
        return None
    mask: Tensor | None = sdpa_mask(*args, attention_mask=attention_mask, **kwargs)
    return mask


AttentionInterface.register(NAME, tree_attention)
AttentionMaskInterface.register(NAME, _mask)
