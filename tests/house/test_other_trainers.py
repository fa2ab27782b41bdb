"""Exports through the loaders of those they are for: the consumers' own code, out of their wheels.

Run by `make test-consumers`, which puts the wheels, without the hundreds of packages that they stand on,
into the folder named by PAIRWRIGHT_CONSUMERS.
"""

import importlib
import json
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from in_process import run
from runs_on_disk import revise_config, rows_of
from tiny_model import tiny_tokenizer

from revise import revise

pytestmark = pytest.mark.consumers


@pytest.fixture(scope="module", autouse=True)
def wheels() -> Iterator[None]:
    where = os.environ["PAIRWRIGHT_CONSUMERS"]
    sys.path.insert(0, where)
    # The __init__ of these packages imports whole frameworks; the loaders need none of them.
    for package in ("llamafactory.data", "openrlhf.datasets", "openrlhf.utils"):
        module = types.ModuleType(package)
        module.__path__ = [str(Path(where, *package.split(".")))]
        sys.modules[package] = module
    yield
    sys.path.remove(where)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    revise(revise_config(folder, rows=12))
    return folder / "run"


def exported(capfd: pytest.CaptureFixture[str], pairs: Path, to: str, out: Path) -> list[dict[str, Any]]:
    assert run(capfd, "export", str(pairs), "--to", to, "--out", str(out))[0] == 0
    return [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]


def kept(pairs: Path) -> list[tuple[str, str, str]]:
    """Prompt, chosen and rejected of every kept row, as text."""
    names = ("prompt", "chosen", "rejected")
    return [tuple(row[n][-1]["content"] for n in names) for row in rows_of(pairs) if "status" not in row]


def test_llamafactory_aligns_every_pair(pairs, tmp_path, capfd):
    rows = exported(capfd, pairs, "llamafactory", tmp_path / "out")
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())["pairwright"]
    parser = importlib.import_module("llamafactory.data.parser")
    converter = importlib.import_module("llamafactory.data.converter")
    attributes = parser.DatasetAttr("file", dataset_name=info["file_name"])
    attributes.join(info)
    settings = types.SimpleNamespace(media_dir=None)
    convert = converter.get_dataset_converter(attributes.formatting, attributes, settings)
    found = [convert(row) for row in rows]
    texts = [(r["_prompt"][-1]["content"], *(m["content"] for m in r["_response"])) for r in found]
    assert texts == kept(pairs)
    assert all(len(r["_response"]) == 2 for r in found)


def test_openrlhf_splits_every_pair_from_its_prompt(pairs, tmp_path, capfd):
    rows = exported(capfd, pairs, "openrlhf", tmp_path / "out")
    loader = importlib.import_module("openrlhf.datasets.reward_dataset")
    render = tiny_tokenizer().apply_chat_template
    for row, (prompt, chosen, rejected) in zip(rows, kept(pairs), strict=True):
        found = loader.preprocess_data(row, None, "prompt", "chosen", "rejected", render, is_dpo=True)
        assert found == (
            f"<|user|>{prompt}<|end|><|assistant|>",
            f"{chosen}<|end|>",
            f"{rejected}<|end|>",
            0,
        )


def test_axolotl_renders_every_pair(pairs, tmp_path, capfd):
    rows = exported(capfd, pairs, "axolotl", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    settings = yaml.safe_load(card.split("```\n")[1])
    name = settings["datasets"][0]["type"].partition(".")[0]
    strategy = importlib.import_module(f"axolotl.prompt_strategies.dpo.{name}")
    render, _ = strategy.default({**settings, "chat_template": "tokenizer_default"})
    for row, (prompt, chosen, rejected) in zip(rows, kept(pairs), strict=True):
        found = render(row, tokenizer=tiny_tokenizer())
        assert found["prompt"] == f"<|user|>{prompt}<|end|><|assistant|>"
        assert found["chosen"] == f"{chosen}<|end|>"
        assert found["rejected"] == f"{rejected}<|end|>"
