"""Files of OpenAI's interfaces: preferences for fine-tuning, requests of a batch, and its answers."""

from collections.abc import Iterator, Mapping
from typing import Any

from pairwright.errors import UsageError
from pairwright.inputs.forms.form import Form, Wrong
from pairwright.inputs.source import Record, Source

_REQUESTS = ("method", "url", "body")
_ANSWERS = ("custom_id", "response", "error")


def _preference(asked: Any, preferred: Any, other: Any) -> Mapping[str, Any]:
    if not isinstance(asked, Mapping) or "messages" not in asked:
        raise Wrong("`input` has no `messages`")
    return {"prompt": asked["messages"], "chosen": preferred, "rejected": other, **_tools(asked)}


def _request(method: Any, url: Any, body: Any) -> Mapping[str, Any]:
    if not isinstance(body, Mapping) or "messages" not in body:
        raise Wrong("`body` has no `messages`; requests for chat completions alone can be read")
    return {"messages": body["messages"], **_tools(body)}


def _tools(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"tools": asked["tools"]} if asked.get("tools") else {}


def _answer(name: Any, response: Any, error: Any) -> Mapping[str, Any]:
    raise Wrong(
        "is an answer of OpenAI's batch API, which does not repeat its prompt; name the file of requests "
        "too: REQUESTS.jsonl+ANSWERS.jsonl"
    )


OPENAI = (
    Form(
        "openai_preference",
        ("input", "preferred_output", "non_preferred_output"),
        "preference files for OpenAI's fine-tuning",
        "`input.messages` (with its `tools`), the preferred and the other output",
        _preference,
    ),
    Form("openai_batch", _REQUESTS, "requests of OpenAI's batch API", "prompts", _request),
    Form(
        "openai_answers",
        _ANSWERS,
        "answers of OpenAI's batch API",
        "answers to the requests, which are named before them: REQUESTS.jsonl+ANSWERS.jsonl",
        _answer,
    ),
)


def is_batch(first: Record | None, *, answers: bool) -> bool:
    """Return whether a file that begins with this row holds a batch's requests, or its answers."""
    return first is not None and set(_ANSWERS if answers else _REQUESTS) <= first.keys()


class Batch(Source):
    """The answers of a batch with their prompts, joined by `custom_id`; one row a choice."""

    def __init__(self, requests: Source, answers: Source) -> None:
        self._requests, self._answers = requests, answers

    def sha256(self) -> str:
        """Return the hash of both files."""
        return f"{self._requests.sha256()}+{self._answers.sha256()}"

    def readable(self) -> Iterator[tuple[str, Record | UsageError]]:
        """Yield every answer as prompt and completion, or its problem; failed and open requests too."""
        asked = dict(self._asked())
        left = dict.fromkeys(asked)
        for where, record in self._answers.readable():
            if isinstance(record, UsageError):
                yield where, record
                continue
            name = str(record.get("custom_id"))
            left.pop(name, None)
            if name not in asked:
                yield where, UsageError(f"{where}: `custom_id` {name!r} is that of no request")
                continue
            try:
                for row in _joined(asked[name][1], record):
                    yield where, {**row, "custom_id": name}
            except Wrong as error:
                yield where, UsageError(f"{where}: {error}")
        for name in left:
            where = asked[name][0]
            yield where, UsageError(f"{where}: the batch has no answer to this request ({name!r})")

    def _asked(self) -> Iterator[tuple[str, tuple[str, Mapping[str, Any]]]]:
        """The requests by their names."""
        for where, record in self._requests:
            try:
                yield str(record.get("custom_id")), (where, _request(*(record.get(n) for n in _REQUESTS)))
            except Wrong as error:
                raise UsageError(f"{where}: {error}") from None


def _joined(asked: Mapping[str, Any], record: Record) -> Iterator[Record]:
    response = record.get("response")
    body = response.get("body") if isinstance(response, Mapping) else None
    failed = record.get("error") or (body or {}).get("error")
    if failed or not isinstance(body, Mapping):
        said = failed.get("message") if isinstance(failed, Mapping) else failed
        raise Wrong(f"the request failed ({said or 'without a word'})")
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Wrong("`response.body` has no `choices`; answers of chat completions alone can be read")
    prompt = {"prompt": asked["messages"], **{n: v for n, v in asked.items() if n != "messages"}}
    for choice in choices:
        said = choice.get("message") if isinstance(choice, Mapping) else None
        if not isinstance(said, Mapping) or not said.get("content"):
            raise Wrong("a choice has no text" + (" but a refusal" if (said or {}).get("refusal") else ""))
        yield {**prompt, "completion": said["content"], "completion_model": body.get("model")}
