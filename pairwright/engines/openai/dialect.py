"""Which of the classic fields a server takes: learned from its refusals, and kept."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pairwright.engines.openai.error_body import unpacked

NEUTRAL: Mapping[str, Any] = {"top_p": 1.0, "n": 1}
"""Values that change nothing, so that nobody misses the field."""
OPTIONAL = ("temperature", "top_p", "seed", "n")
"""Fields that a request can do without; what the server does then is its own default."""
NEW_NAMES = {"max_tokens": "max_completion_tokens"}
"""What newer models call a field."""
_NEW_ONES = frozenset(NEW_NAMES.values())
FEWER_LOGPROBS = 5
"""Most likeliest tokens of servers that refuse twenty and do not say how many they give."""

LEAST_TEMPERATURE = 0.01
"""What servers are asked for that take no temperature of 0: as good as greedy."""

_REFUSED = re.compile(
    r"unsupported|not supported|n[o']t support|unknown|unrecogni[sz]ed|unexpected|extra|not permitted"
    r"|not allowed|forbidden|invalid|cannot|deprecated|\bmust\b|\bonly\b|instead|at most|less than|maximum"
    r"|不支持|无效|未知|不允许|不能|サポート|無効|不明な|지원|알 수 없|유효하지"
    r"|nicht unterst|ungültig|unbekannt|unzulässig|pris en charge|support[ée]e?\b|inconnu|invalide"
    r"|compatible|desconocid|inválid|não suport|sconosciut|не поддерж|недопуст|неизвестн",
    re.IGNORECASE,
)
_FOREIGN = re.compile(r"[^\W\da-zA-Z_]")
"""A letter that English has not: there a word such as `seed` is a field's name and no other word."""
_SPOKEN_OF = (
    r"\b(?:(?:parameter|argument|field|input|key|option)(?:s|\(s\))?(?: supplied)?|unsupported|unknown)"
    r"\W{{1,4}}{0}\b"
    r"|\b{0}\W{{1,2}}(?:parameter|argument|field|option)\b"
    r"|^{0}(?::|\s+(?:is|are|was|does|cannot|must|may|not)\b)"
)
"""How a field is spoken of whose name is a word of the language too."""
_QUOTE = r"(?:[\"'`{}“”„‘’「」]|«\s?|\s?»)"
_RANGE = re.compile(
    r"too (?:large|big|high|small|low)|(?:greater|more|less|lower|smaller|larger|higher) than"
    r"|\b(?:at most|at least|exceeds?|maximum|minimum|above|below|between|range|positive)\b|[<>≤≥]=?\s*\d",
    re.IGNORECASE,
)
_NUMBERS = ("max_tokens", "max_completion_tokens", "temperature", "top_p")
TOO_LONG = re.compile(
    r"context[ _-]?(length|size|window)|too long|longer than|(maximum prompt|prompt's) length|"
    r"exceeds the maximum number of tokens|input token count|(payload|entity) too large",
    re.IGNORECASE,
)
"""How servers say that a request does not fit into the model's context."""


@dataclass(frozen=True)
class Dialect:
    """How requests to one server are written."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    most_logprobs: int = 20
    least_temperature: float = 0.0

    def spoken(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of a request in this dialect."""
        said = {self.renamed.get(n, n): v for n, v in body.items() if n not in self.left_out}
        if "temperature" in said:
            said["temperature"] = max(said["temperature"], self.least_temperature)
        if not self.most_logprobs:
            return {n: v for n, v in said.items() if n not in ("logprobs", "top_logprobs")}
        if "top_logprobs" in said:
            said["top_logprobs"] = min(said["top_logprobs"], self.most_logprobs)
        return said


def adapted(dialect: Dialect, sent: Mapping[str, Any], reply: bytes) -> tuple[Dialect, str] | None:
    """Return the dialect learned from a refusal of `sent`, and a note for people; None if nothing is.

    Fields are left out, renamed or lowered; none that a request cannot do without is left out.
    """
    value, message = _read(reply)
    named = refused_fields(sent, value, message)
    if wrong := beyond_range(sent, named, message):
        if wrong != ["temperature"] or sent["temperature"]:
            return None
        return replace(
            dialect, least_temperature=LEAST_TEMPERATURE
        ), f"it takes no `temperature` of 0; {LEAST_TEMPERATURE} is sent"
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
    """Return the fields that a refusal of a request names."""
    if TOO_LONG.search(message):
        return []
    if found := [name for name in _located(value) if name in sent]:
        return list(dict.fromkeys(found))
    if not (_REFUSED.search(message) or _RANGE.search(message)):
        return []
    quoted = [name for name in sent if re.search(rf"{_QUOTE}{re.escape(name)}{_QUOTE}", message)]
    foreign = _FOREIGN.search(message) is not None
    bare = [name for name in sent if "_" in name or (foreign and len(name) > 1)]
    spoken = [name for name in sent if re.search(_SPOKEN_OF.format(re.escape(name)), message, re.I | re.M)]
    return quoted or [
        name
        for name in sent
        if name in spoken or (name in bare and re.search(rf"\b{re.escape(name)}\b", message, re.ASCII))
    ]


def beyond_range(sent: Mapping[str, Any], named: Sequence[str], message: str) -> list[str]:
    """Return those of the fields named whose value is refused, where another one would be taken."""
    if (
        not _RANGE.search(message)
        or "default" in message
        or any(new in message for new in _NEW_ONES - sent.keys())
    ):
        return []
    return [name for name in named if name in _NUMBERS and NEUTRAL.get(name) != sent[name]]


def named_field(sent: Mapping[str, Any], reply: bytes) -> tuple[str, bool] | None:
    """Return the field that a request is refused for and cannot do without, or that it lacks; or None.

    Also returns whether only its value is refused. Rows have no part in it.
    """
    value, message = _read(reply)
    found = [name for name in refused_fields(sent, value, message) if name not in ("messages", "model")]
    wrong = beyond_range(sent, found, message)
    found = found or [name for name in _wanted(value) if name not in sent]
    return next(((name, name in wrong) for name in wrong or found), None)


def _read(reply: bytes) -> tuple[Any, str]:
    """The JSON of a refusal, and all of its text."""
    text = reply.decode("utf-8", "replace")
    value = unpacked(text)
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


def _wanted(value: Any) -> Iterator[str]:
    """Fields of a body that are said to be missing, as pydantic says it."""
    details = value.get("detail") if isinstance(value, dict) else None
    for entry in details if isinstance(details, list) else ():
        match entry:
            case {"type": "missing", "loc": ["body", str(name)]}:
                yield name


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
