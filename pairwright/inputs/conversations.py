"""Conversations in columns: read at once where every row of a chunk says what it says in the plainest way.

Plain is a row whose prompt is messages of system, user and assistant that the assistant does not end, and
each of whose answers is one message of the assistant, all of them of role and text alone. A chunk with any
other row is read row by row (`pairwright.inputs.prompt_and_answers`), which says the same of plain ones.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, pairwise
from json.encoder import encode_basestring
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pairwright.errors import UsageError
from pairwright.inputs.carried import as_json
from pairwright.inputs.columns import Columns
from pairwright.inputs.row import Parsed
from pairwright.inputs.source import CHUNK, Chunk, Piece, Record
from pairwright.schema import CONVERSATION

_SPEAKERS = {"system", "user", "assistant"}


class Conversations:
    """A column of plain conversations, none of them empty."""

    def __init__(self, column: pa.ListArray) -> None:
        self.column = column

    def part(self, start: int, size: int) -> "Conversations":
        """Return some of them."""
        return Conversations(self.column.slice(start, size))

    @cached_property
    def starts(self) -> list[int]:
        """Where the messages of each begin among those of all, and where the last one ends."""
        offsets = self.column.offsets
        return pc.subtract(offsets, offsets[0]).to_pylist()  # type: ignore[no-any-return]

    @cached_property
    def roles(self) -> list[str]:
        """Who speaks, of the messages of all."""
        return self._field("role").to_pylist()  # type: ignore[no-any-return]

    @cached_property
    def texts(self) -> list[str]:
        """What is said, of the messages of all."""
        return self._field("content").to_pylist()  # type: ignore[no-any-return]

    def saying(self, texts: list[str]) -> pa.ListArray:
        """Return the column with other texts, message by message."""
        if texts == self.texts:
            return self.column
        kinds = CONVERSATION.value_type
        messages = pa.StructArray.from_arrays([pa.array(self.roles), pa.array(texts)], fields=[*kinds])
        return pa.ListArray.from_arrays(pa.array(self.starts, pa.int32()), messages, type=CONVERSATION)

    def joined(self) -> pa.Array:
        """Return each as one text."""
        return self._joined(self._field("content"), "\n\n")

    @cached_property
    def escaped(self) -> pa.StringArray:
        """What is said, of the messages of all, as `canonical_json` has it between quotation marks."""
        texts = self._field("content")
        for sign in ("\\", '"', *_controls_in(texts)):
            texts = pc.replace_substring(texts, sign, encode_basestring(sign)[1:-1])
        return texts

    def json(self) -> pa.StringArray:
        """Return each as canonical JSON text, as `canonical_json` has it."""
        messages = _side_by_side('{"content":"', self.escaped, '","role":"', self._field("role"), '"}')
        return _side_by_side("[", self._joined(messages, ","), "]")

    def said(self) -> Iterator[tuple[str, ...]]:
        """Yield who speaks and what is said, message by message, of each."""
        all_said = tuple(chain.from_iterable(zip(self.roles, self.texts, strict=True)))
        return (all_said[2 * start : 2 * end] for start, end in pairwise(self.starts))

    def are_plain(self, *, answers: bool) -> bool:
        """Return whether all are what was said of plain ones: of prompts, or of answers."""
        if self.column.null_count or not len(self.column):
            return False
        sizes = np.diff(self.column.offsets.to_numpy())
        roles, texts = self._field("role"), self._field("content")
        if sizes.min() < 1 or self.column.flatten().null_count or roles.null_count or texts.null_count:
            return False
        speakers = {*pc.unique(roles).to_pylist()}
        if answers:
            right = sizes.max() == 1 and speakers == {"assistant"}
        else:
            right = speakers <= _SPEAKERS and not (
                "assistant" in speakers and self._any_ends_as("assistant")
            )
        is_said = pc.invert(pc.utf8_is_space(texts))
        return bool(right and pc.min(pc.binary_length(texts)).as_py() and pc.all(is_said).as_py())

    def _any_ends_as(self, role: str) -> bool:
        lasts = pa.array([start - 1 for start in self.starts[1:]], pa.int64())
        return pc.any(pc.equal(self._field("role").take(lasts), role)).as_py()  # type: ignore[no-any-return]

    def _joined(self, messages: pa.StringArray, between: str) -> pa.StringArray:
        """What is told of the messages of all, joined for each conversation."""
        if len(messages) == len(self.column):
            return messages
        offsets = pa.array(self.starts, pa.int32())
        return pc.binary_join(pa.ListArray.from_arrays(offsets, messages), between)

    def _field(self, name: str) -> pa.StringArray:
        return self.column.flatten().field(name)


class Plain(NamedTuple):
    """A chunk of plain rows."""

    chunk: Chunk
    prompt: Conversations
    answers: Mapping[str, Conversations]
    """By their columns."""

    @property
    def size(self) -> int:
        """How many rows it has."""
        return len(self.prompt.column)

    def part(self, start: int, size: int) -> "Plain":
        """Return some of the rows."""
        name, first, rows = self.chunk
        answers = {name: column.part(start, size) for name, column in self.answers.items()}
        return Plain(
            Chunk(name, first + start, rows.slice(start, size)), self.prompt.part(start, size), answers
        )

    def column(self, name: str, kind: pa.DataType) -> pa.Array:
        """Return another column in the type that it has in all files together; nulls, where it lacks."""
        if name not in self.chunk.rows.schema.names:
            return pa.nulls(self.size, kind)
        return of_type(self.chunk.rows.column(name), kind)


def _controls_in(texts: pa.StringArray) -> set[str]:
    """The control characters of ASCII that stand in texts."""
    _, offsets, data = texts.buffers()
    borders = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    codes = np.frombuffer(data or b"", np.uint8)[borders[0] : borders[-1]]
    return {*map(chr, codes[codes < ord(" ")].tolist())}


def hashes_of(*parts: pa.StringArray | str) -> list[str]:
    """Return of each row the first 16 hex digits of `text_hash` of its texts, one after the other.

    What is no column is the same in every row.
    """
    texts = _side_by_side(*parts).cast(pa.binary())
    return [hashlib.sha256(text).hexdigest()[:16] for text in texts.to_pylist()]


def _side_by_side(*parts: pa.StringArray | str) -> pa.StringArray:
    """Texts one after the other, row by row."""
    return pc.binary_join_element_wise(*parts, "")


def by_chunks(
    pieces: Iterable[Piece],
    at_once: Callable[[Chunk], Plain | None],
    each: Callable[[Iterable[tuple[str, Record | UsageError]]], Iterator[Parsed]],
) -> Iterator[Plain | Parsed]:
    """Yield chunks that can be read at once as such, and the rows of others one by one."""
    for piece in pieces:
        if not isinstance(piece, Chunk):
            yield from each([piece])
        elif found := at_once(piece):
            yield found
        else:
            yield from each(piece.readable())


def chunks_of(found: Iterable[Plain | Parsed]) -> Iterator[Plain | list[Parsed]]:
    """Yield the chunks of plain rows as they are, and the rows between them in lists."""
    waiting: list[Parsed] = []
    for one in found:
        if isinstance(one, Parsed):
            waiting.append(one)
        if waiting and (isinstance(one, Plain) or len(waiting) == CHUNK):
            yield waiting
            waiting = []
        if isinstance(one, Plain):
            yield one
    if waiting:
        yield waiting


def first_of(found: Iterable[Plain | Parsed], limit: int | None) -> Iterator[Plain | Parsed]:
    """Yield the first rows, chunks of them counting as many as they have."""
    left = math.inf if limit is None else limit
    for one in found:
        if isinstance(one, Plain) and one.size > left:
            one = one.part(0, int(left))
        left -= one.size if isinstance(one, Plain) else 1
        yield one
        if left <= 0:
            return


def of_type(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column of one file in the type that it has in all of them together, or is carried with."""
    if column.type.equals(kind):
        return column
    values = column.to_pylist()
    return pa.array(
        map(as_json, values) if pa.types.is_nested(column.type) and kind == pa.string() else values, kind
    )


def plain(chunk: Chunk, columns: Columns, answers: Sequence[str]) -> Plain | None:
    """Return a chunk whose rows are all plain, with the prompt's column and those of answers; None for any
    other.
    """
    if columns.prompt is None or columns.list or columns.beside or columns.unshown or columns.shown:
        return None
    found: list[Conversations] = []
    if not {columns.prompt, *answers} <= {*chunk.rows.schema.names}:
        return None
    for name in (columns.prompt, *answers):
        column = chunk.rows.column(name)
        if not column.type.equals(CONVERSATION):
            return None
        found.append(Conversations(column))
        if not found[-1].are_plain(answers=len(found) > 1):
            return None
    return Plain(chunk, found[0], dict(zip(answers, found[1:], strict=True)))
