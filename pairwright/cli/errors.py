"""Errors of a command line, in one sentence that names the setting."""

from collections.abc import Mapping, Sequence
from typing import get_args

from cyclopts.exceptions import CoercionError, CycloptsError, MissingArgumentError, UnusedCliTokensError
from pydantic import ValidationError

from pairwright.cli.settings_file import Settings
from pairwright.config import (
    Config,
    sections_of,
    setting_named,
    settings_of,
    takes_names,
    unknown_setting,
)
from pairwright.errors import UsageError

_SHOWN = 80
"""Characters shown of a value that cannot be used."""


def usage_sentence(
    error: CycloptsError,
    name: str | None,
    config: type[Config] | None,
    argv: Sequence[str],
    settings: Settings | None,
) -> str:
    """Return the sentence for an error of command `name`, with its settings file if it has one."""
    see = f"see pairwright {name} --help" if name else "see pairwright --help"
    fields = config.model_fields if config is not None else {}
    in_file = settings.lines if settings is not None else {}
    if (wrong := _wrong_flag(config or Config, argv, see)) is not None:
        return wrong
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ValidationError):
        return _invalid(cause, see, config, argv, in_file)
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return _surplus(error.unused_tokens[0], config or Config, argv, see)
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        flag = error.argument.name
        if flag in argv:
            return f"{flag} needs a value; {see}"
        required = (f"--{n}" for n, f in fields.items() if f.is_required() and n not in in_file)
        missing = [f for f in required if f == flag or f not in argv]
        return f"{' and '.join(missing)} must be given; {see}"
    if isinstance(error, CoercionError) and error.argument is not None:
        flag = error.argument.name.removeprefix("--")
        if flag in in_file:
            return (
                f"`{flag}` in the settings file, line {in_file[flag]}: one value is wanted, and a list is "
                "given; several names are written as one text, a,b"
            )
    return f"{str(error).rstrip('.')}; {see}"


def refuse_moved(config: type[Config], argv: Sequence[str]) -> None:
    """Raise `UsageError` for flags of earlier versions, naming those that replaced them."""
    flags = [a.partition("=")[0].removeprefix("--") for a in argv if a[:2] == "--"]
    heads = dict.fromkeys(flag.removeprefix("no_").partition(".")[0] for flag in flags)
    dotted = {flag.partition(".")[0] for flag in flags if "." in flag} & sections_of(config).keys()
    if moved := [name for name in heads if name in config.moved and name not in dotted]:
        raise UsageError(config.where_moved(moved, "--"))


def _wrong_flag(config: type[Config], argv: Sequence[str], see: str) -> str | None:
    """The sentence for the first unknown or malformed flag."""
    flags = [(at, a.partition("=")[0].removeprefix("--")) for at, a in enumerate(argv) if a[:2] == "--"]
    whole = dict(settings_of(config))
    for at, flag in flags:
        outer, dot, last = flag.rpartition(".")
        field = setting_named(config, flag)
        if flag in sections_of(config) or (flag in whole and takes_names(whole[flag])):
            return f"--{flag} is written with a name: --{flag}.NAME VALUE"
        if field is not None and takes_names(field):
            if "=" not in argv[at] and [a[:2] for a in argv[at + 1 : at + 2]] in ([], ["--"]):
                return f"--{flag} needs a value, even if it is only true: --{flag} true"
        elif flag not in ("help", "version", ""):
            plain = f"{outer}{dot}{last.removeprefix('no_')}"
            if setting_named(config, plain) is None:
                return unknown_setting(config, flag, see, "--")
    return None


def _invalid(
    error: ValidationError,
    see: str,
    config: type[Config] | None,
    argv: Sequence[str],
    in_file: Mapping[str, int],
) -> str:
    problems = error.errors(include_url=False)
    missing = [f"--{'.'.join(map(str, e['loc']))}" for e in problems if e["type"] == "missing"]
    if missing:
        return f"{' and '.join(missing)} must be given; {see}"
    first = problems[0]
    parts = list(map(str, first["loc"]))  # ends with what a setting is made of, say a place in a list
    known = dict(settings_of(config)) if config is not None else {}
    while len(parts) > 1 and ".".join(parts) not in known:
        parts.pop()
    field = ".".join(parts) or "settings"
    given = repr(first["input"])
    given = given if len(given) <= _SHOWN else f"{given[:_SHOWN]}…"
    off = ".".join([*parts[:-1], f"no_{parts[-1]}"]) if parts else ""
    flagged = any(a.partition("=")[0] in (f"--{field}", f"--{off}") for a in argv)
    from_file = field in in_file and not flagged
    where = f"`{field}` in the settings file, line {in_file[field]}" if from_file else f"--{field}"
    msg = first["msg"].removeprefix("Value error, ")
    if first["type"] == "string_pattern_mismatch" and field in known:
        told = str(known[field].description).replace("\n", " ").partition(". ")[0].rstrip(".")
        msg = f"must be: {told[0].lower()}{told[1:]}"
    elif first["type"] == "too_short":
        msg = "is empty"
    said = f"{where}: {msg}"
    return said if "secret" in said else f"{said} (given: {given})"  # what may be a key is not repeated


def _surplus(token: str, config: type[Config], argv: Sequence[str], see: str) -> str:
    for before in (argv[at - 1] for at, word in enumerate(argv) if word == token):
        flag = before.removeprefix("--").removeprefix("no_")
        field = setting_named(config, flag) if before.startswith("--") else None
        if field is not None and bool in (field.annotation, *get_args(field.annotation)):
            return f"--{flag} takes no value: write --{flag} or --no_{flag}, not {token!r}"
    return f"one argument too many: {token!r}; {see}"
