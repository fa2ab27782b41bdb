"""Names and types of the columns that rows carry through, found before any work starts."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pairwright.errors import UsageError
from pairwright.schema import plain_type

Placed = tuple[str, Mapping[str, Any]]
"""Where a row stands, and what it carries."""

_JSON_WORDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
}
_MOST_LEVELS = 80
"""Levels of nesting that Parquet's readers follow, with room for a column's own (their limit is 100)."""
_MISFIT = (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError)

READ_BY_NAME = frozenset({"chosen", "rejected", "completion", "verdict", "margin", "score", "rank"})
"""Columns of a run that mean something to whoever reads rows, and belong to that run alone."""


def free_names(
    names: list[str], reserved: set[str], ours: Collection[str], keep: Collection[str]
) -> dict[str, str]:
    """Return the name each column is carried under: `input_` goes before one that we write ourselves."""
    taken = reserved | {name for name in ours if name not in keep}
    found = {name: name for name in names if name not in taken}
    used = taken | found.keys()
    for name in names:
        if name not in found:
            new = f"input_{name}"
            while new in used:
                new = f"input_{new}"
            used.add(new)
            found[name] = new
    return {name: found[name] for name in names}


class CarriedTypes:
    """Learns one Arrow type a column from chunk after chunk of rows."""

    def __init__(self, given: Mapping[str, str], known: pa.Schema) -> None:
        """`known` has types of the input's columns, for those that have no value where one is learnt."""
        self._types: dict[str, pa.DataType] = {}
        self._known = known
        self._given = given
        """The input's own names of columns that are carried under others, for sentences about them."""
        self.widened = False
        """Whether a column's type grew after values of it were seen, which must fit it too."""

    def learn(self, chunk: Sequence[Placed]) -> None:
        """Learn the types of a chunk of rows. Raises `UsageError` where a column changes its type."""
        for name in dict.fromkeys(name for _, carried in chunk for name in carried):
            known = self._types.get(name, pa.null())
            try:
                found = pa.array([carried.get(name) for _, carried in chunk]).type
                self._types[name] = _merged(known, found)
            except _MISFIT as error:
                raise self._culprit(name, known, chunk, error) from None
            self.widened |= not pa.types.is_null(known) and self._types[name] != known

    def check(self, chunk: Sequence[Placed]) -> None:
        """Raise `UsageError` at a value that its column's type cannot hold."""
        for name, kind in self._types.items():
            try:
                pa.array([carried.get(name) for _, carried in chunk], kind)
            except _MISFIT as error:
                raise self._culprit(name, kind, chunk, error) from None

    def fields(self) -> list[pa.Field]:
        """Return the columns.

        What Parquet cannot hold becomes text: objects that never have a key, and what is nested too deep.
        """
        kinds = {name: self._known_type(name) or kind for name, kind in self._types.items()}
        return [
            pa.field(name, pa.string() if _is_beyond_parquet(kind) else plain_type(kind))
            for name, kind in kinds.items()
        ]

    def _known_type(self, name: str) -> pa.DataType | None:
        """The known type of a column without a value, if it has one that holds no others."""
        own = self._given.get(name, name)
        if not pa.types.is_null(self._types[name]) or own not in self._known.names:
            return None
        kind = self._known.field(own).type
        return None if pa.types.is_nested(kind) else kind

    def as_text(self) -> frozenset[str]:
        """Return columns whose values are carried as JSON text."""
        return frozenset(name for name, kind in self._types.items() if _is_beyond_parquet(kind))

    def _culprit(
        self, name: str, known: pa.DataType, chunk: Iterable[Placed], error: Exception
    ) -> UsageError:
        """What to tell of the first row that does not go with those before it."""
        where, said = "its rows", self._given.get(name, name)
        for where, carried in chunk:
            value = carried.get(name)
            try:
                known = _merged(known, pa.array([value]).type)
                pa.array([value], known)
            except OverflowError:
                return UsageError(
                    f"{where}: the number in column `{said}` is too large for 64 bits; write it as text"
                )
            except _MISFIT:
                before, now = _said(known), _JSON_WORDS.get(type(value), "something else")
                now = f"{now} with other types inside" if now == before else now
                return UsageError(
                    f"{where}: column `{said}` changes its type here ({before} before, now {now}); "
                    "give every row the same type"
                )
        return UsageError(f"{where}: column `{said}` has no type that all its values fit ({error})")


def fields_of(
    schema: pa.Schema, names: Mapping[str, str], texts: Collection[str], source: str
) -> tuple[list[pa.Field], frozenset[str]]:
    """Return the columns to carry of a source with a schema, and those of them that become JSON text.

    `names` are those of the source and those they are carried under, `texts` those that hold text whatever
    they are in the source. Raises `UsageError`, naming the column, for a type that Parquet cannot hold.
    """
    kinds = {new: schema.field(name).type for name, new in names.items()}
    as_text = frozenset(n for n, kind in kinds.items() if n not in texts and _is_beyond_parquet(kind))
    kinds |= dict.fromkeys((*as_text, *(n for n in kinds if n in texts)), pa.string())
    for name, new in names.items():
        if not _parquet_holds(kinds[new]):
            raise UsageError(
                f"{source}: column `{name}` is of Arrow's type {kinds[new]}, which Parquet cannot hold; "
                "write it as text, or leave it out"
            )
    return [pa.field(name, kind) for name, kind in kinds.items()], as_text


def _parquet_holds(kind: pa.DataType) -> bool:
    try:
        pq.write_table(pa.schema([("column", kind)]).empty_table(), BytesIO())
    except pa.ArrowException:
        return False
    return True


def as_json(value: Any) -> str | None:
    """Return a value as canonical JSON text, times and what else JSON has no form for as text in it."""
    return None if value is None else _JSON.encode(value)


_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def _merged(known: pa.DataType, found: pa.DataType) -> pa.DataType:
    both = [pa.schema([pa.field("x", kind)]) for kind in (known, found)]
    return pa.unify_schemas(both, promote_options="permissive").field("x").type


def _is_beyond_parquet(kind: pa.DataType) -> bool:
    return _has_empty_object(kind) or _levels(kind) > _MOST_LEVELS


def _levels(kind: pa.DataType) -> int:
    """How deep a type is nested in Parquet, where a list is two levels."""
    if pa.types.is_list(kind):
        return 2 + _levels(kind.value_type)
    if pa.types.is_struct(kind):
        return 1 + max((_levels(field.type) for field in kind), default=0)
    return 0


def _has_empty_object(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return _has_empty_object(kind.value_type)
    if pa.types.is_struct(kind):
        return not kind.num_fields or any(_has_empty_object(f.type) for f in kind)
    return False


def _said(kind: pa.DataType) -> str:
    """A type in JSON's words."""
    if pa.types.is_list(kind):
        return _JSON_WORDS[list]
    if pa.types.is_struct(kind):
        return _JSON_WORDS[dict]
    simple = {"int64": int, "double": float, "bool": bool}
    return _JSON_WORDS[simple.get(str(kind), str)]
