"""Refusals of the commands of a round, in the words of what runs them: `--eval.max_tokens`."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from pairwright.commands import COMMANDS
from pairwright.config import Config, sections_of
from pairwright.errors import PairwrightError

C = TypeVar("C", bound=NamedTuple)
_BUDGET = "budget"
"""The section of what is one for all commands."""
_FLAG = re.compile(r"(?<![\w-])--(?:no_)?(\w+)")


@contextmanager
def in_section(name: str, config: Config) -> Iterator[None]:
    """Open a block whose `PairwrightError` names a command's settings as the section `name` has them."""
    try:
        yield
    except PairwrightError as error:
        error.args = (_FLAG.sub(lambda flag: _named(flag, name, config), str(error)),)
        raise


def _named(flag: re.Match[str], section: str, config: Config) -> str:
    """The flag as it is given to rounds; what no section has stands above them, or cannot be given."""
    sections = sections_of(type(config))
    places = (name for name in (section, _BUDGET) if flag[1] in sections[name].model_fields)
    place = next(places, None)
    return flag[0] if place is None else flag[0].replace("--", f"--{place}.", 1)


def in_sections(commands: C, config: Config) -> C:
    """Return commands of a round whose refusals name settings as the sections of `config` have them."""
    return commands._make(_in_its_section(command, config) for command in commands)


def _in_its_section(command: Callable[..., Any], config: Config) -> Callable[..., Any]:
    @wraps(command)
    def run(step: Any, *more: Any, **named: Any) -> Any:
        name = _SECTIONS.get(f"{type(step).__module__}:{type(step).__qualname__}", "")
        if name not in sections_of(type(config)):
            return command(step, *more, **named)
        with in_section(name, config):
            return command(step, *more, **named)

    return run


_SECTIONS = {command.settings: name for name, command in COMMANDS.items()}
"""A section is called as the command whose settings it has."""
