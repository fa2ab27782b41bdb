"""The date that chat templates write: a fixed one, so that renderings do not change with the day.

Templates of Llama 3.2, SmolLM3, Granite and gpt-oss print today's date. With the clock's, training would
not see what was sampled the day before, a run that goes on would have other pairs than it began with, and
no stored reference would be found again. So templates are shown `DATE`, or what `PAIRWRIGHT_DATE` says.
"""

import logging
import os
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

from pairwright.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

DATE = "2026-01-01"
VARIABLE = "PAIRWRIGHT_DATE"
_CLOCK = "strftime_now"
"""What `transformers` calls the clock that it gives to templates."""
_CODES = (
    *(f"%-{letter}" for letter in "djmyHIMS"),
    *(f"%{letter}" for letter in "aAbBcdeDFGhHIjmMpRSTuUVwWxXyYzZ"),
)


def date_shown() -> date:
    """Return the date that templates write. Raises `UsageError` if `PAIRWRIGHT_DATE` is not a date."""
    said = os.environ.get(VARIABLE) or DATE
    try:
        return date.fromisoformat(said)
    except ValueError:
        raise UsageError(f"{VARIABLE} must be a date such as {DATE}, and is {said!r}") from None


def other_date() -> str:
    """Return `PAIRWRIGHT_DATE` as part of a model's identity; empty if it is not set."""
    return f":{date_shown()}" if os.environ.get(VARIABLE) else ""


def writes_date(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Return whether a tokenizer's chat template asks for the date."""
    return _CLOCK in str(tokenizer.chat_template)


def template_of(tokenizer: "PreTrainedTokenizerBase") -> str:
    """Return a tokenizer's chat template, made to write `date_shown`, which is logged once.

    `transformers` hands no function on to templates, so the clock is a macro before the template.
    """
    template: str = tokenizer.get_chat_template()
    if not writes_date(tokenizer):
        return template
    shown = date_shown()
    _say_once(tokenizer.name_or_path, shown)
    parts = "".join(f".replace({code!r}, {shown.strftime(code)!r})" for code in _CODES)
    return f"{{% macro {_CLOCK}(format) %}}{{{{ format{parts} }}}}{{% endmacro %}}{{{{ '' }}}}{template}"


@cache
def _say_once(name: str, shown: date) -> None:
    log.warning(
        "the chat template of %s writes the date: it is shown %s whatever the day (%s sets another), so "
        "that sampling, training and a run that goes on see the same tokens",
        name,
        shown,
        VARIABLE,
    )
