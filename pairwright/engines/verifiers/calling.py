"""Calls a function about answers, and reads what it returns. Runs in a process of its own.

A failure on one answer is that answer's result alone: a value as JSON, or the error in the function's own
words and with its line.
"""

import asyncio
import inspect
import json
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Set
from typing import Any, Literal, NamedTuple

from pairwright.engines.verifiers.function import Columns, Form, called_function
from pairwright.models.shown import well_formed
from pairwright.plugins.loading import fault

_ROW_UNHASHABLE = f"unhashable type: '{Columns.__name__}'"

Kind = Literal["score", "revision", "text"]


class Item(NamedTuple):
    """One answer that a function is asked about."""

    prompt: str
    messages: list[dict[str, str]]
    """The prompt as a conversation."""
    answer: str
    row: dict[str, Any]
    """The other columns."""


class Result(NamedTuple):
    """The result of one call."""

    value: str | None
    """As JSON: `{"score", "feedback"}`, or a text, or null where the function gives none."""
    failure: str | None = None


class Unusable(Exception):
    """Raised for a value that cannot be used, or a call that took too long."""


class Caller:
    """A function, the form of its call, and the kind of value that it returns."""

    def __init__(self, function: Callable[..., Any], form: Form, kind: Kind, timeout: float) -> None:
        self._function = function
        self._form = form
        self._kind = kind
        self._timeout = timeout
        self._file = file_of(function)

    def results(self, items: Sequence[Item]) -> Iterator[tuple[int, Result]]:
        """Yield results by the items' places, each as soon as it is there."""
        if self._form.batched:
            yield from enumerate(self._together(items))
        elif self._form.awaited:
            yield from enumerate(self._begun_together(items))
        else:
            for place, item in enumerate(items):
                yield place, self._result(lambda item=item: self._function(*self._arguments(item)))  # type: ignore[misc]

    def _arguments(self, item: Item) -> tuple[Any, ...]:
        if self._kind == "text":
            return (item.messages,)
        return item.prompt, item.answer, Columns({"prompt": item.messages} | item.row)

    def _result(self, call: Callable[[], Any]) -> Result:
        try:
            value = call()
            if inspect.isawaitable(value):
                value = asyncio.run(self._in_time(value))
            return Result(self._read(value))
        except BaseException as error:  # the function's own: SystemExit too
            return Result(None, self._fault(error))

    def _begun_together(self, items: Sequence[Item]) -> list[Result]:
        """Results of all items, awaited at once. A decorator may already have awaited what it wraps."""
        begun: list[Awaitable[Any] | Result] = []
        for item in items:
            try:
                value = self._function(*self._arguments(item))
            except BaseException as error:
                begun.append(Result(None, self._fault(error)))
                continue
            begun.append(value if inspect.isawaitable(value) else self._result(lambda value=value: value))  # type: ignore[misc]
        return asyncio.run(self._all_of(begun))

    async def _all_of(self, begun: Sequence[Awaitable[Any] | Result]) -> list[Result]:
        return await asyncio.gather(*map(self._one, begun))

    async def _one(self, begun: Awaitable[Any] | Result) -> Result:
        if isinstance(begun, Result):
            return begun
        try:
            return Result(self._read(await self._in_time(begun)))
        except BaseException as error:
            return Result(None, self._fault(error))

    async def _in_time(self, awaitable: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(self._timeout) as limit:
                return await awaitable
        except TimeoutError:
            if limit.expired():
                raise Unusable(f"took longer than {self._timeout:g} s") from None
            raise

    def _together(self, items: Sequence[Item]) -> list[Result]:
        """One call for all; where it fails, one for each, so that only the guilty fail."""
        try:
            values = self._function(**self._keywords(items))
            if inspect.isawaitable(values):
                values = asyncio.run(self._in_time(values))
            if isinstance(values, Mapping | Set):
                raise Unusable(f"returned {_shown(values)}; a list of numbers or None is wanted")
            values = values.tolist() if hasattr(values, "tolist") else list(values)
        except BaseException as error:
            if len(items) == 1:
                return [Result(None, self._fault(error))]
            return [result for item in items for result in self._together([item])]
        if len(values) != len(items):
            count = f"{len(values)} score{'s' if len(values) != 1 else ''}"
            return [Result(None, f"returned {count} for {len(items)} completions")] * len(items)
        return [self._result(lambda value=value: value) for value in values]  # type: ignore[misc]

    def _keywords(self, items: Sequence[Item]) -> dict[str, Any]:
        names = list(dict.fromkeys(name for item in items for name in item.row))
        columns = {name: [item.row.get(name) for item in items] for name in names}
        answers: list[Any] = [item.answer for item in items]
        prompts: list[Any] = [item.prompt for item in items]
        if self._form.messages:
            answers = [[{"role": "assistant", "content": text}] for text in answers]
            prompts = [item.messages for item in items]
        given = columns | {"prompts": prompts, "completions": answers}
        taken = self._form.takes
        if taken is None:
            return given
        known = inspect.signature(self._function).parameters
        return {name: value for name, value in given.items() if name in known}

    def _read(self, value: Any) -> str:
        if self._kind == "score":
            return json.dumps(scored(value))
        if value is None and self._kind == "revision":
            return "null"
        if not isinstance(value, str):
            wanted = "a text or None" if self._kind == "revision" else "a text"
            raise Unusable(f"returned {_shown(value)}; {wanted} is wanted")
        text = well_formed(str(value))
        return text if self._kind == "text" else json.dumps(text)

    def _fault(self, error: BaseException) -> str:
        said = str(error) if isinstance(error, Unusable) else fault(error, self._file)
        if isinstance(error, TypeError) and _ROW_UNHASHABLE in said:
            said += (
                "; what remembers its results cannot be given a row: put lru_cache on a function of texts"
            )
        return well_formed(said)


def file_of(function: Callable[..., Any]) -> str | None:
    """Return the file in which a function is written."""
    code = getattr(called_function(function), "__code__", None)
    return None if code is None else str(code.co_filename)


def scored(value: Any) -> dict[str, Any]:
    """Return score and feedback from what a verifier returned. Raises `Unusable`."""
    feedback = ""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], str | None):
        value, feedback = value[0], value[1] or ""
    if value is None:
        return {"score": None, "feedback": well_formed(feedback)}
    wanted = "bool, number, None or (score, feedback) is wanted"
    if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
        raise Unusable(f"returned {_shown(value)}; {wanted}")
    try:
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        raise Unusable(f"returned {_shown(value)}; {wanted}") from None
    if not math.isfinite(score):
        raise Unusable(f"returned {score}, which is no score")
    return {"score": score, "feedback": well_formed(feedback)}


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # a number of more digits than Python writes
        text = f"a number of {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:60]}…"
