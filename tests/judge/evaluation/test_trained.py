"""Prompts of an evaluation that a model was trained on: found, said, and said where that is not known."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from runs_on_disk import write_jsonl

from judge.evaluation.trained import Seen, prompt_keys, seen_in_training, warn_of_trained

ASKED = prompt_keys({"prompt": [{"role": "user", "content": text}]} for text in ("one?", "two?", "three?"))


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a training on two of the prompts, one with white space about it."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    pairs(Path("pairs.jsonl"), "one?", " two?\n", "four?")
    training(Path("runs/model"), data=["pairs.jsonl"], output_dir="runs/model")
    return folder


def pairs(path: Path, *prompts: str) -> None:
    write_jsonl(path, [{"prompt": text, "chosen": "yes", "rejected": "no"} for text in prompts])


def training(folder: Path, begun_in: str = "", **config: Any) -> None:
    folder.mkdir(parents=True)
    (folder / "train.json").write_text(json.dumps({"config": config, "begun_in": begun_in}))


@pytest.mark.parametrize("kind", ["", "hf:", "vllm:"])
def test_prompts_are_found_by_whatever_engine_the_folder_is_run(kind: str) -> None:
    assert seen_in_training(f"{kind}runs/model", ASKED) == Seen(2)


def test_the_pairs_are_found_from_another_working_directory(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert seen_in_training(str(project / "runs/model"), ASKED) == Seen(2)


def test_they_are_found_from_where_the_training_ran_if_its_output_is_named_whole(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "elsewhere" / "model"
    training(whole, begun_in=str(project), data=["pairs.jsonl"], output_dir=str(whole))
    monkeypatch.chdir(tmp_path)
    pairs(Path("pairs.jsonl"), "three?")  # of the same name, and others
    assert seen_in_training(str(whole), ASKED) == Seen(2)


def test_pairs_of_an_earlier_training_of_the_same_weights_count() -> None:
    pairs(Path("more.jsonl"), "three?")
    training(Path("runs/next"), data="more.jsonl", output_dir="runs/next", model="runs/model")
    assert seen_in_training("runs/next", ASKED) == Seen(3)


def test_a_row_that_is_no_pair_hides_no_other() -> None:
    with Path("pairs.jsonl").open("a") as file:
        file.write('{"prompt": "broken"}\n')
    assert seen_in_training("runs/model", ASKED).prompts == 2


@pytest.mark.parametrize("model", ["hf:smollm2", "openai:m@http://127.0.0.1:1/v1", "python:a.py:says"])
def test_of_other_models_nothing_is_said(model: str) -> None:
    assert seen_in_training(model, ASKED) == Seen(0)


def test_pairs_that_are_gone_are_said(caplog: pytest.LogCaptureFixture) -> None:
    Path("pairs.jsonl").unlink()
    seen = seen_in_training("runs/model", ASKED)
    assert seen.prompts == 0
    with caplog.at_level(logging.WARNING):
        warn_of_trained("runs/model", seen, 3)
    assert "runs/model: its training pairs cannot be read (pairs.jsonl" in caplog.text
    assert "so whether it was trained on these prompts is not known" in caplog.text


def test_prompts_that_were_trained_on_are_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        warn_of_trained("runs/model", Seen(2), 3)
    assert "runs/model was trained on 2 of the 3 prompts" in caplog.text
