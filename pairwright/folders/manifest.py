"""`run.json`: what a run folder is, and which of its shards are finished."""

import json
import logging
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.durable import write_durably
from pairwright.folders.json_record import parsed, read_json
from pairwright.records import KEPT, Record, canonical_json, content_hash, text_hash

log = logging.getLogger(__name__)

MANIFEST = "run.json"
SYSTEMS = "system_fingerprints"
"""Of a server's dialect: how many answers came from each system that it named."""
_MENDING = "run its command with --fresh, which uses every finished completion again"


class Shard(Record):
    """A finished shard: how many rows ended how, and the hashes of its files."""

    counts: dict[str, int]
    """Rows by status; they add up to the shard's input rows."""
    sha256: dict[str, str]
    """By part, `data` and `dropped`; a part without rows has no file."""
    further: int = 0
    """Rows in `data` beyond one for each kept item."""
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def with_files(self, hashes: Mapping[str, str]) -> "Shard":
        """Return the shard with the hashes of its files."""
        return Shard(**self.model_dump() | {"sha256": dict(hashes)})

    @cached_property
    def canonical(self) -> str:
        """Its canonical JSON text: it is saved again with every shard that follows."""
        return canonical_json(self.model_dump(mode="json"))

    @cached_property
    def lines(self) -> str:
        """Its text in `run.json`."""
        return _indented(self.model_dump(mode="json"), 2)


class InputInfo(Record):
    """What a run reads."""

    path: str
    sha256: str
    rows: int


def several_systems(where: str, *systems: str) -> str:
    """Return the sentence for a server whose answers come from several systems."""
    return (
        f"{where}: its answers come from {len(systems)} systems by the name of one (`system_fingerprint` "
        f"{', '.join(systems)}): another server or version may stand behind this address. `run.json` "
        "counts them, and the journal has that of each answer"
    )


class Manifest(Record):
    """The record of a run, except its rows."""

    stage: str
    versions: dict[str, str]
    config: dict[str, Any]
    """All settings, resolved."""
    semantic: dict[str, Any]
    """What decides the content of the rows; a folder is never continued under another."""
    gate: dict[str, Any]
    """What decides which finished completions become kept rows; a change re-reads the journal."""
    engines: dict[str, str]
    """Model and revision by role."""
    dialects: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """By role of an engine at a server: how the server was asked, as far as it was found out."""
    input: InputInfo
    items: int
    """Rows of work: input rows, times samples a row."""
    shard_size: int
    shards: dict[int, Shard] = Field(default_factory=dict)
    complete: bool = False
    started: str = ""
    seconds: float = 0.0

    @property
    def fingerprint(self) -> str:
        """Hash of everything that a shard's content follows from."""
        return content_hash([self.semantic, self.gate, self.shard_size])

    @property
    def counts(self) -> dict[str, int]:
        """Rows by status over all finished shards."""
        totals: dict[str, int] = {}
        for shard in self.shards.values():
            for status, count in shard.counts.items():
                totals[status] = totals.get(status, 0) + count
        return totals

    @property
    def kept_rows(self) -> int:
        """Rows in `data`: an item may be kept as several."""
        return self.counts.get(KEPT, 0) + sum(s.further for s in self.shards.values())

    def with_dialects(self, found: Mapping[str, Mapping[str, Any]]) -> "Manifest":
        """Return the manifest with what was found out of servers by now; counts of systems are added up."""
        joined = {role: dict(dialect) for role, dialect in (self.dialects | dict(found)).items()}
        for role in self.dialects.keys() & found.keys():
            before: Counter[str] = Counter(self.dialects[role].get(SYSTEMS))
            now: Counter[str] = Counter(found[role].get(SYSTEMS))
            if before or now:
                joined[role][SYSTEMS] = dict(before + now)
            if before and len(now) == 1 and now.keys() - before.keys():
                log.warning(several_systems(f"{role} {self.engines.get(role, '')}", *before, *now))
        return self.model_copy(update={"dialects": joined})

    def save(self, folder: Path) -> None:
        """Write `run.json` in one step.

        Shards, of which there may be thousands, are put into its text as they were at their commit.
        """
        head = self.model_copy(update={"shards": {}})
        values = head.model_dump(mode="json", exclude=None if self.dialects else {"dialects"})
        shards = {str(index): shard for index, shard in self.shards.items()}
        canonical = {name: canonical_json(value) for name, value in values.items()}
        canonical["shards"] = _object({name: shard.canonical for name, shard in shards.items()})
        derived = self._derived(text_hash(_object(canonical)))
        lines = {name: _indented(value, 1) for name, value in (values | derived).items()}
        if shards:
            lines["shards"] = _object_in_lines({name: shard.lines for name, shard in shards.items()}, 1)
        text = _object_in_lines(lines, 0) + "\n"
        write_durably(folder / MANIFEST, text.encode("utf-8", "backslashreplace"))

    def _derived(self, of_values: str) -> dict[str, Any]:
        """For readers of the file: totals; and the hash of its values: a damaged file is not believed."""
        return {"fingerprint": self.fingerprint, "counts": self.counts, "hash": of_values}


def _object(members: Mapping[str, str]) -> str:
    """Canonical JSON of an object, from that of its members."""
    told = ",".join([f'"{name}":{text}' for name, text in sorted(members.items())])
    return f"{{{told}}}"


def _object_in_lines(members: Mapping[str, str], depth: int) -> str:
    """The same with a line for each member, as `json.dumps` indents it."""
    end = "\n" + " " * depth
    told = ",".join([f'{end} "{name}": {text}' for name, text in members.items()])
    return f"{{{told}{end}}}"


def _indented(value: Any, depth: int) -> str:
    """A value as JSON for people, so deep in an object."""
    return json.dumps(value, indent=1, ensure_ascii=False).replace("\n", "\n" + " " * depth)


def load_manifest(folder: Path) -> Manifest:
    """Return the manifest of a run folder. Raises `UsageError` when there is none or it cannot be read."""
    path = folder / MANIFEST
    values = read_json(path, _MENDING)
    if values is None:
        raise UsageError(f"{folder}: no {MANIFEST} here, so this is not a run folder")
    derived = {name: values.pop(name, None) for name in ("fingerprint", "counts", "hash")}
    manifest = parsed(path, values, Manifest, _MENDING)
    if derived != manifest._derived(content_hash(values)):
        raise PairwrightError(f"{path}: damaged (it does not have its own hash); {_MENDING}")
    return manifest
