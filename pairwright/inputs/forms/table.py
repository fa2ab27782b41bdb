"""The table of forms, and how a source's rows are read by one of them.

A form is told by the first row. Of several that fit, one whose columns hold another's is meant; where that
decides nothing, the first of the table is taken, which is said, and another is named as `FORM@SOURCE`.
"""

import logging
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache

from pairwright.errors import UsageError
from pairwright.inputs.columns import (
    ANSWERS,
    HISTORIES,
    LISTS,
    PAIR,
    PROMPTS,
    SYSTEMS,
    listed,
    sibling_columns,
)
from pairwright.inputs.forms.form import Form, Wrong
from pairwright.inputs.forms.openai import OPENAI
from pairwright.inputs.forms.plain import PLAIN
from pairwright.inputs.forms.preferences import PREFERENCES
from pairwright.inputs.forms.trees import TREES
from pairwright.inputs.source import Record, Source

log = logging.getLogger(__name__)

FORMS = (*OPENAI, *PREFERENCES, *TREES, *PLAIN)
"""All forms; what they have in common with none are the columns that tell them."""
_BY_NAME = {form.name: form for form in FORMS}
_CONVENTIONS = frozenset((*PROMPTS, *ANSWERS, *LISTS, *PAIR, *SYSTEMS, *HISTORIES, "score", "rank"))
"""Columns that are read wherever they stand."""


def form_named(name: str) -> Form:
    """Return the form of that name. Raises `UsageError` naming those that are near it."""
    if name not in _BY_NAME:
        near = get_close_matches(name, _BY_NAME, n=1)
        meant = f"do you mean `{near[0]}`? There" if near else "there"
        raise UsageError(f"--form {name}: no such form; {meant} are {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def named_form(source: str) -> tuple[Form | None, str]:
    """Return the form that a source is named with (`FORM@SOURCE`), and the name without it."""
    name, at, rest = source.partition("@")
    return (_BY_NAME[name], rest) if at and name in _BY_NAME else (None, source)


def fitting(record: Record) -> list[Form]:
    """Return the forms that fit a record, without those of which another is a special case."""
    found = [form for form in FORMS if form.fits(record)]
    return [f for f in found if not any(set(f.columns) < set(other.columns) for other in found)]


def in_form(source: Source, wanted: Form | None = None) -> Source:
    """Return the source, or its rows as prompt and answers where the first has one of the forms."""
    where, first = next((r for r in source.readable() if not isinstance(r[1], UsageError)), ("", None))
    if first is None or isinstance(first, UsageError):
        return source
    if wanted is not None:
        if not wanted.fits(first):
            raise UsageError(
                f"{where}: is not of the form `{wanted.name}`, which has {listed(wanted.columns)}; its "
                f"columns are {listed(list(first))}"
            )
        return InForm(source, wanted, named=True)
    forms = fitting(first)
    if len(forms) > 1:
        _say_which(where, tuple(forms))
    plain = not forms or (forms[0].read is None and forms[0].whole is None)
    if not forms or (plain and source.schema is not None):
        return source
    return InForm(source, forms[0], named=False)


@cache
def _say_which(where: str, forms: tuple[Form, ...]) -> None:
    names = [f"`{form.name}`" for form in forms]
    log.warning(
        "%s: fits the forms %s and is read as %s; --form %s reads it otherwise",
        where, " and ".join(names), names[0], forms[1].name,
    )  # fmt: skip


class InForm(Source):
    """A source whose rows have a form, as prompt and answers.

    Where the form was `named`, columns that are not its own and would be read by convention are carried
    along under other names.
    """

    def __init__(self, source: Source, form: Form, *, named: bool) -> None:
        self._source, self._form, self._named = source, form, named
        self.dropped, self.partly = source.dropped, form.partly

    def sha256(self) -> str:
        """Return the hash of what is read, and of the form that was named."""
        return self._source.sha256() + (f" as {self._form.name}" if self._named else "")

    def readable(self) -> Iterator[tuple[str, Record | UsageError]]:
        """Yield every row, with the columns of its form turned into ours."""
        for where, found in self._form.whole(self._source) if self._form.whole else self._turned():
            problem = UsageError(f"{where}: {found}") if isinstance(found, Wrong) else found
            yield where, problem  # type: ignore[misc]

    def _turned(self) -> Iterator[tuple[str, Record | Exception]]:
        for where, record in self._source.readable():
            if isinstance(record, UsageError):
                yield where, record
                continue
            missing = [name for name in self._form.columns if name not in record]
            if missing:
                yield where, self._another(record, missing)
                continue
            try:
                yield from ((where, row) for row in self._rows(record))
            except Wrong as error:
                yield where, error

    def _rows(self, record: Record) -> Iterator[Record]:
        form = self._form
        if form.read is None and not self._named:
            yield record
            return
        used = form.columns if form.read else ()
        made = form.read(*(record[name] for name in used)) if form.read else {}
        rest = {self._kept(n, record): v for n, v in record.items() if n not in used}
        for one in made if isinstance(made, list) else [made]:
            yield {**one, **{name: value for name, value in rest.items() if name not in one}}

    def _kept(self, name: str, record: Record) -> str:
        """The name under which a column is carried along, or read."""
        own = (*self._form.columns, *self._form.also)
        if not self._named or name in own:
            return name
        return f"input_{name}" if name in _CONVENTIONS or name in sibling_columns(list(record)) else name

    def _another(self, record: Record, missing: list[str]) -> Wrong:
        """What to say of a row that lacks columns of the form."""
        if others := fitting(record):
            return Wrong(
                f"is of the form `{others[0].name}`, and the rows before it are of `{self._form.name}`; "
                "keep rows of one form in a file"
            )
        return Wrong(f"no {listed(missing)}; the rows before it are of the form `{self._form.name}`")
