"""Error replies read: what they say, and the codes, status and wait in them, whatever their shape."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_DEEPEST = 32
_SAID_IN = ("error", "detail", "errors", "message", "Message", "msg", "base_resp", "status_msg")
"""Where the words of an error stand, in the order in which they are looked for."""
_CODE_IN = ("code", "type", "__type", "status", "reason")
_STATUS_IN = ("code", "status", "status_code")
_PAGE = re.compile(r"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body|title|h1|center)\b", re.I | re.S)
_TITLE = re.compile(r"<(?:title|h1)\b[^>]*>([^<]*\S[^<]*)<", re.IGNORECASE)
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)


class ErrorBody(NamedTuple):
    """What an error reply says."""

    message: str
    codes: frozenset[str] = frozenset()
    """Names of what went wrong, in lower case."""
    status: int = 0
    """The status of HTTP that it names; 0 where it names none."""
    headers: Mapping[str, str] = {}
    """Headers that stand in it: how long to wait, mostly."""


def read_error(body: bytes) -> ErrorBody:
    """Return what the body of an error reply says; a body of any kind says something."""
    text = body.decode("utf-8", "replace")
    value = unpacked(text)
    if isinstance(value, str):
        return ErrorBody(page_text(text) or text)
    inside = list(_objects(value))
    codes = {one[name].lower() for one in inside for name in _CODE_IN if isinstance(one.get(name), str)}
    statuses = [found for one in inside for name in _STATUS_IN if (found := _status(one.get(name)))]
    headers: dict[str, str] = {}
    for one in inside:
        if isinstance(given := one.get("headers"), dict):
            headers |= {name.lower(): str(value) for name, value in given.items()}
        if isinstance(wait := one.get("retryDelay"), str):  # Google's
            headers["x-ratelimit-reset"] = wait
    return ErrorBody(words_of(value) or text, frozenset(codes), next(iter(statuses), 0), headers)


def page_text(text: str) -> str:
    """Return the title of a web page, or else its words; empty for other texts."""
    if not _PAGE.match(text):
        return ""
    title = _TITLE.search(text)
    return f"a web page, {' '.join(_TAG.sub(' ', title[1] if title else text).split())!r}"


def unpacked(text: str) -> Any:
    """Return the JSON value in a text, texts in it that hold JSON unpacked too; other texts stay."""
    return _unpacked(text, _DEEPEST)


def _unpacked(value: Any, left: int) -> Any:
    if left == 0:
        return None
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "[", '"'):
        try:
            return _unpacked(json.loads(value), left - 1)
        except (ValueError, RecursionError):
            return value
    if isinstance(value, dict):
        return {name: _unpacked(inner, left - 1) for name, inner in value.items()}
    return [_unpacked(inner, left - 1) for inner in value] if isinstance(value, list) else value


def words_of(value: Any) -> str:
    """Return the words of an error, with the field that they speak of where that is beside them."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, map(words_of, value)))
    if not isinstance(value, dict):
        return ""
    found = [said for name in _SAID_IN if (said := words_of(value.get(name)))]
    if not found:
        return ""
    said = ": ".join(found[:2]) if isinstance(value.get("error"), str) else found[0]
    where, further = value.get("loc"), value.get("metadata")
    if isinstance(where, list) and "msg" in value:
        said = f"{'.'.join(map(str, where))}: {said}"
    behind = words_of(further.get("raw")) if isinstance(further, dict) else ""  # OpenRouter's
    return f"{said} ({behind})" if behind else said


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a value, the outer ones first."""
    if isinstance(value, dict):
        yield value
        value = [inner for name, inner in value.items() if name != "input"]  # a request, shown again
    for inner in value if isinstance(value, list) else ():
        yield from _objects(inner)


def _status(value: Any) -> int:
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if re.fullmatch(r"[45]\d\d", text) else 0
