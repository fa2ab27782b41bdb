"""The gradient and the start: the same however a batch is cut, and equal to the reference."""

import json
import math
from typing import Any

import pytest
import torch
from architectures import ARCHITECTURES
from gradients import gradient_of
from places import GOLDEN
from tiny_model import (
    TinyRun,
    read_metrics,
    save_tiny_model,
)

from pairwright.errors import PairwrightError
from pairwright.models.loading import load_tokenizer
from train.data.pairs import load_pairs
from train.preference.config import TrainConfig
from train.preference.objective import objective_of
from train.preference.pair_logprobs import PairSet
from train.preference.task import PreferenceTask
from train.trainer.batches import deal
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("tiny"))


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


class Shifted(PreferenceTask):
    """Its reference thinks less of every answer than the policy does, by so many nats."""

    def __init__(self, config: TrainConfig, nats: float) -> None:
        super().__init__(config)
        self._nats = nats

    def prepare(self, *args: Any) -> PairSet:
        data = super().prepare(*args)
        return data._replace(ref_PK=data.ref_PK - self._nats)


def test_a_random_forward_pass_is_noticed(tiny):
    config = tiny.config("random")
    with pytest.raises(PairwrightError, match=r"mean \|reward\| is 10 and must be 0"):
        train(config, Shifted(config, 100))
    assert not list((tiny.folder / "random").glob("checkpoint-*"))


def test_a_coarse_reference_is_warned_of(tiny, caplog):
    config = tiny.config("coarse", max_steps=1)
    train(config, Shifted(config, 1))
    assert "mean |reward| is 0.1 and should be 0" in caplog.text


def test_the_first_losses_are_as_ever(tiny):
    """Golden numbers of this machine's float32: they change when the mathematics does."""
    config = tiny.config("golden", pairs_per_update=2, num_train_epochs=2, warmup_ratio=0.0)
    train(config)
    losses = [record["loss"] for record in read_metrics(config.output_dir) if "loss" in record]
    golden = json.loads((GOLDEN / "losses.json").read_text())
    assert losses[:5] == pytest.approx(golden, abs=1e-5)


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
