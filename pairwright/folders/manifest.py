"""`run.json`: what a run folder is, and which of its shards are finished."""

import json
import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.durable import write_durably
from pairwright.folders.json_record import parsed, read_json
from pairwright.records import KEPT, Record, content_hash

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
        """Write `run.json` in one step."""
        values = self.model_dump(mode="json", exclude=None if self.dialects else {"dialects"})
        text = json.dumps(values | self._derived(values), indent=1, ensure_ascii=False)
        write_durably(folder / MANIFEST, (text + "\n").encode("utf-8", "backslashreplace"))

    def _derived(self, values: dict[str, Any]) -> dict[str, Any]:
        """For readers of the file: totals; and a hash, so that a damaged file is not believed."""
        return {"fingerprint": self.fingerprint, "counts": self.counts, "hash": content_hash(values)}


def load_manifest(folder: Path) -> Manifest:
    """Return the manifest of a run folder. Raises `UsageError` when there is none or it cannot be read."""
    path = folder / MANIFEST
    values = read_json(path, _MENDING)
    if values is None:
        raise UsageError(f"{folder}: no {MANIFEST} here, so this is not a run folder")
    derived = {name: values.pop(name, None) for name in ("fingerprint", "counts", "hash")}
    manifest = parsed(path, values, Manifest, _MENDING)
    if derived != manifest._derived(values):
        raise PairwrightError(f"{path}: damaged (it does not have its own hash); {_MENDING}")
    return manifest
