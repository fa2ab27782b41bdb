"""Data sets of the hub by name, revision, config and split: by its own client, from a hub of one's own."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_data_sets import DataSets, data_sets

pytestmark = pytest.mark.slow
"""Each asks in a process of its own, since the client reads where the hub is when it is imported."""
README = b"""---
configs:
- config_name: short
  default: true
  data_files: [{split: train, path: short/train-*.parquet}, {split: test, path: short/test.parquet}]
- config_name: long
  data_files: [{split: train, path: long/train.parquet}]
---
"""


def parquet(*answers: str, prompt: str = "prompt") -> bytes:
    file = io.BytesIO()
    rows = [{prompt: "Q?", "chosen": answer, "rejected": "No."} for answer in answers]
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


NOW = {
    "README.md": README,
    "short/train-0.parquet": parquet("one"),
    "short/train-1.parquet": parquet("two", "three"),
    "short/test.parquet": parquet("four"),
    "long/train.parquet": parquet("five", "six", prompt="question"),
}
BEFORE = NOW | {"short/test.parquet": parquet("old")}
SETS = {"me/pairs": {"main": NOW, "v1": BEFORE, "refs/convert/parquet": NOW}, "me/mine": {"main": NOW}}


@pytest.fixture(scope="module")
def hub() -> Any:
    with data_sets(SETS, private=frozenset({"me/mine"})) as server:
        yield server


def exported(hub: DataSets, name: str, folder: Path, **environment: str) -> tuple[list[str], str]:
    """The chosen answers of what is read, and what is said."""
    out = folder / "out"
    command = [sys.executable, "-m", "pairwright", "export", name, "--to", "trl", "--out", str(out)]
    away = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_OFFLINE", "HF_TOKEN")}
    here = {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "home")} | environment
    done = subprocess.run(command, env=away | here, capture_output=True, text=True, cwd=folder)
    found = pq.read_table(out / "data").to_pylist() if done.returncode == 0 else []
    return [row["chosen"][0]["content"] for row in found], done.stderr


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("me/pairs", ["one", "two", "three"]),
        ("me/pairs:test", ["four"]),
        ("me/pairs@v1:test", ["old"]),
        ("me/pairs@v1:short/test", ["old"]),
        ("me/pairs:long/train", ["five", "six"]),
    ],
)
def test_config_split_and_revision(hub: DataSets, tmp_path: Path, name: str, answers: list[str]) -> None:
    assert exported(hub, name, tmp_path)[0] == answers


def test_what_was_read_is_read_again_without_the_hub(hub: DataSets, tmp_path: Path) -> None:
    assert exported(hub, "me/pairs:test", tmp_path)[0] == ["four"]
    (tmp_path / "out").rename(tmp_path / "first")
    before = len(hub.asked)
    assert exported(hub, "me/pairs:test", tmp_path, HF_HUB_OFFLINE="1")[0] == ["four"]
    assert len(hub.asked) == before


def test_a_private_one_needs_the_token(hub: DataSets, tmp_path: Path) -> None:
    refused, said = exported(hub, "me/mine:test", tmp_path)
    assert (refused, said.count("\n")) == ([], 1)
    assert "me/mine" in said
    assert exported(hub, "me/mine:test", tmp_path, HF_TOKEN=hub.token)[0] == ["four"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("me/none", "me/none"),
        ("me/pairs@v9", "v9"),
        ("me/pairs:no/train", "no"),
        ("me/pairs:validation", "validation"),
    ],
)
def test_what_is_not_there_is_one_sentence(hub: DataSets, tmp_path: Path, name: str, reason: str) -> None:
    found, said = exported(hub, name, tmp_path)
    assert (found, said.count("\n")) == ([], 1)
    assert said.startswith(f"pairwright: {name.partition(':')[0]}")
    assert reason in said
