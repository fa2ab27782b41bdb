"""Probes of whether an engine enforces a constraint, which no model obeys by accident."""

import json
import re
from typing import Literal

from pairwright.engines.constraint import broken_constraint
from pairwright.records import Completion, Job, Request, Sampling, conversation

Kind = Literal["choice", "schema"]
PROBE = "probe"
"""The role in which such a question is asked."""

_CHOICES = ("zq-417", "kv-902")
_SCHEMA = {
    "type": "object",
    "properties": {"zq417": {"type": "boolean"}},
    "required": ["zq417"],
    "additionalProperties": False,
}
_TOPS = 5
_ABOUT_LOGPROBS = re.compile(r"(http_400|http_422|invalid_response): .*log-?_?prob", re.IGNORECASE)
_NAMES: dict[Kind, str] = {"choice": "choices", "schema": "JSON schemas"}


def constraint_kind(request: Request) -> Kind | None:
    """Return which constraint a request relies on, if any."""
    if request.choices:
        return "choice"
    return "schema" if request.json_schema is not None else None


def constraint_probe(kind: Kind) -> Job:
    """Return a question whose natural answer breaks its constraint."""
    request = Request(
        role=PROBE,
        messages=conversation("What is the capital of France? Answer in one word."),
        sampling=Sampling(max_tokens=48, temperature=0),
        choices=_CHOICES if kind == "choice" else (),
        json_schema=_SCHEMA if kind == "schema" else None,
    )
    return Job(key=request.key("probe"), request=request)


def logprobs_probe() -> Job:
    """Return a question for one token and the likeliest in its place."""
    request = Request(
        role=PROBE,
        messages=conversation("Which is larger, 3 or 5? Answer with the number."),
        sampling=Sampling(max_tokens=1, temperature=0, logprobs=_TOPS),
    )
    return Job(key=request.key("probe"), request=request)


def lacks_logprobs(found: Completion) -> bool:
    """Return whether an answer to this question shows that an engine gives no log-probabilities.

    A thought in its place shows nothing, and neither does a fault of another kind.
    """
    if found.failure is not None:
        return bool(_ABOUT_LOGPROBS.search(found.failure))
    return bool(found.text.strip()) and found.reasoning is None and not found.top_logprobs


def ignored(kind: Kind, completion: Completion) -> str | None:
    """Return the sentence about an engine whose answer to the probe shows that it ignores constraints.

    An answer that was cut off before it said anything shows nothing: the model may think first.
    """
    text, request = completion.text.strip(), constraint_probe(kind).request
    if completion.failure is not None or (not text and completion.finish_reason != "stop"):
        return None
    cut_off = completion.finish_reason == "length" and kind == "schema" and text.startswith("{")
    if cut_off or broken_constraint(completion.text, request) is None:
        return None
    return ignores(kind, f"asked for {_wanted(kind)}, it answered {completion.text[:60]!r}")


def ignores(kind: Kind, how: str) -> str:
    """Return what to do about an engine that ignores a constraint."""
    instead = "use an engine that obeys them, such as vllm:MODEL"
    if kind == "choice":
        instead += ", or judge with --protocol text, or logprob where it gives log-probabilities"
    return f"ignores {_NAMES[kind]} ({how}): {instead}"


def _wanted(kind: Kind) -> str:
    return " or ".join(_CHOICES) if kind == "choice" else json.dumps({"zq417": True})
