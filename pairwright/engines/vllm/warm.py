"""vLLM engines that outlive the command that used them, so that the next one starts none.

Rounds ask one model after the other, all of one shape. Within `engines_kept`, an engine that is closed is
kept, and used again for the next model that differs in its weights alone. On a GPU it sleeps meanwhile: its
weights are in main memory, and the GPU is free for a training.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from pairwright.engines.vllm.process import SupervisedProcess
from pairwright.records import content_hash

_END_SECONDS = 10.0
_OWN = ("_name_or_path", "transformers_version")
"""What two configurations of one shape may differ in."""
_FORMAT = ("dtype", "torch_dtype")
_VOCABULARY = ("tokenizer.json", "tokenizer_config.json", "generation_config.json")


class Living(NamedTuple):
    """A running engine process, its model, and what it said when it was ready."""

    process: SupervisedProcess
    ready: dict[str, Any]


class _Shelf:
    """Idle engines, by the frame that they were started with."""

    def __init__(self, base: str, rank: int) -> None:
        self.base, self.rank = base, rank
        self._idle: dict[str, Living] = {}

    def take(self, frame: str) -> Living | None:
        return self._idle.pop(frame, None)

    def put(self, frame: str, living: Living) -> None:
        if (before := self._idle.pop(frame, None)) is not None:
            before.process.end(_END_SECONDS)
        self._idle[frame] = living

    def clear(self) -> None:
        while self._idle:
            self._idle.popitem()[1].process.end(_END_SECONDS)


_SHELF: ContextVar[_Shelf | None] = ContextVar("shelf", default=None)


@contextmanager
def engines_kept(base: str = "", rank: int = 0) -> Iterator[None]:
    """Open a block in which engines of vLLM live on between commands; all are ended at its end.

    Those of the model in the folder `base` are started with room for adapters of a rank, which will come.
    """
    if _SHELF.get() is not None:
        yield
        return
    shelf = _Shelf(base, rank)
    token = _SHELF.set(shelf)
    try:
        yield
    finally:
        _SHELF.reset(token)
        shelf.clear()


def keeping() -> bool:
    """Return whether closed engines are kept."""
    return _SHELF.get() is not None


def rank_to_come(model: str) -> int:
    """Return the rank of adapters that a model in a folder will get within the rounds; 0 for none."""
    shelf = _SHELF.get()
    return shelf.rank if shelf is not None and shelf.base == model else 0


def take(frame: str) -> Living | None:
    """Return a kept engine of a frame, which is the caller's from now on, or None."""
    shelf = _SHELF.get()
    return None if shelf is None else shelf.take(frame)


def lay_aside(frame: str, living: Living) -> None:
    """Keep an engine for the next that asks for its frame."""
    shelf = _SHELF.get()
    assert shelf is not None
    shelf.put(frame, living)


def frame_of(setting: Mapping[str, Any], python: str) -> str:
    """Return a hash of everything an engine is started with, except the values of its weights."""
    place = Path(setting["model"])
    rest = {name: value for name, value in setting.items() if name not in ("model", "weights", "adapter")}
    return content_hash({"python": python, "shape": _shape(place, said=setting["dtype"] != "auto"), **rest})


def _shape(place: Path, *, said: bool) -> Any:
    """What the weights in a folder are weights of; of a model of the hub, which one it is.

    Their number format counts unless it is `said` in which one they are used.
    """
    if not place.is_dir():
        return str(place)
    config = json.loads((place / "config.json").read_bytes())
    spelled = {name: (place / name).read_text() for name in _VOCABULARY if (place / name).is_file()}
    own = (*_OWN, *_FORMAT) if said else _OWN
    return {name: value for name, value in config.items() if name not in own}, spelled
