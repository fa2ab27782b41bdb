"""A server's list of models: their names, and the model behind one."""

import json
from typing import Any

from pairwright.engines.openai.faults import printable

_ROOT_CHARACTERS = 200
"""Most of a model's root that is kept."""


def model_names(listed: bytes) -> tuple[str, ...]:
    """Return the names on a list of models; none if it is not a list."""
    try:
        return tuple(printable(str(entry["id"])) for entry in json.loads(listed)["data"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()


def model_root(body: bytes, model: str) -> str:
    """Return the `root` that a list of models gives for a model, as vLLM does.

    Empty where the list says nothing of it, is no list, or only says the model's name again.
    """
    try:
        entries: list[Any] = json.loads(body)["data"]
        roots = [entry["root"] for entry in entries if entry["id"] == model]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    root = roots[0] if roots and isinstance(roots[0], str) else model
    return "" if root == model else printable(root)[:_ROOT_CHARACTERS]
