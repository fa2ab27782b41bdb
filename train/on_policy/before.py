"""Loops that the version before began: what their record would be today."""

from typing import Any

from train.on_policy.config import LoopConfig
from train.preference.config import PRESETS, ObjectiveConfig
from train.rounds.before import identity_before, is_flat, sections_before


def record_today(found: dict[str, Any], config: LoopConfig) -> dict[str, Any]:
    """The record of a loop's folder with settings in sections, whoever wrote it."""
    if not is_flat(found, config):
        return found
    sections = sections_before(found, config)
    judges = str(sections["judge"].get("judge", "")).split(",")
    if all(spec.strip().startswith("reward:") for spec in judges):  # it was not used then
        sections["judge"].pop("protocol", None)
    preset = config.train.preset
    if preset is not None:  # what it stands for was filled in where a round trained, and not recorded
        fields = ObjectiveConfig.model_fields
        left = {n for n in PRESETS[preset] if sections["train"].get(n) == fields[n].default}
        kept = {name: value for name, value in sections["train"].items() if name not in left}
        sections["train"] = kept | {"preset": preset}
    return identity_before(found, config, sections)
