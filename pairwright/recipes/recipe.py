"""Recipes: their inputs and their commands, read from YAML and filled in.

A setting is a value, or a value with its source: `beta: {value: 5, source: …}`. With `scaled: true` it is a
number of rows or of pairs, which `--scale` makes smaller. `${NAME}` stands for what is given under that
name, `${out.STEP}` for the folder of an earlier step.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import yaml
from pydantic import Field

from pairwright.errors import UsageError
from pairwright.records import Record

_HERE = Path(__file__).parent


class Setting(Record):
    """A setting of a command, and where its value comes from."""

    value: Any
    source: str = ""
    scaled: bool = False
    """Whether it counts rows or pairs, of which a small run has fewer."""


class Step(Record):
    """One command of a recipe."""

    name: str
    """Also that of its folder."""
    command: str
    settings: dict[str, Setting]


class Given(Record):
    """Something that a recipe is given."""

    about: str
    default: str | None = None
    """What was published; None where it must be said."""


class Recipe(Record):
    """A recipe as it is written."""

    name: str
    about: str
    sources: tuple[str, ...]
    differs: str = ""
    """What of the publication these commands do not do."""
    needs: dict[str, Given]
    steps: tuple[Step, ...] = Field(min_length=1)


class Command(Record):
    """A command of a recipe, filled in."""

    name: str
    command: str
    settings: dict[str, Any]

    def argv(self) -> list[str]:
        """Return it as the user would type it, without `pairwright`."""
        flags = [self.command]
        for name, value in self.settings.items():
            match value:
                case True:
                    flags.append(f"--{name}")
                case False:
                    *section, last = name.split(".")
                    flags.append("--" + ".".join([*section, f"no_{last}"]))
                case list():
                    flags += [part for one in value for part in (f"--{name}", str(one))]
                case _:
                    flags += [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
        return flags


def names() -> list[str]:
    """Return the names of all recipes, in alphabetical order."""
    return sorted(path.stem for path in _HERE.glob("*.yaml"))


def read_recipe(name: str) -> Recipe:
    """Return the recipe of a name. Raises `UsageError` for an unknown one."""
    if name not in names():
        raise UsageError(f"no recipe {name!r}; recipes are {', '.join(names())}")
    found = yaml.safe_load((_HERE / f"{name}.yaml").read_text())
    for step in found["steps"]:
        step["settings"] = {n: _setting(value) for n, value in step["settings"].items()}
    return Recipe(name=name, **found)


def _setting(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"value": value}


def filled(recipe: Recipe, given: Mapping[str, str], out: str, scale: float = 1.0) -> list[Command]:
    """Return a recipe's commands, filled in with what is given, with their folders under `out`.

    Raises `UsageError` for a missing input, or one that the recipe does not take.
    """
    unknown = next((name for name in given if name not in recipe.needs), None)
    if unknown is not None:
        raise UsageError(f"{recipe.name} takes no `{unknown}`; it takes {', '.join(recipe.needs)}")
    values = {name: given.get(name, need.default) for name, need in recipe.needs.items()}
    missing = next((name for name, value in values.items() if value is None), None)
    if missing is not None:
        raise UsageError(f"{recipe.name} needs --given.{missing}: {recipe.needs[missing].about}")
    for step in recipe.steps:
        values[f"out.{step.name}"] = str(Path(out) / step.name)
    return [
        Command(
            name=step.name,
            command=step.command,
            settings={n: _filled(s, values, scale) for n, s in step.settings.items()},
        )
        for step in recipe.steps
    ]


class _Names(Template):
    braceidpattern = r"[a-z_][a-z0-9_.]*"
    flags = re.IGNORECASE | re.VERBOSE


def _filled(setting: Setting, values: Mapping[str, str | None], scale: float) -> Any:
    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return _Names(value).substitute(values)
        if isinstance(value, list):
            return [fill(part) for part in value]
        return value

    return max(1, round(setting.value * scale)) if setting.scaled else fill(setting.value)
