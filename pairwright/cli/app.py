"""The command `pairwright`: mounts the stages by lazy import and turns errors into one sentence."""

import atexit
import difflib
import gc
import logging
import os
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Group, Parameter
from cyclopts.config import Dict
from cyclopts.exceptions import CycloptsError
from pydantic.fields import FieldInfo

from pairwright.cli.errors import refuse_moved, usage_sentence
from pairwright.cli.settings_file import Settings, load_settings
from pairwright.commands import COMMANDS
from pairwright.config import Config, also_named, heading_of, headings, is_positional, sections_of
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.versions import versions
from pairwright.terminal.text import one_line


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 failed, 2 usage, 3 budget spent, 130 stopped by the user."""
    # Threads that spin while they wait cost a factor of five where others use the cores too. The
    # runtime reads this once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A process that ends would look for garbage among all that it holds: a third of a short command's time.
    atexit.register(gc.freeze)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        if (asked := read_command(sys.argv[1:] if argv is None else argv)) is not None:
            _load_arrow_alone()
            _run(*asked)
    except PairwrightError as error:
        print(one_line(f"pairwright: {error}"), file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("pairwright: stopped; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(one_line(f"pairwright: {where}{error.strerror or error}"), file=sys.stderr)
        sys.exit(1)


def run_command(argv: Sequence[str]) -> None:
    """Run one command. Raises `PairwrightError` where `main` would exit."""
    if (asked := read_command(argv)) is not None:
        _run(*asked)


def _run(name: str, config: Config) -> None:
    result = COMMANDS[name].run(config)
    if (out := getattr(config, "out", None)) is not None and result is not None:
        from pairwright.folders.shards import read_tables
        from pairwright.reports.summary import show_summary

        show_summary(Path(out), result)
        if set(result.counts) == {"failed"}:
            first = next(str(reason) for t in read_tables(Path(out), "dropped") for reason in t["reason"])
            raise PairwrightError(f"{out}: every request failed, the first with: {first}")


class _WithoutPandas(MetaPathFinder):
    """Says of pandas that it is not installed."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        """Return None, which is that others may know where a module is."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _load_arrow_alone() -> None:
    """Load Arrow without pandas, which it loads at its first array: that takes a third of a short command.

    It tries once, so this is for a process of ours alone: Arrow would not know a column of pandas there. It
    loads pandas all the same where it is asked for a data frame.
    """
    import pyarrow as pa

    sys.meta_path.insert(0, finder := _WithoutPandas())
    pa.array([])
    sys.meta_path.remove(finder)


def read_command(argv: Sequence[str]) -> tuple[str, Config] | None:
    """Return a command line's command and settings; None where help or the version was shown.

    Raises `UsageError` that names what cannot be used.
    """
    argv, settings = load_settings([_as_ours(a) for a in argv])
    name = next((a for a in argv if not a.startswith("-")), None)
    if name is not None and name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"commands are {', '.join(COMMANDS)}"
        raise UsageError(f"no command {name!r}; {hint}")
    app = App(
        name="pairwright",
        help="Minimally contrastive preference pairs from language-model answers, and training on them.",
        version=lambda: versions()["pairwright"],
        help_format="plaintext",
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
    )
    if name is None:
        for other, command in COMMANDS.items():
            app.command(_unreachable, name=other, help=command.summary)
    config = _mount(app, name, argv, settings) if name is not None else None
    if config is not None:
        refuse_moved(config, argv)
        argv = [*argv, *(settings.members(config, argv) if settings is not None else ())]
    try:
        given = app(argv)
    except CycloptsError as error:
        raise UsageError(usage_sentence(error, name, config, argv, settings)) from None
    return (name, given) if name is not None and isinstance(given, Config) else None


def _mount(app: App, name: str, argv: Sequence[str], settings: Settings | None) -> type[Config]:
    """Derive a command's flags from its settings, which are what the app then returns."""
    config = COMMANDS[name].config()
    _put_under_headings(config, sections={"--help", "-h"}.isdisjoint(argv))

    def read(config: Any) -> Any:
        return config

    fields = Parameter(name="*", name_transform=lambda n: n, negative_bool=("no_",), negative_iterable=())
    read.__annotations__["config"] = Annotated[config, fields]
    if not any(field.is_required() for field in config.model_fields.values()):
        read.__defaults__ = (config(),)
    sources = []
    if settings is not None:
        settings.check(config)
        # Under the command's name: at the top, keys that are commands too (`judge`) would be passed over.
        sources = [Dict({name: settings.values}, source=settings.path)]
    app.command(read, name=name, help=_help(config), config=sources)
    return config


def _put_under_headings(config: type[Config], *, sections: bool) -> None:
    """Tell the command line where on the help page each flag belongs.

    Flags of sections are not shown there; without `sections` they are not even looked up, which is slow.
    """
    groups = {heading: Group(heading, sort_key=place) for place, heading in enumerate(headings(config))}
    for name, field in config.model_fields.items():
        field.kw_only = not is_positional(field)
        group = groups[heading_of(config, name)]
        shown = None if field.default not in ((), "") else False
        about = " ".join((field.description or "").split()) or None
        _say_of(field, Parameter(group=group, show_default=shown, alias=also_named(field), help=about))
    for name, section in sections_of(config).items():
        _say_of(config.model_fields[name], Parameter(parse=None if sections else False, show=False))
        for field in section.model_fields.values():
            field.kw_only = True
            _say_of(field, Parameter(show=False))


def _say_of(field: FieldInfo, parameter: Parameter) -> None:
    """Tell the command line about a field, in place of what it was told before."""
    field.metadata = [*(m for m in field.metadata if not isinstance(m, Parameter)), parameter]


def _help(config: type[Config]) -> str:
    about = (config.__doc__ or "").strip()
    sections = {name: config.model_fields[name].description or "" for name in sections_of(config)}
    parts = [about, *(f"--{name}.NAME: {' '.join(said.split())}" for name, said in sections.items())]
    parts.append("Settings may also stand in a file: --config FILE.yaml; a flag beats it.")
    return "\n\n".join(parts)


def _unreachable() -> None:
    """Stands for a command that was not asked for, so that it is listed and not imported."""


def _as_ours(argument: str) -> str:
    """`--learning-rate` is `--learning_rate`, and `-` alone is standard input."""
    if argument == "-":
        return "/dev/stdin"
    flag, equals, value = argument.partition("=")
    return (
        flag[:2] + flag[2:].replace("-", "_") + equals + value if re.match(r"--[a-z]", flag) else argument
    )
