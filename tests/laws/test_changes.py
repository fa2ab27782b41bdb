"""The order of rows and the size of shards change no row of `merge`, `dedup` and `gate`, nor does the name
of the prompt's column of `gate`.

The same of `sample`, `revise` and `judge` is among the laws of `test_laws.py`.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from any_rows import case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from in_process import quietly
from lawful import content_of, run_again
from runs_on_disk import rows_of

from pairwright.folders.versions import versions


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """No waiting for disks, no cards, versions looked up once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        there = versions()
        for name, value in (("versions", lambda: there), ("write_card", lambda folder, manifest: None)):
            patch.setattr(f"pairwright.sift.folder.{name}", value)
        yield


COMMANDS = (
    "merge {rows} --out {out}",
    "dedup {rows} --near 1 --out {out}",
    "gate {rows} --out {out}",
)


def content(run: Path) -> Counter[str]:
    """The rows without their reasons, which name the file and the line of a twin."""
    return content_of([{**row, "reason": None} for row in rows_of(run)])


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=20)
@given(st.integers(0, 10**9))
def test_what_must_change_no_row_changes_none(
    tmp_path_factory: pytest.TempPathFactory, number: int
) -> None:
    command = COMMANDS[number % len(COMMANDS)]
    folder: Path = tmp_path_factory.getbasetemp() / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    found = case(number, ("pair", "parts")[number % 2], tools=False)

    def argv(rows: str, out: str) -> list[str]:
        return command.format(rows=rows, out=out).split()

    quietly(*argv(str(found.write(folder)), str(folder / "run")), codes=(0, 1))
    changes = ("order", "shards", "names") if "gate" in command else ("order", "shards")
    change = changes[number // 6 % len(changes)]
    again = run_again(folder, found, argv, change)
    if change == "order" and len({str(row) for row in found.rows}) < len(found.rows):
        return  # which of equal rows carries what is a matter of their order
    assert content(again) == content(folder / "run"), change
