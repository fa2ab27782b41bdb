"""The two sides of a win rate: engines that answer now, or answers that are there already."""

import logging
from collections.abc import Mapping
from typing import NamedTuple

from pairwright.columns import Columns
from pairwright.engines.spec import KINDS, check_spec
from pairwright.errors import UsageError
from pairwright.inputs import Candidate, Input
from pairwright.sources import open_source

log = logging.getLogger(__name__)


class Side(NamedTuple):
    """One side: its engine, or its answers by prompt."""

    role: str
    """`input` or `baseline`."""
    name: str
    """As the user gave it."""
    engine: str | None
    answers: Mapping[str, Candidate]
    """By `prompt_id`; empty for an engine."""
    revision: str
    """Hash of the answers; empty for an engine, whose model says what it is."""


def side_of(role: str, name: str, columns: Columns) -> Side:
    """An engine spec, or a run folder or file with one answer to each prompt.

    Of several answers to a prompt the first one counts; a warning says how many do not. Raises
    `UsageError` for a source without answers.
    """
    if is_engine(name):
        check_spec(name)
        return Side(role, name, name, {}, "")
    rows = Input(name, columns, None)
    found: dict[str, Candidate] = {}
    more = 0
    for row in rows:
        if row.answer is None:
            continue
        if row.prompt_id in found:
            more += 1
            continue
        model = row.carried.get("completion_model")
        found[row.prompt_id] = Candidate(row.answer, model if isinstance(model, str) else name)
    if not found:
        raise UsageError(f"{name}: no answers in it; name their column with --answer_column")
    if more:
        log.warning("%s: of several answers to a prompt the first counts; %d are left out", name, more)
    return Side(role, name, None, found, open_source(name).sha256())


def is_engine(name: str) -> bool:
    """Whether a side is an engine spec; else it is a place with answers."""
    kind, colon, _ = name.partition(":")
    return bool(colon) and kind in KINDS
