"""Models loaded in full: missing weights, and weights without a place, are refused by name.

`transformers` and `peft` initialise missing weights at random, skip surplus ones, and only log it.
"""

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pairwright.errors import UsageError
from pairwright.models.quiet import quiet
from pairwright.models.remote_code import own_code, refused_sentence

ADAPTER_CONFIG = "adapter_config.json"
_SHOWN = 3
_LFS = b"version https://git-lfs"
_BUFFERS = re.compile(r"(^|\.)(inv_freq|masked_bias|position_ids|causal_mask|attn\.bias|attention\.bias)$")
"""What older versions of `transformers` stored and newer ones compute."""
_WHOLE = tuple(f"{end}.{part}weight" for end in ("embed_tokens", "lm_head") for part in ("", "base_layer."))
"""What `peft` saves with an adapter of an embedding, or one whose vocabulary grew."""
_OTHER_HEADS = ("score", "classifier", "classification_head", "regression_head", "qa_outputs")
"""Heads of models that are no language models."""


def read_model(kind: Any, place: str, name: str, *, fresh: str = "", **how: Any) -> Any:
    """Load the model in `place` by `kind.from_pretrained` with the arguments `how`; errors call it `name`.

    `fresh` names a module that is not read but made anew. Raises `UsageError`, naming weights, if any
    weight would be random or has no place in the model.
    """
    with as_usage_error(name), quiet():
        model, found = kind.from_pretrained(place, output_loading_info=True, **own_code(), **how)
    made = f"{fresh}." if fresh else None
    missing = {key for key in found["missing_keys"] if made is None or not key.startswith(made)}
    unread = {key for key in found["unexpected_keys"] if not _BUFFERS.search(key)}
    if fresh:  # the head of a language model is given up for it
        prefix = f"{model.base_model_prefix}."
        unread = {key for key in unread if key.startswith(prefix)}
    if missing or any(_misplaced(model, key) for key in unread):
        raise UsageError(_sentence(name, type(model).__name__, missing, unread))
    _refuse_whole_numbers(name, Path(place), model)
    _refuse_unsound(name, model.named_parameters())
    return model


def _refuse_whole_numbers(name: str, folder: Path, model: Any) -> None:
    """Raise for weights that are stored as whole numbers, of which no configuration says what they mean."""
    if getattr(model.config, "quantization_config", None) is not None:
        return
    parameters = {key for key, _ in model.named_parameters()}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for key in parameters & set(file.keys()):
                if file.get_slice(key).get_dtype().startswith(("I", "U")):
                    raise UsageError(
                        f"{name}: holds whole numbers in {key}, as quantised weights are, and its "
                        "config.json has no quantization_config; name the model that it was made from"
                    )


def read_adapter(base: Any, place: str, name: str, *, trained: bool = False) -> Any:
    """Return the base with a folder's adapter as a `peft` model, without gradients unless `trained`.

    A vocabulary that grew with the adapter grows in the base. Raises `UsageError`, naming weights, if the
    folder lacks any of the adapter's or has others.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from peft.utils import load_peft_weights

    with as_usage_error(name), quiet(), warnings.catch_warnings(action="ignore"):
        held = load_peft_weights(place, device="cpu")
        rows = max((len(held[key]) for key in held if key.endswith(_WHOLE)), default=0)
        if rows > base.get_input_embeddings().weight.shape[0]:
            base.resize_token_embeddings(rows)
        model = PeftModel.from_pretrained(base, place, is_trainable=trained)
        wanted = set(get_peft_model_state_dict(model, save_embedding_layers=False))
    whole = {key for key in held if key.endswith(_WHOLE)}
    if missing := wanted - set(held):
        raise UsageError(_sentence(name, "its adapter", missing, set(held) - wanted))
    if unread := set(held) - wanted - whole:
        raise UsageError(_sentence(name, "its adapter", set(), unread))
    _refuse_unsound(name, held.items())
    return model


def _refuse_unsound(name: str, weights: Iterable[tuple[str, Tensor]]) -> None:
    """Raise for weights that are infinite or no numbers, which attention may hide in words of no sense."""
    wrong = []
    for key, weight in weights:
        read = weight.is_floating_point() and weight.element_size() > 1 and not weight.is_meta
        if read and not weight.detach().sum().isfinite() and not weight.isfinite().all():
            wrong.append(key)
    if wrong:
        raise UsageError(
            f"{name}: holds numbers that are infinite or none (NaN) in {_named(wrong)}; the training that "
            "made it diverged, or its files are damaged"
        )


def stored_names(folder: Path) -> dict[str, Path]:
    """Return the file of every tensor in a model's folder."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            found |= dict.fromkeys(file.keys(), path)
    return found


_FAULTS = (
    OSError,
    ValueError,
    ImportError,
    AttributeError,
    KeyError,
    TypeError,
    AssertionError,
    SafetensorError,
    StrictDataclassError,
)
"""What `transformers` and `peft` raise for files that are not what they should be."""


@contextmanager
def as_usage_error(name: str) -> Iterator[None]:
    """Open a block that turns errors of `transformers`, of many kinds and lines, into one sentence."""
    try:
        yield
    except UsageError:
        raise
    except _FAULTS as error:
        if (place := Path(name)).is_dir() and (pointer := _pointer(place)):
            raise UsageError(f"{name}: {pointer} is a pointer of Git LFS; run `git lfs pull`") from None
        if (sentence := refused_sentence(name, error)) is not None:
            raise UsageError(sentence) from None
        raise UsageError(f"{name}: cannot be loaded as a model ({first_line(error)})") from error
    except RuntimeError as error:
        if "size mismatch" not in str(error) and "mismatched" not in str(error):
            raise
        if "ignore_mismatched_sizes" in str(error):
            raise UsageError(
                f"{name}: its weights have other sizes than its config.json says, such as another "
                "vocabulary's; take both from one model"
            ) from error
        lines = [line.strip() for line in str(error).splitlines() if "mismatch" in line]
        what = next((line for line in lines if "size mismatch" in line), lines[0])
        raise UsageError(
            f"{name}: its weights do not fit the model they are for ({what}); was an adapter trained on "
            "another base, or one with another vocabulary?"
        ) from error


def _pointer(folder: Path) -> str | None:
    """The first file of a model that Git LFS has not fetched."""
    for path in sorted(folder.glob("*.*")):
        if path.is_file() and path.stat().st_size < 1024 and path.read_bytes().startswith(_LFS):
            return path.name
    return None


def first_line(error: Exception) -> str:
    """Return the message of an error in one line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _misplaced(model: Any, key: str) -> bool:
    """Whether a weight that was not read shows that this is not the model: one more module is none of it.

    A layer more than the configuration counts, a bias that it denies, or another kind of head do show it.
    """
    head, _, rest = key.partition(".")
    return bool(rest) and (head in _OTHER_HEADS or hasattr(model, head) or _is_list(key))


def _is_list(key: str) -> bool:
    return any(part.isdecimal() for part in key.split("."))


def _sentence(name: str, kind: str, missing: set[str], unread: set[str]) -> str:
    if not missing:
        heads = [key for key in unread if key.partition(".")[0] in _OTHER_HEADS]
        why = (
            "it is another kind of model than the one that is wanted"
            if heads
            else "its config.json does not describe them"
        )
        return f"{name}: holds {_named(heads or unread)}, for which {kind} has no place: {why}"
    there = f"; what it holds instead: {_named(unread)}" if unread else ""
    return (
        f"{name}: lacks {_named(missing)} of {kind}, which would be random{there}. Its files are not "
        "whole, or not named as its config.json says"
    )


def _named(keys: Iterable[str]) -> str:
    """How many weights, and the first of them."""
    ordered = sorted(keys)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return f"{', '.join(ordered[:_SHOWN])}{more}"
