"""The ground floor: records, run folders, engines, the stage runner, and the command.

    import pairwright as pw

`pw.sample`, `pw.revise`, `pw.judge`, `pw.train` …: a function for each command, handed out when it is
asked for, so that importing the package loads neither Arrow nor torch.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "Result":
        from pairwright.result import Result

        return Result
    from pairwright.commands import COMMANDS

    if name in COMMANDS or name == "evaluate":
        from pairwright.api import NAMES, function_of

        if name in NAMES:
            return globals().setdefault(name, function_of(name))
    raise AttributeError(f"module 'pairwright' has no attribute {name!r}")


def __dir__() -> list[str]:
    from pairwright.api import NAMES

    return sorted([*globals(), *NAMES, "Result"])
