"""The order of rows, the size of shards, the name of the prompt's column and how much is asked at once
change no row, in whatever command there are such things.

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
from places import GOLDEN
from runs_on_disk import rows_of

from pairwright.folders.versions import versions
from pairwright.inputs.sources import records


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """No waiting for disks, no cards, versions looked up once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        there = versions()
        for name, value in (("versions", lambda: there), ("write_card", lambda folder, manifest: None)):
            patch.setattr(f"pairwright.sift.folder.{name}", value)
        yield


INPUTS = GOLDEN / "frozen" / "inputs"
COMMANDS = {
    "merge {rows} --out {out}": ("order", "shards"),
    "dedup {rows} --near 1 --out {out}": ("order", "shards"),
    "gate {rows} --out {out}": ("order", "shards", "names"),
    f"select {{rows}} --tokenizer {INPUTS}/model --max_length_difference 20 --out {{out}}": (
        "order",
        "shards",
    ),
    "export {rows} --to trl --out {out}": ("order",),
    f"score {INPUTS}/taste {{rows}} --columns first,second --device cpu --out {{out}}": (
        *("order", "shards", "names"),
    ),
    "winrate {rows}:first {rows}:second --prompts {rows} --judge recorded:judge --out {out}": (
        *("order", "concurrency"),
    ),
}
"""Each with what must change nothing."""


def content(run: Path) -> Counter[str]:
    """The rows without their reasons, which name the file and the line of a twin, and with scores as far
    as they do not depend on what is computed beside them.
    """
    exported = (run / "train.jsonl").is_file() or not (run / "run.json").is_file()
    rows = list(records(str(run))) if exported else rows_of(run)
    found = content_of(
        [
            {n: round(v, 4) if isinstance(v, float) else v for n, v in row.items() if n != "reason"}
            for row in rows
        ]
    )
    return Counter({text.replace("changed/again.", "changed/rows."): n for text, n in found.items()})


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=14)
@given(st.integers(0, 10**9))
def test_what_must_change_no_row_changes_none(
    tmp_path_factory: pytest.TempPathFactory, number: int
) -> None:
    command, changes = list(COMMANDS.items())[number % len(COMMANDS)]
    number //= len(COMMANDS)
    folder: Path = tmp_path_factory.getbasetemp() / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    form = "two" if "first" in command else ("pair", "parts")[number % 2]
    found = case(number, form, tools=False)

    def argv(rows: str, out: str) -> list[str]:
        return command.format(rows=rows, out=out).split()

    if quietly(*argv(str(found.write(folder)), str(folder / "run")), codes=(0, 1, 2)) == 2:
        return  # nothing to select, or the same prompt twice: refused whatever its order is
    change = changes[number % len(changes)]
    again = run_again(folder, found, argv, change)
    told_apart = found.prompts if command.startswith("winrate") else found.rows
    if change == "order" and len(set(map(str, told_apart))) < len(told_apart):
        return  # which of equal rows carries what is a matter of their order, or which answer counts
    assert content(again) == content(folder / "run"), change
