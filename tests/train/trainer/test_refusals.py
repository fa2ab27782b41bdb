"""What cannot be trained on is a sentence, before anything is written."""

import os
import subprocess
import sys

import pytest
from checkpoints import folder_hash
from fake_hub import fake_hub
from safetensors.torch import load_file, save_file
from tiny_model import (
    SHAPE,
    TEMPLATE,
    TinyRun,
    numbered_pairs,
    save_tiny_model,
    tiny_tokenizer,
    write_jsonl,
)
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, LlamaModel

from pairwright.errors import PairwrightError, UsageError
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("tiny"))


def test_a_finished_run_says_so_and_changes_nothing(tiny, capsys):
    config = tiny.config("finished")
    first = train(config)
    before = folder_hash(tiny.folder / "finished")
    again = train(config.model_copy(update={"save_steps": 3, "logging_steps": 2}))
    assert (first.status, again.status) == ("trained", "already_finished")
    assert again.metrics == first.metrics
    assert folder_hash(tiny.folder / "finished") == before
    assert "finished already" in capsys.readouterr().err


def test_a_finished_model_that_is_damaged_is_named(tiny):
    config = tiny.config("spoilt")
    train(config)
    with (tiny.folder / "spoilt" / "model.safetensors").open("r+b") as file:
        file.seek(-3, 2)
        file.write(b"\0")
    with pytest.raises(PairwrightError, match=r"model\.safetensors: damaged.*--fresh"):
        train(config)


def test_other_data_or_another_model_is_refused_whatever_its_name(tiny, tmp_path):
    own = TinyRun(tmp_path)
    train(own.config())
    rows = numbered_pairs(10)
    rows[3]["chosen"][0]["content"] += "?"
    write_jsonl(tmp_path / "pairs.jsonl", rows)
    with pytest.raises(UsageError, match=r"`(eval_)?data` was"):
        train(own.config())
    write_jsonl(tmp_path / "moved.jsonl", numbered_pairs(10))
    assert train(own.config(data=str(tmp_path / "moved.jsonl"))).status == "already_finished"
    weights = load_file(tmp_path / "model" / "model.safetensors")
    weights["lm_head.weight"][0, 0] += 1
    save_file(weights, tmp_path / "model" / "model.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match="`model` was"):
        train(own.config(data=str(tmp_path / "moved.jsonl")))


def test_fresh_starts_over_and_leaves_nothing_of_before(tmp_path):
    own = TinyRun(tmp_path)
    train(own.config(lora_r=2, save_steps=1))
    train(own.config(fresh=True, save_steps=0))
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert "model.safetensors" in names
    assert not {name for name in names if "adapter" in name or "checkpoint" in name}


@pytest.mark.parametrize("setting", ["model", "ref_model", "optimizer_from", "eval_data"])
def test_fresh_does_not_throw_away_what_the_run_reads(tmp_path, setting):
    own = TinyRun(tmp_path)
    train(own.config(max_steps=1, save_optimizer=True, save_steps=1))
    before = folder_hash(tmp_path / "out")
    inside = {"model": "out/checkpoint-1", "eval_data": "out/metrics.jsonl"}.get(setting, "out")
    changes = {"eval_share": 0.0} if setting == "eval_data" else {}
    with pytest.raises(UsageError, match=rf"--fresh would throw away what `{setting}` \(.*\) reads"):
        train(own.config(fresh=True, **changes, **{setting: str(tmp_path / inside)}))
    assert folder_hash(tmp_path / "out") == before


def test_foreign_folders_and_files_are_left_alone(tiny):
    folder = tiny.folder / "foreign"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    for fresh in (False, True):
        with pytest.raises(UsageError, match=r"holds other files \(thesis.txt\)"):
            train(tiny.config("foreign", fresh=fresh))
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]
    with pytest.raises(UsageError, match="is a file"):
        train(tiny.config("foreign/thesis.txt"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data": "/nowhere.jsonl"}, "no such file"),
        ({"model": "/nowhere"}, "no such folder"),
        ({"model": "smolm2"}, r"nor a model on the hub\. Did you mean smollm2\?"),
        ({"report_to": "clipboard"}, "no tracker 'clipboard'"),
        ({"report_to": "wandb"}, "pip install wandb"),
        ({"max_length": 5}, "no pair is left to train on"),
        ({"lora_r": 2, "lora_target_modules": "nonsense"}, "lora_target_modules"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(tiny, changes, sentence):
    with pytest.raises(UsageError, match=sentence):
        train(tiny.config("refused", **changes))


def test_a_model_that_is_shown_to_some_only_is_a_sentence():
    """The hub's address is read at import, so this is asked in a process of its own."""
    code = "from pairwright.models.loading import load_tokenizer\nload_tokenizer('gated/llama')"
    with fake_hub() as hub:
        environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
    assert "UsageError: gated/llama is a gated model: ask for access at" in done.stderr


def test_a_budget_below_one_tree_names_the_row_and_its_length(tiny):
    with pytest.raises(
        UsageError, match=r"row row3: its prompt and answers have 33 tokens, more than micro_batch_tokens"
    ):
        train(tiny.config("refused-budget", micro_batch_tokens=30))


def test_a_tokenizer_without_an_end_is_a_sentence(tiny, tmp_path):
    folder = save_tiny_model(tmp_path / "endless")
    tokenizer = tiny_tokenizer()
    tokenizer.eos_token = None
    tokenizer.chat_template = TEMPLATE.replace("<|end|>", "")
    tokenizer.save_pretrained(folder)
    with pytest.raises(UsageError, match="has no token that ends an answer"):
        train(tiny.config("refused-end", model=folder))


def test_a_tokenizer_with_more_tokens_than_the_model_is_a_sentence(tiny, tmp_path):
    folder = save_tiny_model(tmp_path / "small", vocab_size=60)
    with pytest.raises(UsageError, match=r"row row\d+ the token id \d+, and the model has 60 embeddings"):
        train(tiny.config("refused-vocabulary", model=folder))


def test_an_adapter_of_a_base_with_another_vocabulary_is_a_sentence(tiny, tmp_path):
    base = save_tiny_model(tmp_path / "base")
    config = tiny.config("adapter-of-base", model=base, lora_r=2, max_steps=1)
    config = config.model_copy(update={"lora_target_modules": ("embed_tokens", "q_proj")})
    train(config)
    save_tiny_model(tmp_path / "base", vocab_size=200)
    with pytest.raises(UsageError, match=r"do not fit the model they are for .*size mismatch"):
        train(tiny.config("refused-adapter", model=config.output_dir))


def test_a_classifier_of_several_labels_is_no_reward_model(tiny, tmp_path):
    model = AutoModelForSequenceClassification.from_pretrained(tiny.settings["model"], num_labels=3)
    model.save_pretrained(tmp_path / "three")
    AutoTokenizer.from_pretrained(tiny.settings["model"]).save_pretrained(tmp_path / "three")
    with pytest.raises(UsageError, match="a classifier of 3 labels, and a reward model has one"):
        train(tiny.reward("three", model=str(tmp_path / "three")))


def test_models_that_are_no_language_models_of_text_are_a_sentence(tiny, tmp_path, monkeypatch):
    common = SHAPE | {"vocab_size": 104, "pad_token_id": 0}
    sees_ahead = save_tiny_model(tmp_path / "bert", BertConfig(**common))
    with pytest.raises(UsageError, match=r"bert: its tokens see those that come after them"):
        train(tiny.config("ahead", model=sees_ahead))

    def wants_pictures(*args, **kwargs):
        raise ValueError("You have to specify pixel_values")

    monkeypatch.setattr(LlamaModel, "forward", wants_pictures)
    with pytest.raises(UsageError, match=r"LlamaForCausalLM does not run on text alone.*pixel_values"):
        train(tiny.config("seeing"))
