"""What a server takes of the classic fields of a request: found out from its refusals, and kept."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

NEUTRAL: Mapping[str, Any] = {"top_p": 1.0, "n": 1}
"""Values that change nothing, so that nobody misses the field."""
OPTIONAL = ("temperature", "top_p", "seed", "n")
"""Fields that a request can do without; what the server does then is its own default."""
NEW_NAMES = {"max_tokens": "max_completion_tokens"}
"""What newer models call a field."""
FEWER_LOGPROBS = 5
"""Most likeliest tokens of servers that refuse twenty and do not say how many they give."""

_REFUSED = re.compile(
    r"unsupported|not supported|n[o']t support|unknown|unrecogni[sz]ed|unexpected|extra|not permitted"
    r"|not allowed|forbidden|invalid|cannot|deprecated|\bmust\b|\bonly\b|instead|at most|less than|maximum",
    re.IGNORECASE,
)
_CONTEXT = re.compile(r"context[ _-]?(length|size|window)|too long|longer than", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How a request is said to one server."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    most_logprobs: int = 20

    def spoken(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of a request in this dialect."""
        said = {self.renamed.get(n, n): v for n, v in body.items() if n not in self.left_out}
        if not self.most_logprobs:
            return {n: v for n, v in said.items() if n not in ("logprobs", "top_logprobs")}
        if "top_logprobs" in said:
            said["top_logprobs"] = min(said["top_logprobs"], self.most_logprobs)
        return said


def adapted(dialect: Dialect, sent: Mapping[str, Any], reply: bytes) -> tuple[Dialect, str] | None:
    """Return the dialect that a refusal of `sent` teaches, and what to say of it; None where it teaches
    nothing.

    Fields are left out, renamed or lowered; none that a request cannot do without is left out.
    """
    value, message = _read(reply)
    named = refused_fields(sent, value, message)
    if "max_tokens" in named:
        new = NEW_NAMES["max_tokens"]
        return replace(
            dialect, renamed={**dialect.renamed, "max_tokens": new}
        ), f"`max_tokens` is `{new}` there"
    if "top_logprobs" in named and sent["top_logprobs"] > 1:
        limits = [int(n) for n in re.findall(r"\b\d{1,2}\b", message)]
        most = max((n for n in limits if 0 < n < sent["top_logprobs"]), default=FEWER_LOGPROBS)
        if most < sent["top_logprobs"]:
            return replace(
                dialect, most_logprobs=most
            ), f"it gives {most} log-probabilities of a token at most"
    found = [name for name in OPTIONAL if name in named]
    gone = [name for name in found if NEUTRAL.get(name) == sent[name]] if len(found) > 1 else []
    if len(gone) == len(found) or "extra" in message.lower():
        gone = found
    gone = gone or found
    if not gone:
        return None
    missed = [name for name in gone if NEUTRAL.get(name) != sent[name]]
    said = (
        f"it takes no {' and no '.join(f'`{name}`' for name in missed)}; its own is used" if missed else ""
    )
    return replace(dialect, left_out=dialect.left_out | set(gone)), said


def refused_fields(sent: Mapping[str, Any], value: Any, message: str) -> list[str]:
    """Return the fields of a request that a refusal is about, as it names them."""
    if _CONTEXT.search(message):
        return []
    if found := [name for name in _located(value) if name in sent]:
        return list(dict.fromkeys(found))
    if not _REFUSED.search(message):
        return []
    quoted = [name for name in sent if re.search(rf"[\"'`{{]{re.escape(name)}[\"'`}}]", message)]
    bare = [name for name in sent if "_" in name and re.search(rf"\b{re.escape(name)}\b", message)]
    return quoted or bare


def named_field(sent: Mapping[str, Any], reply: bytes) -> str | None:
    """Return the field that a request is refused for and cannot do without; rows have no part in it."""
    found = refused_fields(sent, *_read(reply))
    return next((name for name in found if name not in ("messages", "model")), None)


def _read(reply: bytes) -> tuple[Any, str]:
    """The JSON of a refusal, and all of its text."""
    text = reply.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None, text
    return value, "\n".join(_texts(value)) or text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _located(value: Any) -> Iterator[str]:
    """Fields that an error points at: `param` of OpenAI, the last part of `loc` of pydantic."""
    if isinstance(value, dict):
        if isinstance(param := value.get("param"), str):
            yield param
        if isinstance(loc := value.get("loc"), list) and loc and isinstance(loc[-1], str):
            yield loc[-1]
        for inner in value.values():
            yield from _located(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _located(inner)
