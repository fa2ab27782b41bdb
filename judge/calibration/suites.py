"""Published benchmarks of judges: pairs, each with its subset, which is named by its file."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import pyarrow as pa

from pairwright.errors import UsageError
from pairwright.inputs.candidates import Candidates
from pairwright.inputs.names import files_of
from pairwright.inputs.source import Record, Source
from pairwright.inputs.sources import open_source
from pairwright.records import content_hash

SUBSET = "subset"
NATURAL, ADVERSARIAL = "natural", "adversarial"
_ADVERSARIAL = ("neighbor", "gptinst", "gptout", "manual")
"""Ways in which LLMBar's adversarial pairs were made (Zeng et al. 2023, https://arxiv.org/abs/2310.07641)."""


class LLMBar(Candidates):
    """The pairs of LLMBar's files, with a column `subset`."""

    def _open(self, source: str) -> Source:
        files = files_of(source, "*.json*")
        return _Subsets([(subset_of(path), open_source(str(path))) for path in files])


class _Subsets(Source):
    """Sources one after the other, each record with the name of its own."""

    def __init__(self, parts: Sequence[tuple[str, Source]]) -> None:
        self._parts = parts
        schemas = [part.schema for _, part in parts]
        if None not in schemas:
            whole = pa.unify_schemas([schema for schema in schemas if schema is not None])
            self.schema = whole.append(pa.field(SUBSET, pa.string()))

    def sha256(self) -> str:
        """Hash of the sources' hashes and names, in order."""
        return content_hash([[name, part.sha256()] for name, part in self._parts])

    def readable(self) -> Iterator[tuple[str, Record | UsageError]]:
        """Every record with its subset, or what is wrong with it."""
        return chain.from_iterable(self._of(name, part) for name, part in self._parts)

    def _of(self, name: str, part: Source) -> Iterator[tuple[str, Record | UsageError]]:
        for where, record in part.readable():
            yield where, record if isinstance(record, UsageError) else {**record, SUBSET: name}


def subset_of(path: Path) -> str:
    """Return the subset that a file and its folders name. Raises `UsageError` if they name none."""
    for part in (path.stem, *(folder.name for folder in path.parents)):
        name = part.lower()
        for way in _ADVERSARIAL:
            if way in name:
                return f"{ADVERSARIAL}: {way}"
        if NATURAL in name:
            return NATURAL
    raise UsageError(
        f"{path}: names no subset of LLMBar; the file or its folder must be named after one: "
        f"{NATURAL}, {', '.join(_ADVERSARIAL)}"
    )
