"""What is wrong with a command line, in one sentence that names the setting."""

import difflib
from collections.abc import Container, Sequence

from cyclopts.exceptions import CycloptsError, MissingArgumentError, UnusedCliTokensError
from pydantic import ValidationError

from pairwright.config import Config

_SHOWN = 80
"""Characters shown of a value that cannot be used."""


def usage_sentence(
    error: CycloptsError,
    name: str | None,
    config: type[Config] | None,
    argv: Sequence[str],
    in_file: Container[str],
) -> str:
    """The sentence for an error of command `name`, whose settings file holds the settings `in_file`."""
    see = f"see pairwright {name} --help" if name else "see pairwright --help"
    fields = config.model_fields if config is not None else {}
    for at, flag in (
        (i, a.partition("=")[0].removeprefix("--")) for i, a in enumerate(argv) if a[:2] == "--"
    ):
        family, dot, _ = flag.partition(".")
        if family in fields and fields[family].annotation == dict[str, str]:
            if not dot:
                return f"--{flag} is written with a name: --{flag}.NAME VALUE"
            if "=" not in argv[at] and [a[:2] for a in argv[at + 1 : at + 2]] in ([], ["--"]):
                return f"--{flag} needs a value, even if it is only true: --{flag} true"
            continue
        if flag.removeprefix("no_") not in (*fields, "help", "version", ""):
            close = difflib.get_close_matches(family, fields, n=1)
            return f"no option --{flag}; " + (f"did you mean --{close[0]}?" if close else see)
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ValidationError):
        return _invalid(cause, see, argv, in_file)
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return _surplus(error.unused_tokens[0], argv, see)
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        flag = error.argument.name
        if flag in argv:
            return f"{flag} needs a value; {see}"
        required = (f"--{n}" for n, f in fields.items() if f.is_required() and n not in in_file)
        missing = [f for f in required if f == flag or f not in argv]
        return f"{' and '.join(missing)} must be given; {see}"
    return f"{str(error).rstrip('.')}; {see}"


def _invalid(error: ValidationError, see: str, argv: Sequence[str], in_file: Container[str]) -> str:
    problems = error.errors(include_url=False)
    missing = [f"--{e['loc'][0]}" for e in problems if e["type"] == "missing"]
    if missing:
        return f"{' and '.join(missing)} must be given; {see}"
    first = problems[0]
    field = ".".join(str(part) for part in first["loc"]) or "settings"
    given = repr(first["input"])
    given = given if len(given) <= _SHOWN else f"{given[:_SHOWN]}…"
    flagged = any(a.partition("=")[0] in (f"--{field}", f"--no_{field}") for a in argv)
    where = f"`{field}` in the settings file" if field in in_file and not flagged else f"--{field}"
    return f"{where}: {first['msg'].removeprefix('Value error, ')} (given: {given})"


def _surplus(token: str, argv: Sequence[str], see: str) -> str:
    before = argv[argv.index(token) - 1]
    if before.startswith("--"):
        flag = before.removeprefix("--").removeprefix("no_")
        return f"--{flag} takes no value: write --{flag} or --no_{flag}, not {token!r}"
    return f"one argument too many: {token!r}; {see}"
