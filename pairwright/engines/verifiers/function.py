"""The forms that a function may have, told apart by its parameters."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from pairwright.engines.verifiers.check import named
from pairwright.errors import UsageError
from pairwright.plugins import Wanted
from pairwright.plugins.wanted import signature_of, takes

BATCHED = "completions"
"""The parameter by which a reward function of TRL is known."""
_GIVEN = ("prompts", BATCHED)
_TRAINERS = ("completion_ids", "prompt_ids", "trainer_state", "log_extra", "log_metric", "environments")
"""What TRL's trainers pass besides columns."""


class Form(NamedTuple):
    """How a function is called."""

    batched: bool
    """Whether it takes several answers at once, by keyword."""
    awaited: bool
    wants: tuple[str, ...] = ()
    """Columns that a row must have; known of batched functions only."""
    takes: tuple[str, ...] | None = ()
    """Columns that it is given where a row has them; None for all."""
    messages: bool = False
    """Whether a batched function is given lists of messages; else texts."""


def form_of(value: Callable[..., Any]) -> Form:
    """Return the form of a function that `VERIFIER` or `REVISER` found fitting."""
    awaited = inspect.iscoroutinefunction(called_function(value))
    signature = signature_of(value)
    parameters = {} if signature is None else dict(signature.parameters)
    if BATCHED not in parameters:
        return Form(batched=False, awaited=awaited)
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    named = [n for n, p in parameters.items() if p.kind not in kinds and n not in _GIVEN]
    wants = tuple(n for n in named if parameters[n].default is inspect.Parameter.empty)
    everything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    takes = None if everything else tuple(named)
    return Form(True, awaited, wants, takes, reads_messages(value, parameters[BATCHED].annotation))


def reads_messages(value: Callable[..., Any], annotation: Any) -> bool:
    """Return whether a reward function takes completions as lists of messages, or as texts.

    TRL gives them as the data set has them, so a function is written for one or the other. Its
    annotation says which (`list[str]`), else the code: without `content` no message can be read.
    """
    if annotation is not inspect.Parameter.empty:
        said = annotation if isinstance(annotation, str) else str(annotation)
        return said.replace(" ", "").lower().removeprefix("typing.") not in ("list[str]", "sequence[str]")
    return "content" in set(_constants(called_function(value), set()))


def _constants(value: Any, seen: set[int]) -> Iterator[Any]:
    """The constants in the code of a function, and in that of functions of its module which it uses."""
    waiting = [getattr(value, "__code__", None)]
    names: set[str] = set()
    while waiting:
        code = waiting.pop()
        if code is None or id(code) in seen:
            continue
        seen.add(id(code))
        names |= set(code.co_names)
        for constant in code.co_consts:
            if inspect.iscode(constant):
                waiting.append(constant)
            elif isinstance(constant, str):
                yield constant
    for name in names:
        other = getattr(value, "__globals__", {}).get(name)
        if inspect.isfunction(other) and other.__module__ == value.__module__:
            yield from _constants(other, seen)


def require_columns(name: str, wanted: Iterable[str], there: Iterable[str]) -> None:
    """Raise `UsageError` naming the columns that a verifier wants and the rows do not have."""
    there = list(there)
    missing = [column for column in wanted if not set(column.split("|")) & set(there)]
    if trainers := [column for column in missing if column in _TRAINERS]:
        raise UsageError(f"{name} wants {_listed(trainers)}, which only TRL's trainers have")
    if missing:
        raise UsageError(
            f"{name} wants the column{'s' if len(missing) > 1 else ''} {_listed(missing)}, which the rows "
            f"do not have; they have {_listed(there)}"
        )


def called_function(value: Callable[..., Any]) -> Any:
    """Return the function that a callable calls: the one a partial wraps, or an object's `__call__`."""
    value = getattr(value, "func", value)
    return inspect.unwrap(value) if inspect.isroutine(value) else getattr(type(value), "__call__", value)  # noqa: B004


class Columns(dict[str, Any]):
    """The columns of a row. Asking for one that is not there says which there are."""

    def __missing__(self, name: str) -> Any:
        raise NoColumnError(f"the row has no column `{name}`; it has {_listed(self)}")


class NoColumnError(KeyError):
    """A column that is not there."""

    def __str__(self) -> str:
        return str(self.args[0])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(named, names)) or "none"


def _is_reward_function(value: Any) -> bool:
    signature = signature_of(value)
    if signature is None or BATCHED not in signature.parameters:
        return False
    return all(p.kind is not inspect.Parameter.POSITIONAL_ONLY for p in signature.parameters.values())


_PLACES = {"prompt": 0, "answer": 1, "completion": 1, "response": 1, "row": 2}
"""Where parameters of these names stand, if at all."""


def _takes_an_answer(value: Any) -> bool:
    """Whether a function takes a prompt, an answer and a row, and none of them by another's name."""
    names = list(getattr(signature_of(value), "parameters", {}))
    return takes(value, 3) and all(_PLACES.get(n, place) == place for place, n in enumerate(names[:3]))


VERIFIER = Wanted(
    "a verifier",
    "def NAME(prompt, answer, row) -> bool | float | (score, feedback)` or, as TRL's reward functions, "
    "`def NAME(completions, prompts, **columns) -> list of numbers or None",
    lambda value: callable(value) and (_is_reward_function(value) or _takes_an_answer(value)),
)
REVISER = Wanted(
    "a reviser",
    "def NAME(prompt, answer, row) -> str | None",
    lambda value: callable(value) and _takes_an_answer(value),
)
POLICY = Wanted(
    "a function that answers",
    "def NAME(messages) -> str",
    lambda value: callable(value) and takes(value, 1),
)
