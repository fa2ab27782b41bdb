"""Training as a whole, on a tiny model: what it computes, writes, refuses and says."""

import json
import math
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from tiny_model import (
    TinyRun,
    numbered_pairs,
    read_metrics,
    write_jsonl,
)
from transformers import AutoModelForCausalLM, AutoTokenizer

from pairwright.models.loading import load_tokenizer
from train.data.pairs import load_pairs
from train.preference.metrics import METRICS, pair_metrics
from train.preference.objective import PairLosses, objective_of
from train.preference.pair_logprobs import PairLogprobs
from train.preference.reference import with_reference
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("tiny"))


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


def test_a_tie_counts_half(tiny):
    """Log-ratios 2 > 1, 1 = 1, 0 < 1: one right, one tie, one wrong; two chosen answers rose."""
    ratios = torch.tensor([2.0, 1.0, 0.0])
    zero, one = torch.zeros(3), torch.ones(3)
    logps = PairLogprobs(ratios, one, zero, zero, one, one)
    values = pair_metrics(logps, PairLosses(zero, zero), objective_of(tiny.config(sft_weight=0.1)))
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
    assert data.ref_PK[:, 0].mean().item() == pytest.approx(measured, abs=1e-4)


def test_adapters_are_saved_as_peft_reads_them_and_the_base_is_the_reference(tiny):
    from peft import AutoPeftModelForCausalLM

    config = tiny.config("adapter", lora_r=2, num_train_epochs=2, gradient_checkpointing=True)
    train(config)
    model = AutoPeftModelForCausalLM.from_pretrained(config.output_dir)
    held_out = load_pairs(config, load_tokenizer(config.model)).held_out
    before, *_, after = (r for r in read_metrics(config.output_dir) if "eval_loss" in r)
    accelerator = Accelerator(cpu=True)
    base = with_reference(accelerator, model, held_out, budget=400).ref_PK[:, 0].mean().item()
    assert base == pytest.approx(before["eval_logps/chosen"], abs=1e-4)
    merged = with_reference(accelerator, model.merge_and_unload(), held_out, budget=400).ref_PK
    assert merged[:, 0].mean().item() == pytest.approx(after["eval_logps/chosen"], abs=1e-4)
    assert before["eval_logps/chosen"] != pytest.approx(after["eval_logps/chosen"], abs=1e-3)


def test_training_can_start_from_an_adapter(tiny):
    first = tiny.config("round-1", lora_r=2, num_train_epochs=2)
    train(first)
    second = tiny.config("round-2", model=first.output_dir, max_steps=1)
    train(second)
    ended = read_metrics(first.output_dir)[-1]["eval_logps/chosen"]
    began = read_metrics(second.output_dir)[0]["eval_logps/chosen"]
    assert began == pytest.approx(ended, abs=1e-4)
    third = tiny.config("round-3", model=first.output_dir, max_steps=1, merge_first=True)
    train(third)
    assert read_metrics(third.output_dir)[0]["eval_logps/chosen"] == pytest.approx(ended, abs=1e-4)


def test_bfloat16_keeps_float32_weights(tiny):
    config = tiny.config("bf16", bf16=True, num_train_epochs=2)
    result = train(config)
    weights = load_file(Path(config.output_dir) / "model.safetensors")
    assert {w.dtype for w in weights.values()} == {torch.float32}
    assert any((w != w.bfloat16().float()).any() for w in weights.values())
    assert result.metrics["eval_loss"] < 1


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
