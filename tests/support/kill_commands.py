"""Kills commands again and again, and checks after every kill what must hold.

python kill_commands.py FOLDER KILLS SEED NAME …     prints how many kills they survived

NAME is one of `revise`, `sample`, `verify` (a revision that a function verifies), `cross` (of which crossed
pairs are made) and `eval`.

Here commands are forks of one process that has imported everything, so kills meet them at work, and
thousands take minutes; `test_kill.py` also starts them as a shell does.
"""

import importlib
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import audited
from forks import forked_call
from runs_on_disk import as_flags, revise_config, write_jsonl

from judge.evaluation.measures import load_evaluation
from pairwright.folders.journal import JOURNAL, Journal
from pairwright.folders.manifest import MANIFEST, load_manifest
from pairwright.folders.shards import read_tables

IMPORTED = (
    "pandas",
    "polars",
    "pairwright.stages.run",
    "pairwright.stages.sample",
    "pairwright.reports.stats",
    "judge.evaluation.command",
)
"""What the commands import when they need it, pyarrow among them."""

PLAIN = ("revise", "sample")

Start = Callable[[Path, list[str], float | None], bool]
"""Runs a command that logs what it asks; kills it after some seconds. Returns whether it was killed."""


def forked(log: Path, command: list[str], patience: float | None) -> bool:
    """The command in a fork of this process."""

    def work() -> None:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, sys.stdout.fileno())
        audited.run(str(log), command)

    return forked_call(work, patience)


def outcome(folder: Path) -> list[list[dict[str, Any]]]:
    """All rows of a finished run, in order, from files that have their recorded hashes."""
    return [t.to_pylist() for part in ("data", "dropped") for t in read_tables(folder, part)]


def finished_keys(folder: Path) -> set[str]:
    """Keys of all completions that a run has kept."""
    if not (folder / JOURNAL).exists():
        return set()
    with Journal(folder / JOURNAL) as journal:
        return set(journal.keys())


def kill_until(
    folder: Path,
    kills: int,
    seed: int,
    start: Start,
    waits: tuple[float, float] | None = None,
    names: Sequence[str] = PLAIN,
) -> int:
    """Sweep fresh folders, the named commands in turn, until `kills` processes were killed.

    A process has some seconds within `waits`; by default from none to a little more than a whole run takes.
    Returns the number of kills.
    """
    rng = random.Random(seed)
    commands = _commands(folder)

    @cache
    def whole(name: str) -> tuple[Path, float]:
        """A run that nobody touched, and how long it took."""
        run, started = folder / f"{name}-whole", time.monotonic()
        start(folder / "whole.log", [*commands[name], "--out", str(run)], None)
        return run, time.monotonic() - started

    def patience(longest: float) -> float:
        return rng.uniform(*(waits or (0.0, longest)))

    spent = round_ = 0
    while spent < kills:
        name = names[round_ % len(names)]
        golden, seconds = whole(name)
        run = folder / f"{name}-{round_}"
        spent += _sweep(
            folder / "asked.log",
            [*commands[name], "--out", str(run)],
            run,
            min(12, kills - spent),
            partial(patience, 1.2 * seconds),
            start,
        )
        assert outcome(run) == outcome(golden)
        assert load_manifest(run).counts == load_manifest(golden).counts
        if name == "eval":
            assert load_evaluation(run) == load_evaluation(golden)
        round_ += 1
    return spent


def _commands(folder: Path) -> dict[str, list[str]]:
    """Commands of some tenths of a second, without `--out`."""
    revision = revise_config(folder, rows=120, delay=0.01)
    flags = as_flags(revision)
    at = flags.index("--out")
    replies = [{"text": f"Answer {n}.", "delay": 0.002 * n} for n in range(200)]
    canned = write_jsonl(folder / "policy.jsonl", replies)
    sampling = ["sample", revision.input, "--policy", f"canned:{canned}", "--n", "3", "--shard_size", "50"]
    plain = flags[:at] + flags[at + 2 :]
    checks = folder / "checks.py"
    checks.write_text(
        "import zlib\n\n"
        "def right(prompt, answer, row):\n"
        "    return sum(map(ord, answer)) % 5 / 4, f'it has {len(answer)} characters'\n\n"
        "def apt(prompt, answer, row):\n"
        "    return zlib.crc32(f'{prompt}{answer}'.encode()) % 5 / 4\n"
    )
    verified = ["--verify", f"{checks}:right", "--function_processes", "1"]
    other = write_jsonl(folder / "other.jsonl", [r | {"text": f"{r['text']}!"} for r in replies])
    measured = ["eval", f"canned:{canned},canned:{other}", "--prompts", revision.input, *verified]
    return {
        "revise": plain,
        "sample": sampling,
        "verify": [*plain, *verified, "--tries", "3"],
        "cross": [*plain, "--verify", f"{checks}:apt", "--function_processes", "1", "--cross", "tag"],
        "eval": [*measured, "--limit", "60", "--bootstrap_samples", "200"],
    }


def _sweep(
    log: Path, command: list[str], run: Path, kills: int, patience: Callable[[], float], start: Start
) -> int:
    """Start a command again and again, killing it each time, until it ends or `kills` are spent.

    Checks after every kill that no finished request is asked again. Returns the number of kills.
    """
    known: set[str] = set()
    for spent in range(kills + 1):
        log.write_text("")
        killed = start(log, command, None if spent == kills else patience())
        asked_again = known & set(log.read_text().split())
        assert not asked_again, f"{len(asked_again)} finished completions were asked again"
        if not killed:
            return spent
        if (run / MANIFEST).exists():
            load_manifest(run)
            known = finished_keys(run)
    raise AssertionError("the last process was not killed and did not finish")


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    folder, kills, seed, *names = sys.argv[1:]
    print(kill_until(Path(folder), int(kills), int(seed), forked, names=names or PLAIN))
