"""Games that the version before began: what their record would be today."""

from typing import Any

from train.adversarial.config import GameConfig
from train.rounds.before import identity_before, is_flat, sections_before


def record_today(found: dict[str, Any], config: GameConfig, now: dict[str, Any]) -> dict[str, Any]:
    """The record of a game's folder with settings in sections, whoever wrote it.

    Judges were recorded by name and not by what stands behind it; the same name is the same judge.
    """
    if not is_flat(found, config):
        return found
    sections = sections_before(found, config)
    asked = {name: identity for name, identity in now.items() if name.startswith("win judge")}
    if found.get("judge") != config.winrate.judge:
        asked = dict.fromkeys(asked or ["win judge model"], found.get("judge"))
    asked["policy model"] = now["policy model"]  # the model itself was recorded
    return identity_before(found, config, sections) | asked
