"""Items that are trained on and items held out, and a hash of both."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from pairwright.errors import UsageError
from pairwright.records import EMPTY as EMPTY
from pairwright.records import TOO_LONG as TOO_LONG
from train.devices.processes import say

if TYPE_CHECKING:
    from train.config import TrainingConfig

TokenIds = npt.NDArray[np.int32]
Weights = npt.NDArray[np.float32]
TRAINED_ON = "prompt_in_training"


def most_tokens(config: "TrainingConfig") -> int:
    """Return the token limit of prompt and answer: `max_length`, or a model's positions if fewer."""
    from pairwright.models.positions import learned_positions

    models = (config.model, getattr(config, "ref_model", None))
    tables = {name: learned_positions(name) for name in models if name is not None}
    least = min(((most, name) for name, most in tables.items() if most is not None), default=None)
    if least is None or least[0] >= config.max_length:
        return config.max_length
    say(
        f"{least[1]} has learned positions for {least[0]} tokens, not for max_length {config.max_length}: "
        f"what is longer than {least[0]} is left out as {TOO_LONG}"
    )
    return least[0]


def warn_of_window(model: str, items: Sequence["Item"]) -> None:
    """Say how many items are longer than a model was made for, if any are."""
    from pairwright.models.positions import trained_positions

    most = trained_positions(model)
    beyond = sum(item.longest > most for item in items) if most is not None else 0
    if beyond:
        say(
            f"{beyond:,} of {len(items):,} are longer than the {most:,} tokens that {model} was made for, "
            f"and it has learned nothing of places beyond: --max_length {most} leaves them out"
        )


class Item(Protocol):
    """What any kind of training is done on: a prompt and answers to it."""

    @property
    def row_id(self) -> str: ...
    @property
    def prompt_key(self) -> str: ...
    @property
    def prompt_tokens(self) -> TokenIds: ...
    @property
    def sides(self) -> dict[str, TokenIds]: ...
    @property
    def longest(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    def digest(self) -> bytes: ...


T = TypeVar("T", bound=Item)


class Split(NamedTuple, Generic[T]):
    """All that a run reads."""

    training: list[T]
    held_out: list[T]
    dropped: Mapping[str, list[str]]
    """Row ids by the reason why they are in neither part."""


def hold_out(pairs: Sequence[T], share: float) -> tuple[list[T], list[T]]:
    """Split pairs into training and held-out ones that share no prompt; both keep the given order.

    The prompts of smallest hash are held out, so the choice depends on no seed and no order; at
    least one is when `share` is above 0 and another is left to train on.
    """
    prompts = sorted({pair.prompt_key for pair in pairs})
    count = min(max(1, round(share * len(prompts))), len(prompts) - 1) if share and prompts else 0
    chosen = set(prompts[:count])
    return (
        [pair for pair in pairs if pair.prompt_key not in chosen],
        [pair for pair in pairs if pair.prompt_key in chosen],
    )


def split_of(
    encoded: Callable[[Sequence[str], int | None], list[T]],
    config: "TrainingConfig",
    dropped: dict[str, list[str]],
    what: str,
) -> Split[T]:
    """Return the items to train on, and those of `eval_data`, or else a share of all, held out.

    `encoded` puts the row ids of those left out into `dropped`. Raises `UsageError` when nothing is left
    to train on.
    """
    training = encoded(config.sources, config.limit)
    if config.eval_data:
        held_out, seen = without_prompts_of(training, encoded(config.eval_data, None))
        dropped |= {TRAINED_ON: seen} if seen else {}
    else:
        training, held_out = hold_out(training, config.eval_share)
    if not training:
        raise UsageError(
            f"{', '.join(config.data)}: no {what} is left to train on ({describe_dropped(dropped)})"
        )
    require_weight(config, training)
    return Split(training, held_out, dropped)


def require_weight(config: "TrainingConfig", training: Iterable[Item]) -> None:
    """Raise `UsageError` if all items to train on have weight 0."""
    if not any(getattr(item, "weight", 1.0) for item in training):
        raise UsageError(
            f"{', '.join(config.data)}: `weight` is 0 in every row, so nothing would be learnt"
        )


def without_prompts_of(training: Sequence[Item], others: Sequence[T]) -> tuple[list[T], list[str]]:
    """Return those of `others` whose prompt is not trained on, and the row ids of the rest."""
    prompts = {pair.prompt_key for pair in training}
    return (
        [pair for pair in others if pair.prompt_key not in prompts],
        [pair.row_id for pair in others if pair.prompt_key in prompts],
    )


def describe_dropped(dropped: Mapping[str, Sequence[str]]) -> str:
    """Describe dropped rows in one line: how many for which reason, with the first row ids."""
    parts = (
        f"{len(ids)} {reason}: {', '.join(ids[:3])}{' …' if len(ids) > 3 else ''}"
        for reason, ids in dropped.items()
        if ids
    )
    return "; ".join(parts) or "none"


def pairs_hash(pairs: Iterable[Item]) -> str:
    """Return the hash of all that training reads of pairs, in order: 32 hex digits."""
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(pair.digest())
    return digest.hexdigest()[:32]


def ids_digest(row_id: str, parts: Iterable[TokenIds]) -> bytes:
    """Return a row's name and token ids as bytes, which differ between rows."""
    ids = b"".join(len(part).to_bytes(4, "little") + part.astype("<i4").tobytes() for part in parts)
    return f"{row_id}\0".encode("utf-8", "surrogatepass") + ids
