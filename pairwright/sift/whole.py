"""Rows of runs and files as they are: prompts and answers as messages, every other column unchanged."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from pairwright.errors import UsageError
from pairwright.inputs.columns import Columns, find_columns, parse_row
from pairwright.inputs.rows import Input
from pairwright.inputs.source import Source
from pairwright.inputs.sources import open_source
from pairwright.records import Message, content_hash
from pairwright.schema import CONVERSATION

IDS = ("row_id", "prompt_id")
ANSWERS = ("chosen", "rejected", "completion")


class WholeRow(NamedTuple):
    """A row that keeps its columns and its id."""

    where: str
    """In which source it stands, and where in it."""
    columns: dict[str, Any]

    @property
    def prompt(self) -> str:
        """The prompt as one text."""
        return "\n\n".join(m["content"] for m in self.columns["prompt"])

    @property
    def texts(self) -> tuple[str, ...]:
        """The prompt, then every answer."""
        answers = (self.columns.get(name) for name in ANSWERS)
        return (self.prompt, *("\n\n".join(m["content"] for m in answer) for answer in answers if answer))


class WholeRows(Input):
    """All rows of several sources, one after the other, under one schema."""

    def __init__(self, sources: Sequence[str], limit: int | None) -> None:
        self._sources = tuple(sources)
        twice = next((name for name in sources if sources.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f"{twice}: named twice; its rows would stand beside themselves")
        super().__init__(", ".join(sources), Columns(), limit, ("prompt",), answers=False)
        answers = [pa.field(name, CONVERSATION) for name in ANSWERS if name in self._answers]
        self.schema = pa.schema(
            [*((name, pa.string()) for name in IDS), ("prompt", CONVERSATION), *answers]
            + [f for f in self.carried if f.name not in ANSWERS]
        )

    def whole(self) -> Iterator[WholeRow]:
        """Every row, in order. Rows that differ never have the same id, whatever their sources say."""
        known: dict[str, str] = {}
        for (where, prompt, _, carried, _), (_, record) in zip(self._parsed(), self._source, strict=False):
            messages = _plain(prompt)
            columns = {"prompt": messages, **carried}
            for name in self._answers:
                columns[name] = _answer(record.get(name), prompt, name, where)
            content = content_hash([messages, *(columns.get(name) for name in ANSWERS)])[:16]
            row_id = str(record.get("row_id") or content)
            if known.setdefault(row_id, content) != content:
                row_id = content_hash([row_id, content])[:16]
            prompt_id = str(record.get("prompt_id") or content_hash(messages)[:16])
            yield WholeRow(where, {"row_id": row_id, "prompt_id": prompt_id} | columns)

    def _open(self, source: str) -> Source:
        return Joined([open_source(name) for name in self._sources])

    def _chosen(self, names: list[str], wanted: Columns, answers: bool) -> tuple[Columns, list[str]]:
        columns = find_columns(self._path, names, wanted, answers=False)
        self._answers = [name for name in ANSWERS if name in names]
        own = {*IDS, *columns.used, *self._answers}
        return columns, [n for n in names if n not in own]


class Joined:
    """Several sources as one."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        schemas = [source.schema for source in sources]
        self.schema: pa.Schema | None = None
        if all(schema is not None for schema in schemas):
            self.schema = pa.unify_schemas(schemas, promote_options="permissive")

    def __iter__(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for source in self._sources:
            yield from source

    def sha256(self) -> str:
        """Hash of the sources' hashes, in order."""
        return hashlib.sha256(json.dumps([s.sha256() for s in self._sources]).encode()).hexdigest()


def _plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [m.model_dump() for m in messages]


def _answer(value: Any, prompt: Sequence[Message], name: str, where: str) -> list[dict[str, str]] | None:
    """An answer as its one message; None where there is none."""
    if value is None or value == []:
        return None
    record = {"prompt": _plain(prompt), name: value}
    _, text = parse_row(record, Columns("prompt", name), where)
    return None if text is None else [{"role": "assistant", "content": text}]
