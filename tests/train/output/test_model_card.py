"""The model card: what was trained on what, and what that did, in the numbers of `metrics.jsonl`."""

import json

import pytest
import yaml
from tiny_model import TinyRun, read_metrics

from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("tiny"), pairs=24)


@pytest.mark.parametrize("lora_r", [0, 2])
def test_the_card_says_what_was_trained_and_what_it_did(tiny, lora_r):
    config = tiny.config(f"out{lora_r}", lora_r=lora_r, loss="apo_zero", num_train_epochs=2)
    train(config)
    card = (tiny.folder / f"out{lora_r}" / "README.md").read_text()
    head, _, body = card.removeprefix("---\n").partition("---\n")
    assert yaml.safe_load(head) == {
        "library_name": "peft" if lora_r else "transformers",
        "tags": ["preference", "apo_zero", "pairwright"],
    }
    last = [r for r in read_metrics(config.output_dir) if "loss" in r][-1]
    counts = json.loads((tiny.folder / f"out{lora_r}" / "train.json").read_text())["counts"]
    assert f"{counts['pairs']} pairs trained on,\n{counts['held_out_pairs']} held out" in body
    assert ("An adapter of" in body) == bool(lora_r)
    assert "On held-out pairs, chosen answers" in body
    [row] = [
        line
        for line in body.splitlines()
        if line.startswith("| `loss` |") and f"{last['loss']:.4g}" in line
    ]
    assert len(row.split("|")) == 8
    assert "| `learning_rate` | `0.003` |" in body
    assert "The licence is yours to name" in body


def test_a_finished_run_with_its_card_is_found_finished(tiny):
    config = tiny.config("again")
    assert train(config).status == "trained"
    assert train(config).status == "already_finished"


def test_a_run_that_holds_nothing_out_has_a_card(tiny):
    train(tiny.config("all", eval_share=0.0))
    card = (tiny.folder / "all" / "README.md").read_text()
    assert "On the pairs trained on, chosen answers" in card
    assert "held-out pairs, after update" not in card
