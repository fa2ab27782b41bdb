"""Whether a model runs trees exactly: tried once on each model, not read off a list of architectures.

    A  answers

State spaces, attention sinks, soft caps inside attention or absolute positions show up as a difference
between answers in a small forest and the same answers one by one. It is looked for in float32, whatever
the model computes in: the rounding of bfloat16 would hide it. A token that sees what it must not, however
little it makes of it, shows up as a gradient.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from pairwright.models.rotary import Regime, regime_of, without_memory
from pairwright.models.weights import first_line
from train.forward.answers import Answer, Padded, collate, moved
from train.forward.attention import BY_BLOCKS, BY_TREE, backends, reached
from train.forward.model import running_on_text, unwrapped
from train.forward.sight import last_states, leaks, sees_ahead
from train.forward.trees import Forest, plant, trees_of

log = logging.getLogger(__name__)

UNLIMITED: int = torch.iinfo(torch.int64).max
_ALIKE = 1e-4
"""Most difference of hidden states in float32, as a share of their size, that rounding explains."""
_ALIKE_COARSE = 0.1
"""The same of two kernels that do the same, in whatever the model computes in."""


def _one_regime(length: int) -> int:
    return 0


class TreeSupport(NamedTuple):
    """How a model can be run."""

    trees: bool
    reach: int
    """Tokens that its shortest attention window spans; a longer tree is not exact."""
    why: str
    """Why not as trees; empty where it can be."""
    regime: Regime = _one_regime
    """Which sequences may share a pass; see `pairwright.models.rotary`."""
    causal: bool = True
    """Whether no token sees what comes after it."""


_SUPPORT: "WeakKeyDictionary[nn.Module, TreeSupport]" = WeakKeyDictionary()


def tree_support(model: nn.Module) -> TreeSupport:
    """Return whether and how this model runs trees, which is found out at the first call."""
    inner = unwrapped(model)
    if inner not in _SUPPORT:
        without_memory(inner)
        _SUPPORT[inner] = found = _try_out(model)._replace(regime=regime_of(inner))
        if found.why:
            log.warning("%s runs on padded sequences: %s", type(inner).__name__, found.why)
    return _SUPPORT[inner]


@torch.no_grad()
def _try_out(model: nn.Module) -> TreeSupport:
    """Compare hidden states of a small forest with those of its answers one by one."""
    inner: Any = unwrapped(model)
    # Models made from one configuration share it, so an earlier one may have set it.
    before = inner.config.get_text_config()._attn_implementation
    before = "sdpa" if before in (BY_TREE, BY_BLOCKS) else before
    if before == "sdpa":
        inner.set_attn_implementation(before)
    causal = not _sees_ahead(model)
    if before != "sdpa":
        return TreeSupport(False, 0, f"its attention is {before}, not sdpa", causal=causal)
    device = next(inner.parameters()).device
    answers = _samples(inner.config.get_text_config().vocab_size)
    trees, order = trees_of(answers)
    padded: Padded = moved(collate(answers), device)
    forest: Forest = moved(plant(trees), device)
    try:
        with _in_float32(model):
            expected = last_states(model, padded)
            inner.set_attn_implementation(BY_TREE)
            with reached() as times:
                found = last_states(model, forest)[order]
    except (TypeError, ValueError, NotImplementedError, RuntimeError, AttributeError) as error:
        # So a forward pass, maybe of a model's own code, says that it has no use for a mask of ours.
        if _of_the_moment(error):
            raise
        why = f"it does not take a tree ({first_line(error)[:120]})"
    else:
        # Weights that are not finite tell nothing here, and stop the run soon.
        if not times:
            why = "its attention cannot be replaced through transformers"
        elif _apart(found, expected) > _ALIKE or leaks(model, forest):
            why = "a token of one branch sees another, or its place in the forest"
        else:
            take_fastest(model)
            return TreeSupport(True, _reach(inner.config.get_text_config()), "", causal=causal)
    inner.set_attn_implementation(before)
    return TreeSupport(False, 0, why, causal=causal)


def _sees_ahead(model: nn.Module) -> bool:
    """Whether a token sees what comes after it; False where the model gives no gradients to tell by."""
    inner: Any = unwrapped(model)
    answers = _samples(inner.config.get_text_config().vocab_size)[:2]
    padded = moved(collate(answers), next(inner.parameters()).device)
    with running_on_text(model), torch.no_grad():
        last_states(model, padded)
    try:
        return sees_ahead(model, padded)
    except (TypeError, ValueError, NotImplementedError, RuntimeError, AttributeError) as error:
        # So code of a model's own says that it gives no gradients of its embeddings.
        if _of_the_moment(error):
            raise
        log.info("%s: not tried for what its tokens see (%s)", type(inner).__name__, first_line(error))
        return False


@torch.no_grad()
def take_fastest(model: nn.Module) -> None:
    """Set the model's attention to the first backend that runs here and agrees with `BY_TREE`.

    `BY_TREE` is exact.

    A model that does not take trees is run once on padded sequences.
    """
    inner: Any = unwrapped(model)
    device = next(inner.parameters()).device
    answers = _samples(inner.config.get_text_config().vocab_size)
    if inner.config._attn_implementation not in (BY_TREE, BY_BLOCKS):
        last_states(model, moved(collate(answers), device))
        return
    forest = moved(plant(trees_of(answers)[0]), device)
    inner.set_attn_implementation(BY_TREE)
    expected = last_states(model, forest)
    for name in backends(device):
        inner.set_attn_implementation(name)
        try:
            if name == BY_TREE or not _apart(last_states(model, forest), expected) > _ALIKE_COARSE:
                break
        except (TypeError, ValueError, NotImplementedError, RuntimeError) as error:
            # So PyTorch says that a device has no kernel for it; the next backend is tried.
            log.info("%s: %s does not run here (%s)", type(inner).__name__, name, error)
    log.info("%s runs on trees: %s", type(inner).__name__, inner.config._attn_implementation)


def _of_the_moment(error: Exception) -> bool:
    """Whether an error says nothing of the model: a machine that is full may take trees the next time."""
    full = ("allocate memory", "out of memory", "start new thread")
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error).lower() for words in full)


def _apart(found: Tensor, expected: Tensor) -> float:
    """The largest difference of two states, as a share of the state's size."""
    error_A = (found.float() - expected.float()).norm(dim=1) / expected.float().norm(dim=1)
    return float(error_A.max())


@contextmanager
def _in_float32(model: nn.Module) -> Iterator[None]:
    """Within it a model computes in float32: each block's weights are widened while it runs.

    So no second model is held. Where weights are parts, whoever brings them together says how they are
    computed with; they are tried as they are.
    """
    if any(isinstance(part, FSDPModule) for part in model.modules()):
        yield
        return
    kept: dict[nn.Parameter, Tensor] = {}

    def widen(module: nn.Module, args: Any) -> None:
        for parameter in module.parameters(recurse=module in blocks):
            if parameter.is_floating_point() and parameter.dtype != torch.float32:
                kept.setdefault(parameter, parameter.data)
                parameter.data = parameter.data.float()

    def narrow(module: nn.Module, args: Any, output: Any) -> None:
        for parameter in module.parameters(recurse=module in blocks):
            if parameter in kept:
                parameter.data = kept[parameter]

    modules = list(unwrapped(model).modules())
    blocks = set(_blocks(unwrapped(model)))
    inside = {part for block in blocks for part in block.modules() if part is not block}
    hooked = [module for module in modules if module not in inside]
    packed = [module for module in modules if hasattr(module, "compute_dtype")]
    formats = [module.compute_dtype for module in packed]
    handles = [module.register_forward_pre_hook(widen) for module in hooked]
    handles += [module.register_forward_hook(narrow, always_call=True) for module in hooked]
    try:
        for module in packed:
            module.compute_dtype = torch.float32  # type: ignore[assignment]
        with torch.autocast(next(model.parameters()).device.type, enabled=False):
            yield
    finally:
        for handle in handles:
            handle.remove()
        for parameter, data in kept.items():
            parameter.data = data
        for module, dtype in zip(packed, formats, strict=True):
            module.compute_dtype = dtype


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    """The outermost parts of a list: the layers of a model, whose parts may use each other's weights."""
    for part in module.children():
        if isinstance(module, nn.ModuleList):
            yield part
        else:
            yield from _blocks(part)


def _samples(vocab_size: int) -> list[Answer]:
    """Two prompts with three and two answers, of which two begin alike."""
    random = np.random.default_rng(0)

    def ids(count: int) -> Any:
        return random.integers(0, vocab_size, count, dtype=np.int32)

    first, second, opening = ids(7), ids(4), ids(3)
    return [
        *(Answer(first, ids(count)) for count in (2, 5, 3)),
        *(Answer(second, np.concatenate([opening, ids(count)])) for count in (4, 1)),
    ]


def _reach(config: Any) -> int:
    """The shortest attention window of any layer."""
    window = getattr(config, "sliding_window", None) or getattr(config, "attention_chunk_size", None)
    kinds = getattr(config, "layer_types", None)
    slides = (
        any("full" not in kind for kind in kinds) if kinds else getattr(config, "use_sliding_window", True)
    )
    return window if window and slides else UNLIMITED
