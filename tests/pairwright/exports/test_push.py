"""Exports that are pushed: every file is on the hub, and what fails keeps the folder."""

from pathlib import Path

import pytest
from fake_hub import fake_hub
from in_process import run
from runs_on_disk import revise_config

from revise import revise


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    revise(revise_config(folder, rows=6))
    return folder / "run"


@pytest.fixture
def hub(monkeypatch):
    with fake_hub() as server:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # as other tests leave it
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", server.token)
        yield server


def test_a_push_puts_every_file_on_the_hub(pairs, tmp_path, capfd, hub):
    out = tmp_path / "out"
    argv = [
        "export",
        str(pairs),
        "--to",
        "trl",
        "--out",
        str(out),
        "--push_to_hub",
        "me/pairs",
        "--private",
    ]
    for _ in range(2):
        code, said, err = run(capfd, *argv)
        assert code == 0, err
        assert f"{hub.url}/datasets/me/pairs" in said.replace("\n", "")
    found = hub.files["me/pairs"]
    assert found.keys() == {"README.md", "export.json", "data/train.parquet"}
    assert found["data/train.parquet"] == (out / "data" / "train.parquet").read_bytes()
    assert 'load_dataset("me/pairs", split="train")' in found["README.md"].decode()
    assert hub.private == {"me/pairs": True}


def test_a_push_that_fails_keeps_the_folder_and_no_secret(pairs, tmp_path, capfd, hub, monkeypatch):
    for number, (name, token, endpoint, said) in enumerate((
        ("me/pairs", "hf_wrong", hub.url, "401"),
        ("me/pairs", hub.token, "http://127.0.0.1:9", "the hub cannot be reached"),
        ("a/b/c", hub.token, hub.url, "a data set is named user/name"),
    )):  # fmt: skip
        monkeypatch.setenv("HF_TOKEN", token)
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        out = tmp_path / str(number)
        argv = ["export", str(pairs), "--to", "trl", "--out", str(out), "--push_to_hub", name]
        code, _, err = run(capfd, *argv)
        assert code in (1, 2)
        assert said in err
        assert token not in err
        assert err.count("\n") == 1
        assert (out / "export.json").exists()
