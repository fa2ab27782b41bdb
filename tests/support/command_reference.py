"""The page of all commands, written from the models that configure them."""

import re

from pydantic.fields import FieldInfo

from pairwright.commands import COMMANDS
from pairwright.config import Config, heading_of, headings, is_positional, kind_of, sections_of

_ABOUT = """\
# Commands

Written from the settings themselves, and held by a test. Every command takes `--config FILE.yaml`,
in which the same names stand; a flag beats the file. Names may be written with hyphens.

`--train.beta 0.1` is a setting of the section `train`, in a file `train: {beta: 0.1}` or `train.beta: 0.1`.

A setting that is *semantic* decides what comes of a run: a folder that was made with another one is
refused. A change of a *gate* sorts the finished completions again. The others change how the work is
done and nothing else.
"""


def config_of(name: str) -> type[Config]:
    """The settings of a command."""
    return COMMANDS[name].config()


def reference() -> str:
    """The page, in Markdown."""
    return "\n".join([_ABOUT, *(_section(name) for name in COMMANDS)])


def _section(name: str) -> str:
    config = config_of(name)
    about = " ".join((config.__doc__ or "").split())
    text, _, example = about.partition(" Example: ")
    lines = [f"## {name}\n", f"{text}\n", f"```sh\n{example}\n```\n"]
    for heading in headings(config):
        own = config.model_fields.keys() - sections_of(config)
        fields = [n for n in config.model_fields if n in own and heading_of(config, n) == heading]
        if fields:
            lines += [f"### {heading} of {name}\n", "| setting | default | |", "|---|---|---|"]
            lines += [_row(config, field) for field in fields]
            lines.append("")
    for section, settings in sections_of(config).items():
        lines += _subsection(name, config, section, settings)
    return "\n".join(lines)


def _subsection(name: str, config: type[Config], section: str, settings: type[Config]) -> list[str]:
    """The settings of a section: those of its command, and what is different."""
    said = " ".join((config.model_fields[section].description or "").split())
    lines = [f"### {section} of {name}: `--{section}.NAME`\n", f"{said}\n"]
    own = dict(settings.model_fields)
    if section in COMMANDS:
        usual = config_of(section).model_fields
        own = {n: f for n, f in own.items() if n not in usual or _differs(f, usual[n])}
        missing = ", ".join(f"`{n}`" for n in usual if n in config.managed[section])
        more = ", and with these:" if own else "."
        lines.append(f"All settings of [{section}](#{section}) but for {missing}{more}\n")
    if own:
        lines += ["| setting | default | |", "|---|---|---|"]
        lines += [_row(settings, field, f"{section}.") for field in own]
        lines.append("")
    return lines


def _differs(field: FieldInfo, usual: FieldInfo) -> bool:
    return (field.default, field.description) != (usual.default, usual.description)


def _row(config: type[Config], name: str, section: str = "") -> str:
    field = config.model_fields[name]
    flag = f"`{name.upper()}` or `--{name}`" if is_positional(field) else f"`--{section}{name}`"
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
