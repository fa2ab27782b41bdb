"""A key-value cache whose rows can come and go while a batch is being generated.

Shapes: B rows, H key-value heads, T columns (positions, aligned at the right), D width of a head.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

_ROOM = 64


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, (B, H, T, D), in buffers with room for columns to come.

    The layer that transformers brings copies all of itself at every token.
    """

    def hold(self, keys: Tensor, values: Tensor, length: int) -> None:
        """Take buffers of which the first `length` columns are filled."""
        self._buffers = (keys, values)
        self._show(length)
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append columns, and return all there are."""
        length = self.get_seq_length()
        end = length + key_states.shape[-2]
        if not self.is_initialized or end > self._buffers[0].shape[-2]:
            old = (self.keys, self.values) if self.is_initialized else (None, None)
            buffers = [
                _buffer(new, new.shape[0], end, old_states)
                for new, old_states in zip((key_states, value_states), old, strict=True)
            ]
            self.hold(buffers[0], buffers[1], length)
        for buffer, new in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, length:end] = new
        self._show(end)
        return self.keys, self.values

    def _show(self, length: int) -> None:
        self.keys, self.values = (buffer[:, :, :length] for buffer in self._buffers)


class Part(NamedTuple):
    """Rows of one cache that go into another."""

    cache: Cache
    rows: Tensor
    """Which rows, in which order, as often as they are named."""
    skip: int
    """Columns at the left that are left out."""


def empty_cache() -> Cache:
    """Return a cache of `RoomyLayer`s with nothing in it."""
    return Cache(layer_class_to_replicate=RoomyLayer)


def joined(parts: Sequence[Part]) -> Cache:
    """Return one cache of the rows of all parts, one below the other; short ones are padded at the left.

    The caller masks the padding, which is zero: masked NaN would still be NaN.
    """
    length = max(part.cache.get_seq_length() - part.skip for part in parts)
    whole = empty_cache()
    for layers in zip(*(part.cache.layers for part in parts), strict=True):
        layer = RoomyLayer()
        if layers[0].is_initialized:
            states = [[getattr(old, name) for old in layers] for name in ("keys", "values")]
            keys, values = (_stacked(parts, tensors, length) for tensors in states)
            layer.hold(keys, values, length)
        whole.layers.append(layer)
    return whole


def _stacked(parts: Sequence[Part], states: Sequence[Tensor], length: int) -> Tensor:
    buffer = _buffer(states[0], sum(len(part.rows) for part in parts), length)
    top = 0
    for part, old in zip(parts, states, strict=True):
        kept = old[:, :, part.skip :]
        bottom, start = top + len(part.rows), length - kept.shape[-2]
        buffer[top:bottom, :, :start] = 0
        buffer[top:bottom, :, start:length] = kept[part.rows]
        top = bottom
    return buffer


def _buffer(like: Tensor, rows: int, length: int, filled: Tensor | None = None) -> Tensor:
    """Room for `length` columns and some more, beginning with those already filled."""
    _, heads, _, width = like.shape
    room = _ROOM + length // 4
    buffer: Tensor = torch.empty((rows, heads, length + room, width), dtype=like.dtype, device=like.device)
    if filled is not None:
        buffer[:, :, : filled.shape[-2]] = filled
    return buffer
