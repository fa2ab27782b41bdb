"""Settings in sections: what differs is put beside what stands."""

from collections.abc import Mapping
from typing import Any


def changed(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with some changed; of a section, those that are named, and None takes one away."""
    result = dict(settings)
    for name, value in changes.items():
        before = result.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            result[name] = changed(before, value)
        elif value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result
