"""The wait that a server asks for, in any of its headers."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_NUMBER = re.compile(r"[0-9]{1,13}(\.[0-9]{0,9})?")
_DURATION = re.compile(
    r"(?:(?P<d>[0-9]{1,6})d)?(?:(?P<h>[0-9]{1,6})h)?(?:(?P<m>[0-9]{1,6})m(?!s))?"
    r"(?:(?P<s>[0-9]{1,9}(?:\.[0-9]{0,9})?)s)?(?:(?P<ms>[0-9]{1,12}(?:\.[0-9]{0,9})?)ms)?"
)
_UNIT = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def asked_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that a reply asks to wait; None if it asks nothing that makes sense.

    `Retry-After` (seconds or HTTP-date) and `retry-after-ms` go first, the longer of the two; without
    them the longest `x-ratelimit-reset*` of a limit of which nothing is left (`x-ratelimit-remaining*`):
    servers tell all their limits, also that of a day of which most is left. `now` is wall-clock time,
    used for dates only.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    date = _timestamp(lower.get("date", ""))
    now = now if date is None else date
    named = [
        _scaled(lower.get("retry-after-ms", ""), 0.001),
        _scaled(lower.get("retry-after", ""), 1.0),
        _until(_timestamp(lower.get("retry-after", "")), now),
    ]
    resets = [reset_wait(v, now) for name, v in lower.items() if _is_used_up(name, lower)]
    return _longest(named) or _longest(resets)


def _is_used_up(name: str, headers: Mapping[str, str]) -> bool:
    """Whether a header tells when a limit is whole again of which nothing is left, as far as is known."""
    if not name.startswith("x-ratelimit-reset"):
        return False
    left = headers.get(name.replace("reset", "remaining", 1), "")
    return not (_NUMBER.fullmatch(left) and float(left) > 0)


def _longest(waits: list[float | None]) -> float | None:
    return max((wait for wait in waits if wait is not None and wait > 0), default=None)


def _scaled(text: str, unit: float) -> float | None:
    return float(text) * unit if _NUMBER.fullmatch(text) else None


def _until(moment: float | None, now: float) -> float | None:
    return None if moment is None else moment - now


def _timestamp(text: str) -> float | None:
    """Seconds since 1970 of an HTTP-date."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return _seconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _seconds(moment: datetime) -> float | None:
    try:
        return moment.timestamp()
    except (ValueError, OverflowError):
        return None


def reset_wait(text: str, now: float) -> float | None:
    """Wait in a rate-limit header: `1m30s`, `6ms`, seconds, or a moment in Unix time (s or ms)."""
    number = _scaled(text, 1.0)
    if number is not None:
        for epoch in (number, number / 1000):
            if 1e9 < epoch < 1e10:
                return epoch - now
        return number
    match = _DURATION.fullmatch(text)
    parts = [(float(n), _UNIT[u]) for u, n in match.groupdict().items() if n] if match else []
    return sum(n * unit for n, unit in parts) if parts else None
