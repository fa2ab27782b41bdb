"""Several workers, one run: `--shard i/n` on any machines that see the same folder.

Worker `i` of `n` does every shard whose number leaves the rest `i` when divided by `n`. That is the
whole claim: nobody has to make it, lose it or take it back. Each worker writes an ordinary run folder
of its own, `workers/i-of-n`, with its own lock, journal and `run.json`; so whatever is promised of one
writer holds for each. The last one to finish moves all shards into place and writes the totals, after
which nothing tells the folder from one that a single process has made.

The folder's own lock is held only for moments: when a worker arrives, and when it looks whether it is
the last. `flock` must work on the file system (NFS 4 and most cluster file systems: yes). Where it does
not, a worker started twice is not noticed; everything else still holds, since renames are atomic.
"""

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from pairwright.engines.openai.batch.store import BatchStore
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.durable import sync_folder
from pairwright.folders.journal import JOURNAL, Journal
from pairwright.folders.lock import FolderLock
from pairwright.folders.manifest import Manifest, load_manifest
from pairwright.folders.shards import PARTS, continue_run
from pairwright.records import FAILED

WORKERS = "workers"


class Share(NamedTuple):
    """One worker's part of a run."""

    number: int = 0
    of: int = 1
    done: frozenset[int] = frozenset()
    """Shards that the run had already when the worker came."""

    def owns(self, shard: int) -> bool:
        """Return whether a shard belongs to this worker."""
        return shard % self.of == self.number and shard not in self.done

    def items(self, manifest: Manifest) -> int:
        """Return the number of items in its shards."""
        size, items = manifest.shard_size, manifest.items
        return sum(min(size, items - first) for first in range(0, items, size) if self.owns(first // size))

    def folder(self, run: Path) -> Path:
        """Return the folder that a worker writes to."""
        return run / WORKERS / f"{self.number}-of-{self.of}"


ALONE = Share()
"""All of the run."""


def read_share(text: str) -> Share:
    """Return the share of `--shard i/n`. Raises `UsageError` for another form."""
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and int(number) < int(of)):
        raise UsageError(
            f"--shard {text}: write NUMBER/WORKERS, numbered from 0: 0/2 and 1/2 are all of two workers"
        )
    return Share(int(number), int(of))


def arrive(run: Path, planned: Manifest, share: Share) -> tuple[Share, Manifest]:
    """Return a worker's share, and the manifest that it begins with: complete when nothing is left.

    Only for the holder of the run's lock. Raises `UsageError` when the folder belongs to another run.
    """
    gather_strays(run, keep=share.of)
    gather(run, share.of)
    whole = continue_run(run, planned, fresh=False)
    done = frozenset(i for i, shard in whole.shards.items() if not shard.counts.get(FAILED))
    complete = len(done) * whole.shard_size >= whole.items
    whole = whole.model_copy(update={"complete": complete})
    whole.save(run)
    if (run / JOURNAL).exists():
        with Journal(run / JOURNAL):
            pass  # folds in what a killed process has left in its write-ahead log
    share = share._replace(done=done)
    return share, whole if complete else whole.model_copy(update={"shards": {}})


def begin(folder: Path, manifest: Manifest) -> Manifest:
    """Return the manifest that a worker goes on from; only for the holder of the lock of `folder`."""
    found = _manifest(folder)
    fresh = found is None or found.fingerprint != manifest.fingerprint
    manifest = continue_run(folder, manifest, fresh=fresh)
    manifest.save(folder)  # from now on, until its share is done, it is not complete
    return manifest


def gather(run: Path, of: int) -> Manifest | None:
    """Return the whole run's manifest with all workers' shards in place; None until all are done.

    Only for the holder of the run's lock, whose own share is done.
    """
    whole = _manifest(run)
    if whole is None:
        return None
    shards = set(whole.shards)
    with ExitStack() as held:
        parts = {}
        for folder in (Share(number, of).folder(run) for number in range(of)):
            part = _manifest(folder)
            if part is not None and part.complete and part.fingerprint == whole.fingerprint:
                try:
                    held.enter_context(FolderLock(folder))
                except PairwrightError:
                    return None
                parts[folder] = part
                shards |= part.shards.keys()
        return _take_over(run, parts) if len(shards) * whole.shard_size >= whole.items else None


def gather_strays(run: Path, keep: int | None = None) -> None:
    """Take over what workers have left behind, but for those of `keep`; they must not be at work.

    Only for the holder of the run's lock. Raises `PairwrightError` naming a worker that is at work.
    """
    for folder in sorted((run / WORKERS).glob("*-of-*")):
        if keep is None or not folder.name.endswith(f"-of-{keep}"):
            with FolderLock(folder):
                _take_over(run, {folder: _manifest(folder)})


def _take_over(run: Path, parts: Mapping[Path, Manifest | None]) -> Manifest:
    """Journals first, then the list of shards, then their files: a kill in between loses nothing."""
    for folder in parts:
        _merge_journal(run, folder)
        BatchStore(run).take_in(BatchStore(folder))
    whole = load_manifest(run)
    shards, seconds = dict(whole.shards), whole.seconds
    sound = {f: p for f, p in parts.items() if p is not None and p.fingerprint == whole.fingerprint}
    for part in sound.values():
        shards |= part.shards
        seconds = max(seconds, part.seconds)
        whole = whole.with_dialects(part.dialects)
    changes = {"shards": dict(sorted(shards.items())), "seconds": seconds}
    whole = whole.model_copy(update=changes)
    whole.save(run)
    for name in PARTS:
        (run / name).mkdir(exist_ok=True)
        for path in (path for folder in sound for path in sorted((folder / name).glob("*.parquet"))):
            path.replace(run / name / path.name)
        sync_folder(run / name)
    complete = sum(whole.counts.values()) == whole.items
    whole = whole.model_copy(update={"complete": complete})
    whole.save(run)
    for folder in parts:
        shutil.rmtree(folder)
    if (run / WORKERS).is_dir() and not any((run / WORKERS).iterdir()):
        (run / WORKERS).rmdir()
    return whole


def _manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, if it has one that can be read."""
    try:
        return load_manifest(folder)
    except PairwrightError:
        return None


def _merge_journal(run: Path, folder: Path) -> None:
    """Put a worker's finished completions to those of the run."""
    if (folder / JOURNAL).exists():
        with Journal(folder / JOURNAL) as theirs, Journal(run / JOURNAL) as journal:
            journal.take_in(theirs)
