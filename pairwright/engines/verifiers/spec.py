"""How verifiers are named: functions, checks with their arguments, engines; several by comma.

checks.py:passes     my.checks:passes     python:checks.py:passes
check:math     check:length(max_words=100)     check:contains("Yours,", column=names)
hf:MODEL     openai:MODEL@URL     reward:MODEL
"""

import ast
import re
from typing import Any, NamedTuple

from pairwright.engines.kinds import check_spec, is_engine, kinds_listed
from pairwright.errors import UsageError
from pairwright.plugins import is_there

CHECK, PYTHON = "check:", "python:"
_OPEN, _CLOSE = "([{", ")]}"


class CheckCall(NamedTuple):
    """A check and what it is given."""

    name: str
    positional: tuple[Any, ...]
    named: dict[str, Any]


def split_specs(text: str) -> list[str]:
    """Return the parts of a list with commas, of which those in brackets and quotes divide nothing."""
    parts, depth, quote, begin = [], 0, "", 0
    for place, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote and text[place - 1] != "\\" else quote
        elif sign in "\"'" and depth:
            quote = sign
        elif sign in _OPEN:
            depth += 1
        elif sign in _CLOSE:
            depth -= 1
        elif sign == "," and not depth:
            parts.append(text[begin:place])
            begin = place + 1
    return [part.strip() for part in (*parts, text[begin:]) if part.strip()]


def named_spec(spec: str) -> str:
    """Return a verifier's spec as an engine's: `FILE.py:NAME` is `python:FILE.py:NAME`.

    Raises `UsageError` for any other name.
    """
    if is_engine(spec):
        check_spec(spec)
        return spec
    if not is_there(spec):
        module, colon, _ = spec.partition(":")
        also = f", and no module {module!r} is found here" if colon else ""
        raise UsageError(
            f"{spec!r}: unknown engine{also}; there are {kinds_listed()}, and functions as FILE.py:NAME"
        )
    return f"{PYTHON}{spec}"


def parse_check(spec: str) -> CheckCall:
    """Return name and arguments of `check:NAME(…)`. Raises `UsageError` that shows how it is written.

    Arguments are numbers, quoted texts, true, false and lists of them; another bare word is a text.
    """
    call = spec.removeprefix(CHECK)
    try:
        tree = ast.parse(call if "(" in call else f"{call}()", mode="eval").body
        assert isinstance(tree, ast.Call)
        assert isinstance(tree.func, ast.Name)
        assert all(keyword.arg for keyword in tree.keywords)
        named = {keyword.arg or "": _value(keyword.value) for keyword in tree.keywords}
        given = tuple(_value(arg) for arg in tree.args)
    except (SyntaxError, ValueError, AssertionError):
        raise UsageError(
            f'{spec}: a check is written check:NAME or check:NAME(argument=value), with texts in "quotes"'
        ) from None
    for text in (*given, *named.values()):
        if isinstance(text, str) and (sign := _CONTROL.search(text)):
            raise UsageError(f'{spec}: {sign[0]!r} is a control character there; write a backslash in r"…"')
    return CheckCall(tree.func.id, given, named)


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""What `"\\b"` and the like come to in quotes."""
_WORDS = {"true": True, "false": False, "none": None, "null": None}


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return _WORDS.get(node.id.lower(), node.id)
    return ast.literal_eval(node)
