"""`pairwright decontaminate`: rows that contain text of a test set."""

from collections.abc import Iterator, Mapping
from typing import Any
from unicodedata import normalize

from pydantic import Field, field_validator

from pairwright.config import split_commas
from pairwright.errors import UsageError
from pairwright.folders.manifest import Manifest
from pairwright.inputs.sources import open_source
from pairwright.records import KEPT, Ending, content_hash
from pairwright.sift.folder import SiftConfig, each, sift
from pairwright.sift.shingles import runs, words_of
from pairwright.sift.whole import WholeRow


class DecontaminateConfig(SiftConfig):
    """Drop rows that share a long run of words with a test set, in the prompt or in an answer.

    Example: pairwright decontaminate runs/pairs --against test.jsonl --out runs/clean
    """

    against: tuple[str, ...] = Field(min_length=1)
    """Test sets: JSONL or Parquet files, run folders, or data sets of the hub (`name:split`); several
    with commas. Every text in them counts."""
    words: int = Field(default=13, gt=1)
    """Words in a row that give a match. A test text with fewer matches a prompt, or a turn of it, that is
    the same; one of a single word matches none."""

    @field_validator("against", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        return split_commas(value)


def decontaminate(config: DecontaminateConfig) -> Manifest:
    """Write the rows; those that share words with a test are `contaminated`."""
    tests = content_hash([open_source(name).sha256() for name in config.against])
    return sift("decontaminate", config, each(Contamination(config)), **{"content of against": tests})


class Contamination:
    """Knows every run of words of the test sets, and where it occurs."""

    def __init__(self, config: DecontaminateConfig) -> None:
        self._length = config.words
        self._long: dict[str, str] = {}
        self._short: dict[str, str] = {}
        for name in config.against:
            for where, text in _texts(name):
                words = _words(text)
                if len(words) >= self._length:
                    for run in runs(words, self._length):
                        self._long.setdefault(run, where)
                elif len(words) > 1:
                    self._short.setdefault(" ".join(words), where)
        if not self._long and not self._short:
            raise UsageError(f"--against {','.join(config.against)}: no text in it")

    def __call__(self, row: WholeRow) -> Ending:
        turns = (message["content"] for message in row.columns["prompt"])
        for asked in (row.prompt, *turns):  # a system message may stand before the question
            if where := self._short.get(" ".join(_words(asked))):
                return Ending("contaminated", f"its prompt is {where}")
        for text in row.texts:
            words = _words(text)
            if len(words) < self._length:
                continue
            for run in runs(words, self._length):
                if run in self._long:
                    return Ending(
                        "contaminated", f"shares {self._length} words with {self._long[run]}: “{run}”"
                    )
        return Ending(KEPT)


def _words(text: str) -> list[str]:
    """The words of a text, however its characters are put together, and emphasised or not."""
    return words_of(normalize("NFKC", text).replace("_", " "))


def _texts(source: str) -> Iterator[tuple[str, str]]:
    """Every text in a source, and the record that it stands in."""
    for where, record in open_source(source):
        for text in _strings(record):
            yield where, text


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in ("role", "row_id", "prompt_id"):
                yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)
