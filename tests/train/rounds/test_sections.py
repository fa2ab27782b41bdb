"""Every setting of a command can be given wherever the command is run."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from pairwright.commands import COMMANDS
from pairwright.config import Config, sections_of
from pairwright.errors import UsageError
from pairwright.stages.budget import BudgetConfig
from pairwright.stages.config import ReadingConfig
from train.adversarial.config import GameConfig
from train.on_policy.config import LoopConfig
from train.rounds.refusals import in_sections

ROUNDS = (LoopConfig, GameConfig)
SECTIONS = [(config, name) for config in ROUNDS for name in sections_of(config) if name in COMMANDS]


@pytest.mark.parametrize(("config", "name"), SECTIONS, ids=lambda v: getattr(v, "__name__", v))
def test_a_section_has_every_setting_of_its_command_but_those_that_a_round_decides(config, name):
    command, section = COMMANDS[name].config().model_fields, sections_of(config)[name].model_fields
    managed = set(config.managed[name])
    beyond = {"model"} if (config, name) == (GameConfig, "reward") else set()  # the base of all of them
    assert command.keys() - section.keys() == (managed & command.keys()) - beyond
    assert section.keys() <= command.keys()  # else it would be given and go nowhere


@pytest.mark.parametrize(("config", "name"), SECTIONS, ids=lambda v: getattr(v, "__name__", v))
def test_a_refusal_of_a_command_names_its_settings_as_the_section_has_them(config, name):
    class Round(NamedTuple):
        command: Callable[[Config], None]

    def refuse(_: Config) -> None:
        raise UsageError("--seed 1: raise --no_seed, `--out`, --max_cost or --engine.x 2, not sub--seed")

    made = config.model_construct()
    with pytest.raises(UsageError) as caught:
        in_sections(Round(refuse), made).command(COMMANDS[name].config().model_construct())
    section = sections_of(config)[name].model_fields
    seed, engine = (
        f"--{name}.{known}" if known in section else f"--{known}" for known in ("seed", "engine")
    )
    no_seed = seed.replace("seed", "no_seed")
    assert str(caught.value) == (
        f"{seed} 1: raise {no_seed}, `--out`, --budget.max_cost or {engine}.x 2, not sub--seed"
    )


@pytest.mark.parametrize("config", ROUNDS)
def test_what_is_managed_above_the_sections_can_be_given_there(config):
    """How prompts are read, the budget, and looking before anything is asked."""
    assert config.model_fields.keys() >= {*ReadingConfig.model_fields, "preview", "dry_run", "output_dir"}
    assert sections_of(config)["budget"] is BudgetConfig


def test_the_commands_of_both_are_those_that_are_run():
    assert {name for _, name in SECTIONS} == {
        "sample",
        "judge",
        "revise",
        "train",
        "reward",
        "score",
        "winrate",
        "eval",
    }
