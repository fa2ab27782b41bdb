"""Reward models: the official objective, the same scores in `transformers`, one loop with preferences."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from in_process import run
from tiny_model import TinyRun, numbered_pairs, read_metrics, write_jsonl
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from pairwright.errors import PairwrightError, UsageError
from pairwright.models.loading import load_for_scoring, load_tokenizer
from train.data.pairs import Pair
from train.devices.replicated import Replicated
from train.forward.answers import Answer
from train.forward.logprobs import answers_of
from train.forward.rewards import answer_scores
from train.models.language import trained
from train.output.metrics import MetricSums
from train.reward_model.config import RewardConfig
from train.reward_model.pairs import pairs_of
from train.reward_model.task import RewardSet, RewardTask
from train.trainer.gradient import add_gradient
from train.trainer.task import Run
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("reward"))


def golden_pairs(folder: Path, count: int = 10) -> str:
    """Golden answers that end in a full stop, over samples of noise."""
    rows = [
        {"prompt": f"ask {n}", "chosen": f"well {n}.", "rejected": f"?{n * 7}", "row_id": f"golden{n}"}
        for n in range(count)
    ]
    return write_jsonl(folder / "golden.jsonl", rows)


def reward_texts(folder: str, pairs: Sequence[Pair], side: str, *, batch: int) -> list[float]:
    """Scores as a user of `transformers` gets them: padded by the folder's own tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side=side)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1).eval()
    sequences = [[*a.prompt_tokens.tolist(), *a.answer_ids.tolist()] for a in answers_of(pairs)]
    found: list[float] = []
    for start in range(0, len(sequences), batch):
        inputs = tokenizer.pad({"input_ids": sequences[start : start + batch]}, return_tensors="pt")
        with torch.no_grad():
            found += model(**inputs).logits[:, 0].tolist()
    return found


@pytest.mark.parametrize("lora_r", [0, 2])
@pytest.mark.parametrize("side", ["left", "right"])
def test_transformers_gives_the_same_scores(tiny, lora_r, side):
    """The base pads with the token that ends answers; scores are read there all the same."""
    config = tiny.reward(f"same-{lora_r}-{side}", lora_r=lora_r, max_steps=2, eval_share=0.0)
    train(config)
    model = load_for_scoring(config.output_dir, "float32", "cpu").model
    pairs = pairs_of(RewardTask(config).read(load_tokenizer(config.model)).training)
    assert len({pair.longest for pair in pairs}) > 3
    mine = answer_scores(model, answers_of(pairs)).tolist()
    assert len(set(mine)) > 5
    for batch in (1, len(mine)):
        assert reward_texts(config.output_dir, pairs, side, batch=batch) == pytest.approx(mine, abs=1e-5)


def test_a_score_does_not_depend_on_what_else_is_in_the_batch(tiny):
    config = tiny.reward("alone", max_steps=1)
    train(config)
    model = load_for_scoring(config.output_dir, "float32", "cpu").model
    answers = answers_of(pairs_of(RewardTask(config).read(load_tokenizer(config.model)).training))
    together = answer_scores(model, answers)
    alone = torch.cat([answer_scores(model, [answer]) for answer in answers])
    assert torch.allclose(together, alone, atol=1e-6)
    end = int(answers[0].answer_ids[-1])
    twice = Answer(answers[0].prompt_tokens, np.append(answers[0].answer_ids, end).astype(np.int32))
    assert answer_scores(model, [twice]).item() != pytest.approx(together[0].item(), abs=1e-6)


def gradient_of(config: RewardConfig) -> dict[str, torch.Tensor]:
    accelerator = Accelerator(cpu=True)
    task = RewardTask(config)
    pairs = task.read(load_tokenizer(config.model)).training
    model = task.load_model(bf16=False)
    run = Run(Replicated(accelerator, model), task, config.micro_batch_tokens)
    sums = MetricSums(accelerator.device, task.metrics)
    add_gradient(run, RewardSet(pairs), range(len(pairs)), sums)
    return {name: parameter.grad for name, parameter in trained(model).items()}


@pytest.mark.parametrize("changes", [{}, {"lora_r": 2}, {"golden": True}, {"golden": True, "loss": "wgan"}])
def test_the_gradient_does_not_depend_on_the_cut(tiny, changes):
    """Human and golden pairs are weighed over the whole update, however micro-batches mix them."""
    changes = dict(changes)
    if changes.pop("golden", False):
        changes["golden_data"] = golden_pairs(tiny.folder)
    settings = {"eval_share": 0.0, "limit": 6} | changes
    whole, *cut = (
        gradient_of(tiny.reward(micro_batch_tokens=size, **settings)) for size in (2000, 50, 140)
    )
    assert max(g.abs().max() for g in whole.values()) > 1e-4
    for gradients in cut:
        for name, expected in whole.items():
            assert torch.allclose(gradients[name], expected, atol=1e-6, rtol=1e-4), name


def weights_of(config: RewardConfig) -> bytes:
    return (Path(config.output_dir) / "model.safetensors").read_bytes()


@pytest.mark.parametrize("lora_r", [0, 2])
def test_a_run_cut_short_resumes_to_the_bit(tiny, lora_r):
    settings: dict[str, Any] = {"max_steps": 4, "save_steps": 1, "lora_r": lora_r}
    whole = tiny.reward(f"whole-{lora_r}", **settings)
    train(whole)
    cut = tiny.reward(f"cut-{lora_r}", **settings)
    calls = []

    class Failing(RewardTask):
        def measure(self, *args: Any) -> Any:
            calls.append(args)
            if len(calls) == 4:
                raise PairwrightError("the lights went out")
            return super().measure(*args)

    with pytest.raises(PairwrightError, match="the lights went out"):
        train(cut, Failing(cut))
    assert list(Path(cut.output_dir).glob("checkpoint-*"))
    assert train(cut).status == "trained"
    assert weights_of(cut) == weights_of(whole)
    assert read_metrics(cut.output_dir) == read_metrics(whole.output_dir)


def test_settings_are_felt(tiny):
    golden = golden_pairs(tiny.folder)
    changes: list[dict[str, Any]] = [
        {},
        {"golden_data": golden},
        {"golden_data": golden, "loss": "wgan"},
        {"golden_data": golden, "rm_kl": 0.0},
        {"golden_data": golden, "apo_coeff": 0.9},
        {"golden_data": golden, "apo_samples": 1},
        {"seed": 1},
        {"lora_r": 2},
    ]
    weights = []
    for number, change in enumerate(changes):
        config = tiny.reward(f"felt-{number}", max_steps=2, **change)
        train(config)
        weights.append(weights_of(config))
    assert len(set(weights)) == len(weights)


def test_it_learns_what_people_prefer_and_says_how_well(tiny, tmp_path):
    rows = [
        {"prompt": f"{word} {n}?", "chosen": f"yes {n}", "rejected": f"no {n}"}
        for n in range(8)
        for word in ("sky", "tree", "stone", "river")
    ]
    data = write_jsonl(tmp_path / "human.jsonl", rows)
    golden = golden_pairs(tmp_path, 20)
    config = tiny.reward("learnt", data=data, golden_data=golden, apo_coeff=4.0, learning_rate=1e-2)
    result = train(config.model_copy(update={"max_steps": 16}))
    assert result.metrics["eval_rewards/accuracies"] == 1.0
    report = json.loads((tiny.folder / "learnt" / "reward.json").read_text())
    assert report["human"]["accuracy"] == report["golden"]["accuracy"] == 1.0
    assert report["human"]["bins"] == 10
    assert report["human"]["longer_accuracy"] == 1.0
    assert sum(report["human"]["histogram"]["chosen"]) == report["human"]["pairs"] > 2
    for picture in ("reliability.png", "rewards.png"):
        assert (tiny.folder / "learnt" / picture).read_bytes().startswith(b"\x89PNG")


def test_the_human_pairs_held_out_do_not_depend_on_golden_ones(tiny, tmp_path):
    rows = [{"prompt": f"say {n}", "chosen": "x", "rejected": f"y{n}"} for n in range(20)]
    rows += [{"prompt": "say sky 0", "chosen": "x", "rejected": "y"}]  # a prompt of the human pairs too
    data = write_jsonl(tmp_path / "golden.jsonl", rows)
    found = [
        RewardTask(tiny.reward(**golden)).read(load_tokenizer(tiny.settings["model"]))
        for golden in ({}, {"golden_data": data})
    ]
    human = [{pair.row_id for pair in pairs.held_out if not pair.golden} for pairs in found]
    assert human[0]
    assert human[0] == human[1]
    for pairs in found:
        trained_on = {pair.prompt_key for pair in pairs.training}
        assert not trained_on & {pair.prompt_key for pair in pairs.held_out}


def test_a_margin_is_read_from_pairs_and_changes_what_is_learnt(tiny, tmp_path):
    rows = numbered_pairs(10)
    first = write_jsonl(tmp_path / "a.jsonl", rows)
    second = write_jsonl(tmp_path / "b.jsonl", [row | {"margin": 0.5} for row in rows])
    for name, data in (("plain", first), ("margins", second)):
        train(tiny.reward(name, data=data, max_steps=2))
    assert weights_of(tiny.reward("plain")) != weights_of(tiny.reward("margins"))
    with pytest.raises(UsageError, match="`data` was"):
        train(tiny.reward("plain", data=second, max_steps=2))


def test_a_reward_model_can_go_on_from_a_reward_model(tiny):
    """The paper's sequential ablation: head and all are kept, whatever the seed."""
    first = tiny.reward("first", max_steps=2)
    train(first)
    second = tiny.reward("second", model=first.output_dir, max_steps=1, seed=5, data=first.data[0])
    train(second)
    ended, began = read_metrics(first.output_dir)[-1], read_metrics(second.output_dir)[0]
    assert began["eval_rewards/chosen"] == pytest.approx(ended["eval_rewards/chosen"], abs=1e-5)


def test_adapters_over_bfloat16_keep_a_float32_head(tiny):
    config = tiny.reward("half", lora_r=2, bf16=True, max_steps=2)
    result = train(config)
    model = AutoModelForSequenceClassification.from_pretrained(config.output_dir)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert math.isfinite(result.metrics["eval_loss"])


@pytest.mark.slow
def test_the_embedded_model_becomes_a_reward_model_with_the_same_scores_everywhere(tiny):
    """SmolLM2 pads with the token that ends its turns."""
    config = tiny.reward("embedded", model="smollm2", limit=4, eval_share=0.0, max_steps=1)
    train(config)
    pairs = pairs_of(RewardTask(config).read(load_tokenizer("smollm2")).training)
    mine = answer_scores(
        load_for_scoring(config.output_dir, "float32", "cpu").model, answers_of(pairs)
    ).tolist()
    for side in ("left", "right"):
        theirs = reward_texts(config.output_dir, pairs, side, batch=8)
        assert theirs == pytest.approx(mine, abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"loss": "wgan"}, "--loss wgan is a loss of golden pairs; name them with --golden_data"),
        ({"rm_kl": 0}, "--rm_kl 0 leaves the human pairs out"),
        ({"eval_data": "a.jsonl", "eval_share": 0.2}, "not both"),
    ],
)
def test_settings_that_mean_nothing_are_refused(tiny, changes, sentence):
    with pytest.raises(UsageError, match=sentence):
        tiny.reward(**changes)


def test_what_cannot_be_used_is_a_sentence(tiny, tmp_path):
    with pytest.raises(UsageError, match="holds LlamaForCausalLM, which gives no scores"):
        load_for_scoring(tiny.settings["model"])
    bad = write_jsonl(tmp_path / "m.jsonl", [numbered_pairs(1)[0] | {"margin": "wide"}])
    with pytest.raises(UsageError, match=r"m\.jsonl line 1: `margin` must be a number"):
        train(tiny.reward("never", data=bad))
    bad = write_jsonl(tmp_path / "n.jsonl", [r | {"margin": math.nan} for r in numbered_pairs(3)])
    with pytest.raises(UsageError, match="row row0: `margin` is nan"):
        train(tiny.reward("never", data=bad))


def test_of_an_adapter_the_body_is_its_base_with_it_merged_in(tiny):
    found = []
    for name, merged in (("adapter", False), ("whole", True)):
        train(tiny.config(name, lora_r=2, max_steps=1, learning_rate=0.1, merge_adapter=merged))
        model = str(tiny.folder / name)
        train(tiny.reward(f"of_{name}", model=model, max_steps=1))
        metrics = read_metrics(tiny.folder / f"of_{name}")
        found.append(next(record["loss"] for record in metrics if "loss" in record))
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    with pytest.raises(UsageError, match="is merged into whole weights: leave out --load_in_4bit"):
        train(tiny.reward("never", model=str(tiny.folder / "adapter"), load_in_4bit=True, lora_r=2))


def test_the_command_trains_previews_and_counts(tiny, capfd):
    argv = ["reward", "--model", tiny.settings["model"], "--data", tiny.settings["data"], "--use_cpu"]
    argv += ["--output_dir", str(tiny.folder / "commanded"), "--no-bf16", "--max_steps", "1"]
    code, out, _ = run(capfd, *argv, "--preview")
    assert (code, "⟦sky<|end|>⟧" in out) == (0, True)
    code, _, err = run(capfd, *argv, "--dry_run")
    assert (code, "1 update;" in err) == (0, True)
    assert not (tiny.folder / "commanded").exists()
    assert run(capfd, *argv)[0] == 0
    code, _, err = run(capfd, *argv)
    assert (code, "finished already" in err) == (0, True)


def test_held_out_accuracy_is_told_by_a_column(tiny, tmp_path, capfd):
    rows = [row | {"source": "ab"[n % 2]} for n, row in enumerate(numbered_pairs(12))]
    data = {"data": write_jsonl(tmp_path / "train.jsonl", rows[:8]),
            "eval_data": write_jsonl(tmp_path / "held_out.jsonl", rows[8:])}  # fmt: skip
    train(tiny.reward("by", by="source", max_steps=1, eval_share=0.0, **data))
    found = json.loads((tiny.folder / "by" / "reward.json").read_text())["human"]["by_subset"]
    assert {name: one["pairs"] for name, one in found.items()} == {"a": 2, "b": 2}
    with pytest.raises(UsageError, match="no column `topic`, which --by names; the columns are"):
        train(tiny.reward("by_none", by="topic", eval_share=0.0, **data))
