"""The page of all commands, written from the models that configure them."""

import importlib
import re

from pairwright.commands import COMMANDS
from pairwright.config import Config, heading_of, headings, is_positional, kind_of

_ABOUT = """\
# Commands

Written from the settings themselves, and held by a test. Every command takes `--config FILE.yaml`,
in which the same names stand; a flag beats the file. Names may be written with hyphens.

A setting that is *semantic* decides what comes of a run: a folder that was made with another one is
refused. A change of a *gate* sorts the finished completions again. The others change how the work is
done and nothing else.
"""


def config_of(name: str) -> type[Config]:
    """The settings of a command."""
    command = COMMANDS[name]
    config: type[Config] = getattr(importlib.import_module(command.module), command.config)
    return config


def reference() -> str:
    """The page, in Markdown."""
    return "\n".join([_ABOUT, *(_section(name) for name in COMMANDS)])


def _section(name: str) -> str:
    config = config_of(name)
    about = " ".join((config.__doc__ or "").split())
    text, _, example = about.partition(" Example: ")
    lines = [f"## {name}\n", f"{text}\n", f"```sh\n{example}\n```\n"]
    for heading in headings(config):
        fields = [n for n in config.model_fields if heading_of(config, n) == heading]
        if fields:
            lines += [f"### {heading} of {name}\n", "| setting | default | |", "|---|---|---|"]
            lines += [_row(config, field) for field in fields]
            lines.append("")
    return "\n".join(lines)


def _row(config: type[Config], name: str) -> str:
    field = config.model_fields[name]
    flag = f"`{name.upper()}` or `--{name}`" if is_positional(field) else f"`--{name}`"
    default = (
        "must be given" if field.is_required() else _shown(field.get_default(call_default_factory=True))
    )
    kind = kind_of(field)
    said = " ".join((field.description or "").split()).replace("|", "\\|")
    mark = {"semantic": " *(semantic)*", "gate": " *(gate)*", "operational": ""}[kind]
    return f"| {flag} | {default} | {said}{mark} |"


def _shown(value: object) -> str:
    if value is None or value in ((), ""):
        return "–"
    return f"`{str(value).lower() if isinstance(value, bool) else re.sub(r'[|]', '', str(value))}`"
