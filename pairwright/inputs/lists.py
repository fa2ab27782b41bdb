"""All answers to a prompt in one column: a list of texts, or of objects that name their models."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pairwright.errors import UsageError
from pairwright.inputs.columns import LISTS
from pairwright.inputs.messages import kind_of, messages_of
from pairwright.inputs.source import Source

_TEXTS = ("response", "text", "answer", "completion", "output", "generation", "content", "value")
_MODELS = ("model", "generator", "model_name")
_SCORES = ("score", "overall_score", "rating")


class Listed(NamedTuple):
    """One answer of a list."""

    text: str
    model: str | None = None
    score: float | None = None
    """Greater is better; a rank is its negative."""


def answers_in(value: Any, record: Mapping[str, Any], column: str, where: str) -> list[Listed | None]:
    """Return the answers of a list in order, None for an empty one.

    Raises `UsageError` that begins with `where` if it is not a list of answers.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise UsageError(f"{where}: `{column}` is {kind_of(value)}; it must be a list of answers")
    refuse_steps(value, record, column, where)
    models = _beside(record, column, len(value))
    found: list[Listed | None] = []
    for number, (item, model) in enumerate(zip(value, models, strict=True), start=1):
        place = f"{where}: answer {number} of `{column}`"
        if isinstance(item, Mapping) and "role" not in item and "from" not in item:
            text = next((item[name] for name in _TEXTS if isinstance(item.get(name), str)), None)
            if text is None:
                raise UsageError(f"{place} has no text under any of {', '.join(_TEXTS)}")
            model = next((item[name] for name in _MODELS if isinstance(item.get(name), str)), model)
            found.append(Listed(text, model, _score(item)) if text.strip() else None)
            continue
        if item is None or item == [] or (isinstance(item, str) and not item.strip()):
            found.append(None)
            continue
        messages = messages_of(item, place, "assistant")
        if len(messages) != 1 or messages[0].role != "assistant":
            raise UsageError(f"{place} is {len(messages)} messages; give one message of the assistant")
        if messages[0].tool_calls:
            raise UsageError(f"{place} calls a tool, and only texts are compared here; remove it")
        found.append(Listed(messages[0].content, model))
    return found


def refuse_steps(value: list[Any], record: Mapping[str, Any], column: str, where: str) -> None:
    """Raise `UsageError` for labelled steps of one solution, as process reward models learn from."""
    labels = record.get("labels")
    if isinstance(labels, list) and len(labels) == len(value) and all(isinstance(x, bool) for x in labels):
        raise UsageError(
            f"{where}: `{column}` stand beside `labels` of true and false, as steps of one solution do; "
            "steps are no answers to compare. If they are answers, name the column `scores`, with numbers"
        )


def model_of(column: str, record: Mapping[str, Any]) -> str | None:
    """Return the model that wrote a column: `chosen_model`, or `model_a` for `response_a`."""
    beside = (record.get(name) for name in models_beside(column))
    return next((model for model in beside if isinstance(model, str) and model), None)


def models_beside(column: str) -> tuple[str, str]:
    """Return the columns in which the model that wrote a column may stand."""
    return f"{column}_model", f"model_{column.rpartition('_')[2]}"


def texts_in(value: Any) -> Iterator[str]:
    """Yield the text of every answer in a column, be it a text, a message, an object, or a list of them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield next((value[name] for name in _TEXTS if isinstance(value.get(name), str)), "")
    elif isinstance(value, list):
        for one in value:
            yield from texts_in(one)


def _beside(record: Mapping[str, Any], column: str, count: int) -> list[str | None]:
    """The models behind the answers, from a list beside them."""
    one = column.removesuffix("s")
    for name in (f"{one}_models", f"{column}_models", "models", "model_names"):
        models = record.get(name)
        if isinstance(models, list) and len(models) == count:
            return [model if isinstance(model, str) and model else None for model in models]
    return [None] * count


def _score(item: Mapping[str, Any]) -> float | None:
    for name in _SCORES:
        value = item.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    rank = item.get("rank")
    return -float(rank) if isinstance(rank, int | float) and not isinstance(rank, bool) else None


def list_among(source: Source, names: Sequence[str]) -> str | None:
    """Return the column that holds lists of answers: the named one, or one found by convention.

    The first row that has anything in the column tells.
    """
    for name in names if len(names) == 1 else (n for n in LISTS if n in names):
        records = (record for _, record in source.readable() if not isinstance(record, UsageError))
        found = next((value for record in records if (value := record.get(name)) not in (None, [])), None)
        if isinstance(found, list) and not _is_conversation(found):
            return name
    return None


def _is_conversation(value: list[Any]) -> bool:
    """Whether a list is of messages of several speakers, or of one message."""
    roles = [item.get("role", item.get("from")) for item in value if isinstance(item, dict)]
    return len(roles) == len(value) and None not in roles and (len(set(roles)) > 1 or len(roles) == 1)
