"""Training as a whole, on a tiny model: what it computes, writes, refuses and says."""

import hashlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from architectures import ARCHITECTURES
from fake_hub import fake_hub
from gradients import gradient_of
from places import GOLDEN
from safetensors.torch import load_file, save_file
from tiny_model import (
    TEMPLATE,
    TinyRun,
    numbered_pairs,
    read_metrics,
    save_tiny_model,
    tiny_tokenizer,
    write_jsonl,
)
from transformers import AutoModelForCausalLM, AutoTokenizer

from pairwright.errors import PairwrightError, UsageError
from pairwright.models.loading import load_tokenizer
from train.data.pairs import load_pairs
from train.models.language import trained
from train.preference import task as preference
from train.preference.config import TrainConfig
from train.preference.metrics import METRICS, pair_metrics
from train.preference.objective import PairLogprobs, PairLosses, PairSet, objective_of
from train.preference.reference import with_reference
from train.preference.task import PreferenceTask
from train.trainer.batches import deal
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("tiny"))


def folder_hash(folder: Path) -> str:
    """Everything below a folder, the lock file apart."""
    return folder_hash_of(folder, "**/*")


def folder_hash_of(folder: Path, pattern: str) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.glob(pattern) if p.is_file() and p.name != ".lock"):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "dpo"},
        {"loss": "apo_zero"},
        {"loss": "apo_down"},
        {"loss": "ipo"},
        {"loss": "dpo", "label_smoothing": 0.1},
        {"preset": "rpo_sum", "sft_weight": 5.0},
        {"preset": "rpo_mean"},
        {"loss": "apo_zero", "lora_r": 2},
    ],
    ids=str,
)
def test_the_gradient_does_not_depend_on_the_cut(tiny, changes):
    """8 pairs in one micro-batch, and in micro-batches of about 1, 2 and 3."""
    settings = {"eval_share": 0.0, "limit": 8} | changes
    budgets = (2000, 50, 90, 140)
    whole, *cut = (gradient_of(tiny.config(micro_batch_tokens=size, **settings)) for size in budgets)
    assert max(g.abs().max() for g in whole.values()) > 1e-4
    for gradients in cut:
        for name, expected in whole.items():
            assert torch.allclose(gradients[name], expected, atol=1e-6, rtol=1e-4), name


def test_every_process_has_its_share_and_equally_many_micro_batches(tiny):
    pairs = load_pairs(tiny.config(eval_share=0.0), load_tokenizer(tiny.settings["model"])).training
    for world in (1, 2, 3, 4):
        for count in range(1, len(pairs) + 1):
            shares = [deal(range(count), pairs, budget=90, rank=rank, world=world) for rank in range(world)]
            dealt = [i for share in shares for micro in share if micro.weight for i in micro.indices]
            assert sorted(dealt) == list(range(count))
            assert len({len(share) for share in shares}) == 1


@pytest.mark.parametrize("loss", ["dpo", "ipo", "apo_zero", "apo_down", "apo_zero_unpaired"])
@pytest.mark.parametrize("lora_r", [0, 2])
def test_the_start_is_the_reference(tiny, loss, lora_r):
    config = tiny.config(f"start-{loss}-{lora_r}", loss=loss, lora_r=lora_r, max_steps=1)
    train(config)
    start, first, _ = read_metrics(config.output_dir)
    at_reference = objective_of(config).at_reference
    assert start["eval_loss"] == pytest.approx(at_reference, abs=1e-5 * max(1, at_reference))
    assert first["loss"] == pytest.approx(at_reference, abs=1e-5 * max(1, at_reference))
    for name in ("rewards/chosen", "rewards/rejected", "logratios/common_mode"):
        assert abs(first[name]) < 1e-5
    assert first["grad_norm"] > 0


@pytest.mark.parametrize("name", ["llama", "qwen2", "mistral", "gemma2", "gemma3", "gpt_neox"])
def test_the_start_is_the_reference_on_every_architecture(tiny, name):
    """Padding, sliding windows, soft caps and configured dropout included: ln 2 to six digits."""
    folder = save_tiny_model(tiny.folder / f"model-{name}", ARCHITECTURES[name])
    config = tiny.config(f"arch-{name}", model=folder, loss="dpo", max_steps=2, micro_batch_tokens=150)
    result = train(config)
    start, first, *_ = read_metrics(config.output_dir)
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert start["eval_loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert result.metrics["eval_loss"] < start["eval_loss"]


SETTINGS = [
    {"loss": "dpo"},
    {"loss": "ipo"},
    {"loss": "apo_down"},
    {"beta": 0.5},
    {"loss": "dpo", "label_smoothing": 0.2},
    {"sft_weight": 0.5},
    {"sft_weight": 0.5, "sft_reduction": "sum"},
    {"sft_weight": 0.5, "sft_times_beta": True},
    {"preset": "irpo"},
    {"learning_rate": 1e-3},
    {"num_train_epochs": 3},
    {"max_steps": 2},
    {"pairs_per_update": 2},
    {"lr_scheduler_type": "linear"},
    {"warmup_ratio": 0.6},
    {"max_grad_norm": 1e-6},
    {"weight_decay": 0.5},
    {"bf16": True},
    {"seed": 7},
    {"max_length": 24},
    {"limit": 6},
    {"eval_share": 0.4},
]


ADAPTED = [{}, {"lora_r": 1}, {"lora_alpha": 1}, {"lora_target_modules": "q_proj,v_proj"}]


def weights_after(tiny: TinyRun, **changes: Any) -> str:
    name = "felt" + "".join(f"-{field}-{value}" for field, value in changes.items())
    train(tiny.config(name, **{"num_train_epochs": 2} | changes))
    return folder_hash_of(tiny.folder / name, "*.safetensors")


def test_every_setting_that_should_be_felt_is_felt(tiny):
    """No two of these runs end in the same weights."""
    felt = [weights_after(tiny, **changes) for changes in [{}, *SETTINGS]]
    felt += [weights_after(tiny, **{"lora_r": 2} | changes) for changes in ADAPTED]
    assert len(set(felt)) == len(felt)


def test_what_should_not_be_felt_is_not(tiny):
    plain = weights_after(tiny)
    for changes in (
        {"logging_steps": 3},
        {"eval_steps": 1},
        {"save_steps": 1, "save_total_limit": 1},
        {"report_to": "tensorboard"},
    ):
        assert weights_after(tiny, **changes) == plain


def test_a_random_forward_pass_is_noticed(tiny, monkeypatch):
    def shifted(*args: Any, **kwargs: Any) -> PairSet:
        data = with_reference(*args, **kwargs)
        return data._replace(ref_P2=data.ref_P2 - 100)

    monkeypatch.setattr("train.preference.task.with_reference", shifted)
    with pytest.raises(PairwrightError, match=r"mean \|reward\| is 10 and must be 0"):
        train(tiny.config("random"))
    assert not list((tiny.folder / "random").glob("checkpoint-*"))


def test_a_coarse_reference_is_warned_of(tiny, monkeypatch, caplog):
    def shifted(*args: Any, **kwargs: Any) -> PairSet:
        data = with_reference(*args, **kwargs)
        return data._replace(ref_P2=data.ref_P2 - 1)

    monkeypatch.setattr("train.preference.task.with_reference", shifted)
    train(tiny.config("coarse", max_steps=1))
    assert "mean |reward| is 0.1 and should be 0" in caplog.text


def test_the_first_losses_are_as_ever(tiny):
    """Golden numbers of this machine's float32: they change when the mathematics does."""
    config = tiny.config("golden", pairs_per_update=2, num_train_epochs=2, warmup_ratio=0.0)
    train(config)
    losses = [record["loss"] for record in read_metrics(config.output_dir) if "loss" in record]
    golden = json.loads((GOLDEN / "losses.json").read_text())
    assert losses[:5] == pytest.approx(golden, abs=1e-5)


def test_the_same_seed_gives_the_same_run_to_the_bit(tiny):
    for name in ("one", "two"):
        train(tiny.config(name, loss="dpo", num_train_epochs=2, save_steps=2))
    one, two = tiny.folder / "one", tiny.folder / "two"
    assert (one / "metrics.jsonl").read_bytes() == (two / "metrics.jsonl").read_bytes()
    assert (one / "model.safetensors").read_bytes() == (two / "model.safetensors").read_bytes()
    train(tiny.config("three", loss="dpo", num_train_epochs=2, seed=7))
    assert read_metrics(tiny.folder / "three")[-1] != read_metrics(one)[-1]


def test_the_metrics_say_what_happened(tiny):
    config = tiny.config("metrics", num_train_epochs=3, logging_steps=2, eval_steps=3)
    result = train(config)
    records = read_metrics(config.output_dir)
    assert [r["step"] for r in records if "eval_loss" in r] == [0, 3, 6]
    assert [r["step"] for r in records if "loss" in r] == [2, 4, 6]
    assert [r["epoch"] for r in records if "loss" in r] == [1, 2, 3]
    last = records[-2]
    assert set(last) == {"step", "epoch", "grad_norm", "learning_rate", *METRICS} - {"sft_loss"}
    assert set(records[-1]) == {"step", "epoch"} | {
        f"eval_{name}" for name in METRICS if name != "sft_loss"
    }
    for prefix, record in (("", last), ("eval_", records[-1])):
        chosen, rejected = (record[f"{prefix}logratios/{side}"] for side in ("chosen", "rejected"))
        assert record[f"{prefix}rewards/chosen"] == pytest.approx(0.1 * chosen, rel=1e-5)
        assert record[f"{prefix}rewards/margins"] == pytest.approx(
            0.1 * record[f"{prefix}logratios/difference_mode"], rel=1e-5
        )
        assert record[f"{prefix}logratios/common_mode"] == pytest.approx(
            (chosen + rejected) / 2, rel=1e-3, abs=1e-6
        )
    assert result.metrics["eval_loss"] == records[-1]["eval_loss"]
    assert result.start_metrics["eval_loss"] == records[0]["eval_loss"]


def test_a_tie_counts_half():
    """Log-ratios 2 > 1, 1 = 1, 0 < 1: one right, one tie, one wrong; two chosen answers rose."""
    ratios = torch.tensor([2.0, 1.0, 0.0])
    zero, one = torch.zeros(3), torch.ones(3)
    logps = PairLogprobs(ratios, one, zero, zero, one, one)
    values = pair_metrics(logps, PairLosses(zero, zero), 0.1)
    assert values[METRICS.index("rewards/accuracies")].tolist() == [1.0, 0.5, 0.0]
    assert values[METRICS.index("logratios/chosen_rose")].tolist() == [1.0, 1.0, 0.0]
    assert values[METRICS.index("logratios/common_mode")].tolist() == [1.5, 1.0, 0.5]


def test_an_incomplete_last_batch_counts_by_its_true_size(tiny):
    """10 pairs by 4: the mean over the epoch's records, weighed 4, 4, 2, is that over its pairs."""
    settings = {"eval_share": 0.0, "num_train_epochs": 1, "learning_rate": 1e-12}
    train(tiny.config("by-four", pairs_per_update=4, **settings))
    train(tiny.config("at-once", pairs_per_update=10, **settings))
    parts, (whole,) = (read_metrics(tiny.folder / name) for name in ("by-four", "at-once"))
    for name in ("logps/chosen", "logps/rejected_per_token"):
        mean = sum(n * part[name] for n, part in zip((4, 4, 2), parts, strict=True)) / 10
        assert mean == pytest.approx(whole[name], rel=1e-5)


@pytest.mark.parametrize("preset", ["rpo_sum", "rpo_mean"])
def test_the_sft_term_is_in_the_loss_and_by_itself(tiny, preset):
    config = tiny.config(f"sft-{preset}", preset=preset, max_steps=1, limit=4, eval_share=0.0)
    train(config)
    (record,) = read_metrics(config.output_dir)
    weight = {"rpo_sum": 0.01 * 0.005, "rpo_mean": 0.2}[preset]
    likelihood = {"rpo_sum": "logps/chosen", "rpo_mean": "logps/chosen_per_token"}[preset]
    assert record["sft_loss"] == pytest.approx(-record[likelihood], rel=1e-5)
    assert record["loss"] == pytest.approx(math.log(2) + weight * record["sft_loss"], rel=1e-5)


def test_a_toy_with_a_known_answer_is_learnt(tiny):
    """Prefer `yes` to `no`, whatever is asked: also of questions never seen."""
    rows = [
        {"prompt": f"{word} {n}?", "chosen": "yes", "rejected": "no"}
        for n in range(8)
        for word in ("sky", "tree", "stone", "river")
    ]
    data = write_jsonl(tiny.folder / "toy.jsonl", rows)
    result = train(tiny.config("toy", data=data, loss="dpo", learning_rate=1e-2, max_steps=12))
    assert result.metrics["eval_rewards/accuracies"] == 1.0
    assert result.metrics["eval_loss"] < 0.5


def test_what_is_saved_is_what_was_measured(tiny):
    config = tiny.config("saved", num_train_epochs=2)
    train(config)
    model = AutoModelForCausalLM.from_pretrained(config.output_dir)
    tokenizer = AutoTokenizer.from_pretrained(config.output_dir)
    assert tokenizer.chat_template == load_tokenizer(config.model).chat_template
    held_out = load_pairs(config, tokenizer).held_out
    data = with_reference(Accelerator(cpu=True), model.eval(), held_out, budget=400)
    measured = read_metrics(config.output_dir)[-1]["eval_logps/chosen"]
    assert data.ref_P2[:, 0].mean().item() == pytest.approx(measured, abs=1e-4)


def test_adapters_are_saved_as_peft_reads_them_and_the_base_is_the_reference(tiny):
    from peft import AutoPeftModelForCausalLM

    config = tiny.config("adapter", lora_r=2, num_train_epochs=2, gradient_checkpointing=True)
    train(config)
    model = AutoPeftModelForCausalLM.from_pretrained(config.output_dir)
    held_out = load_pairs(config, load_tokenizer(config.model)).held_out
    before, *_, after = (r for r in read_metrics(config.output_dir) if "eval_loss" in r)
    accelerator = Accelerator(cpu=True)
    base = with_reference(accelerator, model, held_out, budget=400).ref_P2[:, 0].mean().item()
    assert base == pytest.approx(before["eval_logps/chosen"], abs=1e-4)
    merged = with_reference(accelerator, model.merge_and_unload(), held_out, budget=400).ref_P2
    assert merged[:, 0].mean().item() == pytest.approx(after["eval_logps/chosen"], abs=1e-4)
    assert before["eval_logps/chosen"] != pytest.approx(after["eval_logps/chosen"], abs=1e-3)


def test_training_can_start_from_an_adapter_which_is_merged_first(tiny):
    first = tiny.config("round-1", lora_r=2, num_train_epochs=2)
    train(first)
    second = tiny.config("round-2", model=first.output_dir, max_steps=1)
    train(second)
    ended = read_metrics(first.output_dir)[-1]["eval_logps/chosen"]
    began = read_metrics(second.output_dir)[0]["eval_logps/chosen"]
    assert began == pytest.approx(ended, abs=1e-4)
    with pytest.raises(UsageError, match="is an adapter; merge it"):
        train(tiny.config("refused", model=first.output_dir, lora_r=2))


def test_bfloat16_keeps_float32_weights(tiny):
    config = tiny.config("bf16", bf16=True, num_train_epochs=2)
    result = train(config)
    weights = load_file(Path(config.output_dir) / "model.safetensors")
    assert {w.dtype for w in weights.values()} == {torch.float32}
    assert any((w != w.bfloat16().float()).any() for w in weights.values())
    assert result.metrics["eval_loss"] < 1


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


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("loss", {"loss": "dpo"}),
        ("beta", {"beta": 0.2}),
        ("learning_rate", {"learning_rate": 1e-3}),
        ("seed", {"seed": 1}),
        ("pairs_per_update", {"pairs_per_update": 5}),
        ("max_length", {"max_length": 100}),
        ("lora_r", {"lora_r": 1}),
        ("sft_weight", {"sft_weight": 0.1}),
        ("bf16", {"bf16": True}),
        ("warmup_ratio", {"warmup_ratio": 0.0}),
        ("limit", {"limit": 9}),
        ("eval_share", {"eval_share": 0.3}),
    ],
)
def test_another_configuration_is_refused_naming_the_field(tiny, field, changes):
    config = tiny.config("mine")
    train(config)
    before = folder_hash(tiny.folder / "mine")
    with pytest.raises(UsageError, match=f"`{field}` was .* and is now .*--fresh"):
        train(tiny.config("mine", **changes))
    assert folder_hash(tiny.folder / "mine") == before


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
    assert "UsageError: gated/llama is shown to some only: ask for access at" in done.stderr


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


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"loss": "apo_zero", "label_smoothing": 0.1}, "smaller learning rate"),
        ({"loss": "apo_down", "label_smoothing": 0.1}, "nobody has studied"),
        ({"loss": "ipo", "label_smoothing": 0.1}, "label_smoothing is for dpo only"),
        ({"eval_data": "a.jsonl", "eval_share": 0.2}, "not both"),
        ({"sft_times_beta": True}, "sft_weight"),
    ],
)
def test_combinations_that_mean_nothing_are_refused(tiny, changes, sentence):
    with pytest.raises(UsageError, match=sentence):
        tiny.config("refused", **changes)


def test_presets_are_the_published_settings_and_what_is_named_wins(tiny):
    config = tiny.config(preset="rpo_sum")
    assert (config.loss, config.beta, config.sft_weight) == ("dpo", 0.01, 0.005)
    assert (config.sft_reduction, config.sft_times_beta) == ("sum", True)
    assert objective_of(config).sft_weight == pytest.approx(5e-5)
    config = tiny.config(preset="rpo_mean", beta=0.3, loss="apo_zero")
    assert (config.loss, config.beta, config.sft_weight) == ("apo_zero", 0.3, 0.2)
    assert TrainConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize("where", ["logps", "weights"])
def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_rows(tmp_path, monkeypatch, where):
    own = TinyRun(tmp_path)
    config = own.config(max_steps=6, save_steps=1, eval_share=0.0, loss="apo_zero", micro_batch_tokens=90)
    calls = []

    def spoilt(model: Any, data: PairSet, indices: list[int]) -> Any:
        logps = gradient_logprobs(model, data, indices)
        calls.append(indices)
        if len(calls) < 9:  # two are the check of the start, then two an update
            return logps
        if where == "logps":  # bounded losses hide it: apo_zero of minus infinity is 2
            infinity = torch.tensor([-torch.inf] + [0.0] * (len(indices) - 1))
            return logps._replace(policy_w=logps.policy_w + infinity)
        with torch.no_grad():
            next(iter(trained(model).values())).fill_(torch.nan)
        return gradient_logprobs(model, data, indices)

    gradient_logprobs = preference.pair_logprobs
    monkeypatch.setattr(preference, "pair_logprobs", spoilt)
    with pytest.raises(PairwrightError, match="not finite; the update was not made") as stopped:
        train(config)
    rows = [f"row{i}" for i in (calls[8] if where == "weights" else calls[8][:1])]
    assert all(row in str(stopped.value) for row in rows)
    checkpoint = max((tmp_path / "out").glob("checkpoint-*"), key=lambda p: p.name)
    assert checkpoint.name == "checkpoint-3"
    for path in checkpoint.glob("*.safetensors"):
        assert all(torch.isfinite(t).all() for t in load_file(path).values() if t.is_floating_point())
    assert [r["step"] for r in read_metrics(config.output_dir)] == [1, 2, 3]
    monkeypatch.undo()
    assert train(config).status == "trained"


@pytest.mark.parametrize("room", [100, 60])
def test_where_memory_runs_out_forward_passes_are_halved(tiny, monkeypatch, room):
    """Memory holds `room` tokens; the gradient, the metrics and the weights are those of plenty."""
    settings: dict[str, Any] = {"eval_share": 0.0, "max_steps": 3, "loss": "dpo"}
    plenty = tiny.config(f"plenty-{room}", **settings)
    train(plenty)
    measure = PreferenceTask.measure

    def cramped(self: PreferenceTask, policy: Any, data: PairSet, indices: list[int]) -> Any:
        measured = measure(self, policy, data, indices)
        tokens = sum(
            len(p.prompt_tokens) + sum(map(len, p.sides.values()))
            for p in map(data.items.__getitem__, indices)
        )
        if torch.is_grad_enabled() and tokens > room:
            measured.losses_B.sum().backward()  # it runs out half-way through the backward pass
            raise torch.OutOfMemoryError("CUDA out of memory")
        return measured

    monkeypatch.setattr(PreferenceTask, "measure", cramped)
    little = tiny.config(f"little-{room}", **settings)
    train(little)
    for record, expected in zip(
        read_metrics(little.output_dir), read_metrics(plenty.output_dir), strict=True
    ):
        assert record == pytest.approx(expected, abs=1e-4)


def test_a_row_too_large_for_memory_is_named(tiny, monkeypatch):
    def none(self: PreferenceTask, *args: Any) -> Any:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(PreferenceTask, "measure", none)
    monkeypatch.setattr(PreferenceTask, "check_start", lambda *args: None)
    config = tiny.config("none", eval_share=0.0, max_steps=1)
    with pytest.raises(
        PairwrightError, match=r"memory ran out on row row\d+ alone \(\d+ tokens\): train adapters"
    ):
        train(config)


def test_weights_that_run_away_are_noticed_and_not_saved(tmp_path):
    """The gradient is finite to the last; it is the step that goes too far."""
    own = TinyRun(tmp_path)
    config = own.config(learning_rate=1e38, max_steps=3, save_steps=1, eval_steps=1, warmup_ratio=0.0)
    with pytest.raises(PairwrightError, match=r"lower (the )?learning_rate"):
        train(config)
    assert not list((tmp_path / "out").glob("*.safetensors"))
    for path in (tmp_path / "out").glob("checkpoint-*/model.safetensors"):
        assert all(torch.isfinite(t).all() for t in load_file(path).values())


def test_a_model_that_is_not_finite_is_refused_before_training(tmp_path):
    own = TinyRun(tmp_path)
    weights = load_file(tmp_path / "model" / "model.safetensors")
    weights["lm_head.weight"][7] = torch.nan
    save_file(weights, tmp_path / "model" / "model.safetensors", {"format": "pt"})
    with pytest.raises(PairwrightError, match=r"not finite to 8 pairs \(row"):
        train(own.config())


def test_pairs_come_from_run_folders_whose_bytes_are_checked(tiny, tmp_path):
    from runs_on_disk import revise_config

    from revise import revise

    revise(revise_config(tmp_path, rows=20))
    config = tiny.config("from-run", data=str(tmp_path / "run"))
    result = train(config)
    assert result.pairs + result.held_out_pairs == 14
    shard = tmp_path / "run" / "data" / "train-00000.parquet"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(PairwrightError, match=r"train-00000\.parquet: damaged"):
        train(tiny.config("from-damaged-run", data=str(tmp_path / "run")))
    assert not (tiny.folder / "from-damaged-run").exists()


def test_trackers_get_the_metrics(tiny):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = tiny.config("tracked", report_to="tensorboard", max_steps=2)
    train(config)
    events = EventAccumulator(str(tiny.folder / "tracked" / "trackers" / "pairwright"))
    events.Reload()
    losses = [(e.step, e.value) for e in events.Scalars("loss")]
    records = read_metrics(config.output_dir)
    assert losses == [(r["step"], pytest.approx(r["loss"])) for r in records if "loss" in r]
    assert [e.step for e in events.Scalars("eval_rewards/margins")] == [0, 2]


def test_the_record_tells_what_was_done(tiny):
    rows = numbered_pairs(10)
    rows[4]["rejected"] = rows[4]["chosen"]
    data = write_jsonl(tiny.folder / "dropping.jsonl", rows)
    config = tiny.config("recorded", data=data)
    result = train(config)
    record = json.loads((tiny.folder / "recorded" / "train.json").read_text())
    assert record["status"] == "finished"
    assert record["dropped"] == {"identical": ["row4"]}
    assert result.dropped == {"identical": 1}
    counts = record["counts"]
    assert counts["pairs"] + counts["held_out_pairs"] + counts["dropped_pairs"] == 10
    assert record["config"]["learning_rate"] == 3e-3
    assert record["versions"]["torch"]
    assert set(record["files"]) >= {"model.safetensors", "config.json", "tokenizer.json"}


def test_preview_shows_what_is_trained_on_and_writes_nothing(tiny, capsys):
    result = train(tiny.config("unwritten", preview=True))
    shown = capsys.readouterr().out
    assert result.status == "preview"
    assert "<|user|>say sky 0<|end|><|assistant|>" in shown
    assert "⟦sky<|end|>⟧" in shown
    assert not (tiny.folder / "unwritten").exists()


def test_a_dry_run_counts_and_writes_nothing(tiny, capsys):
    result = train(tiny.config("unwritten", dry_run=True, num_train_epochs=2))
    assert (result.status, result.updates, result.pairs) == ("dry_run", 4, 8)
    assert result.seconds > 0
    assert "4 updates" in capsys.readouterr().err
    assert not (tiny.folder / "unwritten").exists()


def test_own_evaluation_data(tiny):
    others = numbered_pairs(14)[6:]
    data = write_jsonl(tiny.folder / "others.jsonl", others)
    config = tiny.config("own-eval", eval_data=data, eval_share=0.0)
    result = train(config)
    assert (result.pairs, result.held_out_pairs) == (10, 4)
    assert result.dropped == {"prompt_in_training": 4}


def test_weight_decay_spares_vectors_and_settings_reach_the_optimizer(tiny, monkeypatch):
    seen: dict[str, Any] = {}
    original = torch.optim.AdamW

    def spy(groups: list[dict[str, Any]], **kwargs: Any) -> torch.optim.Optimizer:
        seen["decays"] = [(g["weight_decay"], {p.dim() for p in g["params"]}) for g in groups]
        return original(groups, **kwargs)

    monkeypatch.setattr(torch.optim, "AdamW", spy)
    train(tiny.config("decay", weight_decay=0.3, max_steps=1))
    assert seen["decays"] == [(0.3, {2}), (0.0, {1})]


@pytest.mark.parametrize("kind", ["cosine", "linear", "constant"])
def test_learning_rates_and_clipping_are_as_asked(tiny, kind):
    config = tiny.config(
        f"rates-{kind}", lr_scheduler_type=kind, max_steps=4, warmup_ratio=0.5, max_grad_norm=1e-9
    )
    train(config)
    rates = [r["learning_rate"] / 3e-3 for r in read_metrics(config.output_dir) if "loss" in r]
    last = {"cosine": 0.5, "linear": 0.5, "constant": 1.0}[kind]
    assert rates == pytest.approx([0.5, 1, 1, last])


def test_importing_train_is_light():
    code = "import sys, train, train.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_attention_dropout_of_the_model_is_never_felt(tmp_path):
    """A Llama with functional dropout: step 0 is ln 2 to six digits, with recomputation too."""
    own = TinyRun(tmp_path)
    save_tiny_model(tmp_path / "model", attention_dropout=0.1)
    for checkpointing in (False, True):
        config = own.config(
            f"dropout-{checkpointing}",
            loss="dpo",
            max_steps=1,
            gradient_checkpointing=checkpointing,
        )
        train(config)
        assert read_metrics(config.output_dir)[1]["loss"] == pytest.approx(math.log(2), abs=1e-6)
