"""Agreement between processes: what the first does for all, and what all must decide alike."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pairwright.errors import PairwrightError
from pairwright.terminal import text as terminal

if TYPE_CHECKING:  # `select` without a model says a line too, and starts in half the time without torch
    from accelerate import Accelerator

_Result = TypeVar("_Result")
_RANKS = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
"""Where launchers tell a process its place, as `accelerate` reads it."""


def on_first(accelerator: "Accelerator", work: Callable[[], _Result]) -> _Result:
    """Run a function on the first process and return its result, or raise its error, on all."""
    outcome: list[Any] = [None]
    if accelerator.is_main_process:
        try:
            outcome = [work()]
        except PairwrightError as error:
            outcome = [error]
    if accelerator.num_processes > 1:
        from accelerate.utils import broadcast_object_list

        broadcast_object_list(outcome)
    if isinstance(outcome[0], PairwrightError):
        raise outcome[0]
    result: _Result = outcome[0]
    return result


def agreed(accelerator: "Accelerator", flag: bool) -> bool:
    """Return whether any process says yes."""
    if accelerator.num_processes == 1:
        return flag
    import torch

    votes = torch.tensor(int(flag), device=accelerator.device)
    return bool(accelerator.reduce(votes, reduction="sum").item())


def is_first() -> bool:
    """Return whether this process is the first of those that train together, before they have met."""
    places = (int(os.environ.get(name, -1)) for name in _RANKS)
    return next((place for place in places if place >= 0), 0) == 0


def say(line: str) -> None:
    """Print a line for people, once for all processes that train together."""
    if is_first():
        terminal.say(line)
