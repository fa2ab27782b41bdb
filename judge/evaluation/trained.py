"""Prompts of an evaluation that a model was trained on, by the record of its training."""

import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pairwright.errors import PairwrightError
from pairwright.figures.training import TRAINING_RECORD
from pairwright.folders.json_record import read_json
from pairwright.inputs.pairs import read_pairs
from pairwright.records import Message, conversation, prompt_hash

log = logging.getLogger(__name__)
_FROM_FOLDERS = ("hf:", "vllm:")
_EVERY_BAD_ROW = 1 << 62


class Seen(NamedTuple):
    """What is known of a model's training."""

    prompts: int
    """Of those asked, how many are in its pairs."""
    unread: tuple[str, ...] = ()
    """Pairs that it was trained on and that cannot be read, each with the reason."""


def prompt_keys(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return a key for each prompt in rows of a run; white space around a text does not count."""
    return {_key(conversation(row["prompt"])) for row in rows}


def seen_in_training(model: str, prompts: Collection[str]) -> Seen:
    """Find which of the prompts, by their keys, are in the pairs that a model here was trained on.

    A model that was trained from a trained one has seen that one's pairs too.
    """
    place: Path | None = Path(_in_folder(model))
    known: set[str] = set()
    unread: list[str] = []
    visited: set[Path] = set()
    while place is not None and place.resolve() not in visited:
        visited.add(place.resolve())
        try:
            record = read_json(place / TRAINING_RECORD, "restore it")
        except PairwrightError as error:
            unread.append(str(error))
            break
        config = record.get("config") if record else None
        if not isinstance(config, dict):
            break
        base = _begun_in(place, config, str(record.get("begun_in") or "") if record else "")
        data = config.get("data") or []
        for name in [data] if isinstance(data, str) else data:
            try:
                known |= {
                    _key(pair.prompt) for pair in read_pairs([_found(name, base)], skip=_EVERY_BAD_ROW)
                }
            except (OSError, PairwrightError) as error:
                unread.append(str(error))
        base_model = config.get("model")
        place = Path(_found(_in_folder(base_model), base)) if base_model else None
    return Seen(len(known & set(prompts)), tuple(unread))


def warn_of_trained(model: str, seen: Seen, prompts: int) -> None:
    """Say that a model has seen what it is measured on, or that this is not known."""
    if seen.prompts:
        said = "%s was trained on %d of the %d prompts; its pass rate says less about other prompts"
        log.warning(said, model, seen.prompts, prompts)
    for reason in seen.unread:
        said = "%s: its training pairs cannot be read (%s), so whether it was trained on these prompts"
        log.warning(f"{said} is not known", model, reason)


def _key(prompt: Iterable[Message]) -> str:
    return prompt_hash(m.model_copy(update={"content": m.content.strip(), "beside": None}) for m in prompt)


def _in_folder(model: str) -> str:
    return next((model.removeprefix(kind) for kind in _FROM_FOLDERS if model.startswith(kind)), model)


def _begun_in(folder: Path, config: Mapping[str, Any], recorded: str) -> Path:
    """The folder that relative names in a training's record go from: where its command was run.

    `output_dir`, if it is relative, tells it also of what was moved since.
    """
    here, output = folder.resolve(), Path(str(config.get("output_dir") or ""))
    depth = len(output.parts)
    if not output.is_absolute() and depth and here.parts[-depth:] == output.parts:
        return here.parents[depth - 1]
    return Path(recorded)


def _found(name: str, base: Path) -> str:
    """The name as it is found from here; one that is not a path there stays as it is."""
    return str(base / name) if (base / name).exists() else name
