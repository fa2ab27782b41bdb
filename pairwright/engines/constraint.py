"""Whether an answer is what a request's constraint allows."""

import json
from typing import Any

from pairwright.records import Request

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "number": (int, float),
    "integer": int,
}


def broken_constraint(text: str, request: Request) -> str | None:
    """Return how `text` breaks the request's constraint, or None.

    Of a JSON schema only the outermost type and the required keys are checked: this is to notice
    an engine that ignores schemas, not to validate what it says.
    """
    if request.choices and text not in request.choices:
        return f"it is none of the {len(request.choices)} choices asked for"
    if request.json_schema is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "it is not JSON, although a JSON schema was given"
    return _misfit(value, request.json_schema)


def _misfit(value: Any, schema: dict[str, Any]) -> str | None:
    expected = schema.get("type")
    if isinstance(expected, str) and not isinstance(value, _TYPES.get(expected, object)):
        return f"it is JSON, but not of the schema's type {expected!r}"
    required = schema.get("required", ())
    if isinstance(value, dict) and any(key not in value for key in required):
        return "it lacks a key that the JSON schema requires"
    return None
