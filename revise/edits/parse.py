"""Read a reviser's list of edits, from strict JSON to what models make of JSON."""

import json
import re
from typing import Any, Literal

import json_repair

from revise.edits.apply import Edit

Unit = Literal["text", "sentence"]

_MOST_TRIES = 1000
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)\w*[ \t]*$", re.MULTILINE)
_BEGINS = re.compile(r"\[\s*\{|\{\s*[\"'“‘”’]?\s*(?:edits|find|sentence)[\"'“‘”’]?\s*:")
_KEYS = {"find", "sentence", "replace", "reason"}
_NUMBER = re.compile(r"\s*\[?[sS]?(\d{1,6})\]?\s*")
_DECODER = json.JSONDecoder(strict=False)


def schema_of(unit: Unit) -> dict[str, Any]:
    """Return the JSON schema of an answer.

    The list is in an object because hosted servers, in their strict mode, take no other root and want every
    key required and no others allowed.
    """
    where = {"find": {"type": "string"}} if unit == "text" else {"sentence": {"type": "integer"}}
    keys = where | {"replace": {"type": "string"}, "reason": {"type": "string"}}
    item = {"type": "object", "properties": keys, "required": list(keys), "additionalProperties": False}
    return {
        "type": "object",
        "properties": {"edits": {"type": "array", "items": item}},
        "required": ["edits"],
        "additionalProperties": False,
    }


def parse_edits(text: str, unit: Unit, *, cut_off: bool = False) -> list[Edit] | None:
    """Return the edits in a completion, or None when there is no list of them or one of them is incomplete.

    JSON is looked for anywhere in the text: `{"edits": [...]}`, a bare list, or single objects. The
    last list counts, since a reviser may think aloud before it. JSON with slips in it (trailing
    commas, typographic or single quotes, comments) is repaired, unless it breaks off: what is
    missing there cannot be guessed, nor after `cut_off`, which only whole JSON survives.
    """
    items = _listed(_values(text))
    if items is None and not cut_off:
        items = _listed(_repaired(text))
        if any(isinstance(item, dict) and item.keys() - _KEYS for item in items or ()):
            return None  # a quotation mark within a text was taken for its end
    if items is None:
        return None
    edits = [_edit(item, unit) for item in items]
    return None if None in edits else [edit for edit in edits if edit is not None]


def _values(text: str) -> list[Any]:
    """Every outermost JSON object and list in a text."""
    found: list[Any] = []
    at = tries = 0
    while (opening := re.compile(r"[\[{]").search(text, at)) and tries < _MOST_TRIES:
        tries += 1
        try:
            value, at = _DECODER.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            if _BEGINS.match(text, opening.start()):
                return []  # a list with a slip in it: its parts by themselves would not be the whole
            at = opening.end()
        else:
            found.append(value)
    return found


def _repaired(text: str) -> list[Any]:
    """The JSON that a text with slips in it was meant to be; nothing if it breaks off."""
    plain = _FENCE.sub("", text)
    begin, end = _BEGINS.search(plain), max(plain.rfind("]"), plain.rfind("}")) + 1
    if begin is None or end <= begin.start() or re.search(r"[\[{]", plain[end:]):
        return []
    inner = plain[begin.start() : end]
    if inner.count("[") > inner.count("]") or inner.count("{") > inner.count("}"):
        return []
    try:
        value = json_repair.loads(inner, skip_json_loads=True)
    except (ValueError, RecursionError):
        return []
    return [value]


def _listed(values: list[Any]) -> list[Any] | None:
    """The items of the last value that is a list of edits; or all values that are edits by themselves."""
    lists = []
    for value in values:
        inner = value.get("edits") if isinstance(value, dict) else value
        if isinstance(inner, dict) and _is_item(inner):
            inner = [inner]
        if isinstance(inner, list) and (any(map(_is_item, inner)) or not inner):
            lists.append(inner)
    filled = [one for one in lists if one]
    if filled:
        return filled[-1]
    single = [value for value in values if _is_item(value)]
    return single or (lists[-1] if lists else None)


def _is_item(value: Any) -> bool:
    return isinstance(value, dict) and ("find" in value or "sentence" in value)


def _edit(item: Any, unit: Unit) -> Edit | None:
    """One edit; None if it lacks what it needs."""
    if not isinstance(item, dict) or not isinstance(item.get("replace"), str):
        return None
    find: Any = item.get("find" if unit == "text" else "sentence")
    if unit == "sentence" and isinstance(find, str) and (number := _NUMBER.fullmatch(find)):
        find = int(number[1])
    if isinstance(find, bool) or not isinstance(find, str if unit == "text" else int):
        return None
    reason = item.get("reason")
    reason = reason.encode(errors="replace").decode() if isinstance(reason, str) else ""
    return Edit(find, item["replace"], reason)
