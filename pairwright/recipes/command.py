"""`pairwright recipe`: published recipes listed, shown, and run."""

import shlex
from typing import Any, Literal

from pydantic import Field, ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pairwright.commands import COMMANDS
from pairwright.config import OPERATIONAL, POSITIONAL, Config
from pairwright.errors import UsageError
from pairwright.recipes.recipe import Command, Recipe, Setting, filled, names, read_recipe


class RecipeConfig(Config):
    """List published recipes, show one with the source of every number, or run it.

    Example: pairwright recipe run tulu3_dpo --given.model smollm2 --given.pairs runs/pairs --out runs/tulu3
    """

    action: Literal["list", "show", "run"] = Field(default="list", json_schema_extra=POSITIONAL)
    """`list` them, `show` one, or `run` it."""
    name: str | None = Field(default=None, json_schema_extra=POSITIONAL)
    """Which recipe."""
    given: dict[str, str] = Field(default={}, json_schema_extra=OPERATIONAL)
    """What the recipe is given, by name: `--given.model smollm2`. `show` says what each one takes."""
    out: str = Field(default="", json_schema_extra=OPERATIONAL)
    """Folder for the runs of its steps. What is finished there is not done again."""
    scale: float = Field(default=1.0, gt=0, le=1)
    """Share of the published numbers of rows, and of pairs behind an update, for a run that is small."""
    dry_run: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Check every command and show it; run none, write nothing."""


def recipe(config: RecipeConfig) -> None:
    """List, show or run. Raises `UsageError` for a recipe that is not there or lacks what it needs."""
    console = Console()
    if config.action == "list":
        console.print(_listed())
        return
    if config.name is None:
        raise UsageError(f"which recipe? recipes are {', '.join(names())}")
    found = read_recipe(config.name)
    if config.action == "show":
        for line in _shown(found):
            console.print(Text(line), soft_wrap=True)
        return
    if not config.out:
        raise UsageError("--out: must be given; it is the folder of the recipe's runs")
    commands = filled(found, config.given, config.out, config.scale)
    for command in commands:
        check(command)
    for command in commands:
        console.print(Text(f"$ pairwright {shlex.join(command.argv())}"), soft_wrap=True)
        if not config.dry_run:
            _run(command)


def check(command: Command) -> None:
    """Raise `UsageError`, naming the setting, where a command would refuse its settings."""
    values: dict[str, Any] = {}
    for name, value in command.settings.items():
        *sections, last = name.split(".")
        inner = values
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = value
    try:
        COMMANDS[command.command].config()(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "settings"
        raise UsageError(f"{command.name} ({command.command}): {field}: {first['msg']}") from None


def _run(command: Command) -> None:
    from pairwright.cli import run_command

    run_command(command.argv())


def _listed() -> Table:
    table = Table("recipe", "commands", "what it is")
    for name in names():
        found = read_recipe(name)
        steps = ", ".join(step.command for step in found.steps)
        table.add_row(name, steps, " ".join(found.about.split()))
    return table


def _shown(found: Recipe) -> list[str]:
    """A recipe in words: what it needs, its commands, and where each number comes from."""
    lines = [f"{found.name}: {' '.join(found.about.split())}", ""]
    lines += [f"source: {source}" for source in found.sources]
    if found.differs:
        lines.append(f"differs: {' '.join(found.differs.split())}")
    lines += ["", "needs"]
    for name, need in found.needs.items():
        default = "" if need.default is None else f" [{need.default}]"
        lines.append(f"  --given.{name}: {' '.join(need.about.split())}{default}")
    for step in found.steps:
        lines += ["", f"{step.name}: pairwright {step.command}"]
        lines += [f"  --{name} {_said(setting)}" for name, setting in step.settings.items()]
    return lines


def _said(setting: Setting) -> str:
    value = ",".join(map(str, setting.value)) if isinstance(setting.value, list) else str(setting.value)
    scaled = ", times --scale" if setting.scaled else ""
    return value + (f"   # {' '.join(setting.source.split())}{scaled}" if setting.source else "")
