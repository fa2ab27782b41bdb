"""The two halves of a game's prompts, read once and kept beside it, golden answers with the first."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pairwright.errors import PairwrightError, UsageError
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.inputs.sources import records
from train.adversarial.config import GameConfig
from train.rounds.prompts import rows_of, sound, write_prompts

log = logging.getLogger(__name__)

Writer = Callable[[Path], dict[str, str]]
"""Writes golden answers to the prompts in a file; returns them by prompt id."""


class Halves(NamedTuple):
    """The prompts of both halves."""

    rm: list[Row]
    """With golden answers, unless an engine is to write them."""
    llm: list[Row]
    evaluation: list[Row]


class Prompts(NamedTuple):
    """Files of prompts, as the game's stages read them."""

    rm: Path
    """With a golden answer in `golden`."""
    llm: Path
    evaluation: Path


def read_halves(config: GameConfig) -> Halves:
    """Return both halves, checked; nothing is written.

    Raises `UsageError` for a prompt without a golden answer and for fewer prompts than a batch.
    Prompts that are in both halves are warned of: the paper splits them.
    """
    llm = rows_of(config.llm_prompts, config, config.limit)
    rm = golden_rows(config) if config.reward.apo_coeff else []
    evaluation = rows_of(config.eval_prompts, config, config.eval_limit) if config.eval_prompts else llm
    least = config.train.pairs_per_update
    if len(llm) < least:
        raise UsageError(
            f"{config.llm_prompts}: {len(llm)} prompts, fewer than the {least} of one update; give more, "
            "or lower --train.pairs_per_update"
        )
    if shared := {row.prompt_id for row in rm} & {row.prompt_id for row in llm}:
        log.warning(
            "%d prompts are in rm_prompts and in llm_prompts: the language model will be trained on "
            "prompts that its reward model knows; the paper splits them",
            len(shared),
        )
    return Halves(rm, llm, evaluation[: config.eval_limit])


def keep_prompts(halves: Halves, config: GameConfig, folder: Path, write_golden: Writer) -> Prompts:
    """Put the prompts into the game's folder, golden answers with those of the reward model."""
    prompts = Prompts(*(folder / f"{name}_prompts.jsonl" for name in ("rm", "llm", "eval")))
    write_prompts(prompts.llm, halves.llm)
    write_prompts(prompts.evaluation, halves.evaluation)
    rm = halves.rm
    if config.golden_engine and rm:
        asked = folder / "golden_prompts.jsonl"
        write_prompts(asked, rm)
        written = write_golden(asked)
        if missing := sum(row.prompt_id not in written for row in rm):
            log.warning("%d of %d prompts got no golden answer and are left out", missing, len(rm))
        rm = [row._replace(answer=written[row.prompt_id]) for row in rm if row.prompt_id in written]
        if not rm:
            raise PairwrightError(f"{config.golden}: wrote no golden answer that ended within max_tokens")
    write_prompts(prompts.rm, rm)
    return prompts


def golden_rows(config: GameConfig) -> list[Row]:
    """Return the prompts of the reward model's half, with golden answers unless an engine writes them."""
    if config.golden_engine:
        return rows_of(config.rm_prompts, config, config.limit)
    first = next(records(config.rm_prompts), {})
    if first and config.golden not in first:
        there = ", ".join(f"`{name}`" for name in first)
        raise UsageError(
            f"{config.rm_prompts}: no column `{config.golden}` of golden answers; its columns are {there}: "
            "name one with --golden, or an engine that writes them"
        )
    rows = Input(
        config.split_of(config.rm_prompts),
        config.wanted_columns._replace(answer=config.golden),
        config.limit,
        skip=config.skip_bad_rows,
        wanting=f"no golden answer in `{config.golden}`; write it or remove the row",
    )
    return sound(rows)
