"""Rounds begun by the version before, whose record has all settings in one level."""

from collections.abc import Mapping
from typing import Any

from pairwright.config import kind_of, sections_of
from train.rounds.config import RoundsConfig

Identity = dict[str, Any]


def is_flat(found: Mapping[str, Any], config: RoundsConfig) -> bool:
    """Return whether the record of a folder is from the time before there were sections."""
    return any(name in config.moved for name in found)


def sections_before(found: Mapping[str, Any], config: RoundsConfig) -> dict[str, dict[str, Any]]:
    """Return the recorded settings by section; those that were not recorded have their defaults."""
    sections: dict[str, dict[str, Any]] = {name: {} for name in sections_of(type(config))}
    for old, places in config.moved.items():
        for place in places if found.get(old) is not None else ():
            section, _, name = place.partition(".")
            sections[section][name] = found[old]
    return sections


def identity_before(
    found: Mapping[str, Any], config: RoundsConfig, sections: dict[str, dict[str, Any]]
) -> Identity:
    """Return the record with its settings in sections; models and prompts stay as they were."""
    own = {
        name: value
        for name, value in found.items()
        if name in type(config).model_fields and kind_of(type(config).model_fields[name]) == "semantic"
    }
    rest = {name: value for name, value in found.items() if name not in own and name not in config.moved}
    now = config.model_dump(exclude=set(sections))
    return type(config).model_validate(now | own | sections).identity | rest
