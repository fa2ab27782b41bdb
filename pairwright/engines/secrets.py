"""Keys where none may stand: settings are shown, and kept in run folders."""

import re
from collections.abc import Iterator
from typing import Any

_FIELD = re.compile(
    r"(^|[_-])(api[-_]?key|secret|passw(or)?d|authorization|credentials?|bearer"
    r"|(access|auth|refresh|session|id)[-_]?token)$|^token$",
    re.IGNORECASE,
)
"""Fields that hold secrets; those of tokens of a vocabulary (`bos_token`) do not."""
_HEADER = re.compile(
    r"key|secret|passw(or)?d|token|auth(?!or\b)|cookie|credential|signature|bearer", re.IGNORECASE
)
_KEY = re.compile(
    r"(Bearer|Basic|Token) \S{8,}|(sk|pk|rk|gsk|hf|xai|nvapi|ghp|glpat|r8|fw|csk|tgp)[-_]\S{8,}|AIza\S{30,}"
)
"""How the keys of providers look."""
_VARIABLE = re.compile(r"-|[A-Za-z_]\w*")
_LETTERS = re.compile(r"(?=.*\d)[A-Za-z0-9]{20,}")
"""Letters and digits without a break, as keys are and names of variables are not."""
_FROM_ENVIRONMENT = re.compile(r"(\w+ )?\$\w+")


def secret_field(fields: Any) -> str | None:
    """Return the name of a field that holds a secret, or seems to, in JSON however deep; None without."""
    return next((n for n, value in _texts(fields) if _is_key(value) or _shows(_FIELD, n, value)), None)


def secret_header(headers: dict[str, str]) -> str | None:
    """Return the name of a header that holds a secret, or seems to; None where none does."""
    return next((n for n, value in headers.items() if _is_key(value) or _shows(_HEADER, n, value)), None)


def is_variable(name: str) -> bool:
    """Return whether a text can be the name of an environment variable, and is no key."""
    return _VARIABLE.fullmatch(name) is not None and not (_LETTERS.fullmatch(name) or _is_key(name))


def _is_key(value: str) -> bool:
    return _KEY.fullmatch(value) is not None


def _shows(named: re.Pattern[str], name: str, value: str) -> bool:
    """Whether a secret stands where its name says so, and not only the variable that holds it."""
    return named.search(name) is not None and _FROM_ENVIRONMENT.fullmatch(value) is None


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """All texts in a value, each with the name of the field that it stands in."""
    if isinstance(value, str):
        yield name, value
    for inner, held in value.items() if isinstance(value, dict) else ():
        yield from _texts(held, inner)
    for held in value if isinstance(value, list) else ():
        yield from _texts(held, name)
