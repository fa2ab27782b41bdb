"""Float32 products on CPUs: by oneDNN where MKL, which PyTorch takes by default, leaves half the speed.

MKL multiplies float32 on AMD's processors without their 512-bit units; oneDNN uses them. PyTorch asks
oneDNN for a product of float32 only where its inputs may be rounded to bfloat16. Processors without AMX
have no kernel that makes use of that leave, so what they give is float32, as is tried beforehand.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

_BY_MKL, _BY_ONEDNN = "ieee", "bf16"
_LONG = 512
"""Keys from which oneDNN is the faster inside attention too, whose own products are small."""
_ROUNDING = 1e-5
"""Most difference of two float32 products, as a share of the largest value; bfloat16 makes it 1e-2."""
_switch: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]


@contextmanager
def fast_products() -> Iterator[None]:
    """Open a block in which this process multiplies float32 matrices on the CPU as fast as it can.

    The numbers are those of float32 either way. Does nothing where that brings nothing, or where somebody
    chose a precision already.
    """
    switch = _switch  # the block may end with the interpreter, when the names of modules are gone
    before = switch.fp32_precision
    if before != "none" or not _onednn_is_faster():
        yield
        return
    switch.fp32_precision = _BY_ONEDNN
    try:
        yield
    finally:
        switch.fp32_precision = before


def attention_of(attend: Any, query: Tensor, key: Tensor, *rest: Any, **how: Any) -> Tensor:
    """Call an attention within `fast_products`, and its backward pass, with what is fast at its length."""
    elsewhere = _switch.fp32_precision != _BY_ONEDNN or key.device.type != "cpu"
    if elsewhere or key.shape[-2] >= _LONG:
        out: Tensor = attend(query, key, *rest, **how)
        return out
    _switch.fp32_precision = _BY_MKL
    try:
        out = attend(query, key, *rest, **how)
    finally:
        _switch.fp32_precision = _BY_ONEDNN
    if out.grad_fn is not None:
        out.grad_fn.register_prehook(lambda grads: _take(_BY_MKL))
        out.grad_fn.register_hook(lambda given, grads: _take(_BY_ONEDNN))
    return out


def attended_in(query: Tensor) -> torch.dtype:
    """Return the number format in which attention over these heads is fastest, and no coarser than theirs.

    Within `fast_products` that is float32: without AMX its kernels are faster than those of bfloat16.
    """
    rounded = query.device.type == "cpu" and query.dtype == torch.bfloat16
    return torch.float32 if rounded and _switch.fp32_precision == _BY_ONEDNN else query.dtype


def _take(library: str) -> None:
    _switch.fp32_precision = library


@cache
def _onednn_is_faster() -> bool:
    """Whether this is a processor of AMD with bfloat16 and without AMX, and its products are float32's.

    It is not timed: the same machine must always give the same numbers.
    """
    found = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    amd = str(found.get("cpu_name", "")).startswith("AMD")
    if not amd or not found.get("avx512_bf16") or found.get("amx_bf16"):
        return False
    left, right = (torch.linspace(0.1, 1.3, 64 * 64).view(64, 64) + shift for shift in (0.0, 0.01))
    before, products = _switch.fp32_precision, []
    try:
        for library in (_BY_MKL, _BY_ONEDNN):
            _switch.fp32_precision = library
            products.append(left @ right)
    finally:
        _switch.fp32_precision = before
    apart = (products[0] - products[1]).abs().max() / products[0].abs().max()
    return bool(apart <= _ROUNDING)
