"""Prompts of an evaluation that a model was trained on."""

import logging
from collections.abc import Collection
from pathlib import Path

from pairwright.errors import PairwrightError
from pairwright.figures.training import TRAINING_RECORD
from pairwright.folders.json_record import read_json
from pairwright.inputs.pairs import read_pairs
from pairwright.records import prompt_hash

log = logging.getLogger(__name__)


def seen_in_training(model: str, prompts: Collection[str]) -> int:
    """How many of the prompts, by their ids, the pairs hold that a model here was trained on.

    0 where it is no training of ours, or its pairs are gone.
    """
    folder = Path(model.removeprefix("hf:"))
    try:
        record = read_json(folder / TRAINING_RECORD, "") or {}
        data = record["config"]["data"]
        pairs = read_pairs([data] if isinstance(data, str) else data)
        return len({prompt_hash(pair.prompt) for pair in pairs} & set(prompts))
    except (OSError, ValueError, KeyError, TypeError, PairwrightError):
        return 0


def warn_of_trained(model: str, count: int, prompts: int) -> None:
    """Say that a model has seen what it is measured on."""
    if count:
        said = "%s was trained on %d of the %d prompts; its pass rate says less of others"
        log.warning(said, model, count, prompts)
