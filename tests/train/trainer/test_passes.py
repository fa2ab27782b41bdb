"""Forward passes keep to the budget however a model is run, and the gradient does not depend on it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from architectures import one_by_one
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import SHAPE, TinyRun, save_tiny_model, tiny_tokenizer, write_jsonl
from transformers import Gemma2Config, LlamaConfig, MistralConfig, Phi3Config

from pairwright.models.loading import load_tokenizer
from train.data.pairs import Pair
from train.devices.accelerator import accelerator_for
from train.devices.strategy import strategy_for
from train.forward.answers import Answer
from train.forward.logprobs import answer_logprobs
from train.forward.support import TreeSupport
from train.models.language import load_model, trained
from train.output.metrics import MetricSums
from train.preference.config import TrainConfig
from train.preference.task import PreferenceTask
from train.trainer.batches import MicroBatch, deal
from train.trainer.gradient import add_gradient, evaluate
from train.trainer.task import Run
from train.training import task_of

WORDS = ["oak", "no tree at all", "elm, yes", "b" * 30, "maple", "c" * 21, "a", "fir or pine?"]
VOCABULARY = {
    "vocab_size": len(tiny_tokenizer()),
    "pad_token_id": 0,
    "eos_token_id": 0,
    "bos_token_id": None,
}
MODELS = {
    "soft caps, always padded": Gemma2Config(**SHAPE, **VOCABULARY, head_dim=8, sliding_window=64),
    "a window shorter than some trees": MistralConfig(**SHAPE, **VOCABULARY, sliding_window=24),
    "long rotary embeddings": Phi3Config(
        **SHAPE,
        **VOCABULARY,
        original_max_position_embeddings=24,
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": 1e4,
            "short_factor": [1.0] * 4,
            "long_factor": [9.0] * 4,
            "original_max_position_embeddings": 24,
        },
    ),
    "dynamic rotary embeddings": LlamaConfig(
        **SHAPE | {"max_position_embeddings": 24},
        **VOCABULARY,
        rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0},
    ),
}


@pytest.fixture(scope="module", params=MODELS)
def tiny(request, tmp_path_factory) -> TinyRun:
    """A run on eight answers to each of two prompts, a short one and a longer one."""
    folder = tmp_path_factory.mktemp("passes")
    own = TinyRun(folder)
    prompts = ["name", "which tree is this"]
    rows = [
        {"prompt": prompt, "completions": [f"{word}{'!' * number}" for word in WORDS]}
        for number, prompt in enumerate(prompts)
    ]
    own.settings |= {
        "model": save_tiny_model(folder / "other", MODELS[request.param]),
        "data": write_jsonl(folder / "ranked.jsonl", rows),
        "pairs_per_update": 64,
        "eval_share": 0.0,
    }
    path = Path(own.settings["model"]) / "model.safetensors"
    enlarge(path)
    return own


def enlarge(path: Path) -> None:
    """Weights so large that it shows what a token sees."""
    from safetensors.torch import load_file, save_file

    tensors = {name: 12 * t if t.dim() > 1 else t for name, t in load_file(path).items()}
    save_file(tensors, path, {"format": "pt"})


class Watch:
    """The sizes of forward passes, and how often each answer was computed, with gradients and without."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.seen: dict[bool, Counter[bytes]] = {True: Counter(), False: Counter()}


@contextmanager
def watched(model: torch.nn.Module) -> Iterator[Watch]:
    watch = Watch()

    def look(module: Any, args: Any, inputs: dict[str, Any]) -> None:
        ids = inputs["input_ids"]
        watch.sizes.append(ids.numel())
        for row, mask in zip(ids, inputs.get("attention_mask", torch.ones_like(ids)), strict=True):
            if "layout" not in inputs:
                watch.seen[torch.is_grad_enabled()][row[mask.bool()].numpy().tobytes()] += 1

    handle = model.register_forward_pre_hook(look, with_kwargs=True)
    try:
        yield watch
    finally:
        handle.remove()


def update(config: TrainConfig) -> tuple[dict[str, torch.Tensor], dict[str, float], Watch]:
    """Gradient and metrics of the first update, and its passes."""
    task = task_of(config)
    pairs = task.read(load_tokenizer(config.model)).training
    with accelerator_for(config) as accelerator:
        model = task.load_model(bf16=False)
        run = Run(strategy_for(accelerator, model), task, config.micro_batch_tokens)
        data = task.prepare(accelerator, model, pairs)
        sums = MetricSums(accelerator.device, task.metrics)
        with watched(model) as watch:
            add_gradient(run, data, range(len(pairs)), sums)
        metrics = sums.means(accelerator) | evaluate(run, data)
    return (
        {name: p.grad.clone() for name, p in trained(model).items() if p.grad is not None},
        metrics,
        watch,
    )


@pytest.mark.parametrize("how", ["dpo", "rrhf", "reward"])
def test_passes_keep_to_the_budget_and_the_gradient_is_the_same(tiny, how):
    def config(budget: int) -> Any:
        own = {"pairs": "all"} if how != "rrhf" else {}
        if how == "reward":
            return tiny.reward(micro_batch_tokens=budget, **own)
        return tiny.config(loss=how, micro_batch_tokens=budget, **own)

    plenty, metrics, _ = update(config(100_000))
    assert max(float(g.abs().max()) for g in plenty.values()) > 1e-4
    if how == "dpo":
        assert metrics["loss"] == pytest.approx(np.log(2), abs=1e-6)
    gradients, others, watch = update(config(200))
    assert max(watch.sizes) <= 200
    assert set(watch.seen[True].values()) <= {1}
    assert set(watch.seen[False].values()) <= {1}
    assert others == pytest.approx(metrics, rel=1e-4, abs=1e-5)
    for name, expected in plenty.items():
        torch.testing.assert_close(gradients[name], expected, atol=1e-5, rtol=1e-3)


def test_log_probabilities_are_those_of_each_answer_by_itself(tiny):
    """Whatever else is in the pass, before it or after it."""
    config = tiny.config(pairs="all")
    task = PreferenceTask(config)
    pairs = task.read(load_tokenizer(config.model)).training
    answers: list[Answer] = task.answers(pairs)[::9]
    found = answer_logprobs(load_model(config, bf16=False), answers).sums_A
    alone = [one_by_one(load_model(config, bf16=False), [answer]) for answer in answers]
    assert torch.allclose(found, torch.cat(alone), atol=1e-3)


def test_answers_beyond_a_window_are_said_to_be_padded(tmp_path, caplog, capsys):
    from train.training import train

    own = TinyRun(tmp_path)
    model = save_tiny_model(tmp_path / "short", MODELS["a window shorter than some trees"])
    train(own.config(model=model, max_steps=1))
    assert "0 of" not in caplog.text
    assert "have answers that end beyond the attention window of 24 tokens" in caplog.text


lengths = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=12
)


@given(lengths, st.integers(1, 4), st.integers(40, 200), st.booleans(), st.integers(5, 40))
def test_processes_are_dealt_equal_work_within_the_budget(made, world, budget, trees, reach):
    """Every item once, every pass within the budget if one answer is, equally many passes of each sort."""
    pairs = [pair(n, prompt, chosen, rejected) for n, (prompt, chosen, rejected) in enumerate(made)]
    support = TreeSupport(trees, reach if trees else 0, "", lambda tokens: tokens > 20)
    shares = [
        deal(range(len(pairs)), pairs, budget=budget, rank=rank, world=world, support=support)
        for rank in range(world)
    ]
    dealt = [i for share in shares for micro in share if micro.weight for i in micro.indices]
    assert sorted(dealt) == list(range(len(pairs)))
    assert len({tuple(passes(share)) for share in shares}) == 1
    for micro in (micro for share in shares for micro in share if micro.weight):
        wanted = {ids.tobytes(): len(ids) for i in micro.indices for ids in pairs[i].sides.values()}
        in_parts = [answer for part in micro.parts for answer in part]
        assert not micro.parts or sorted(in_parts) == sorted(wanted)
        prompt = len(pairs[micro.indices[0]].prompt_tokens)
        for part in micro.parts:
            kinds = {(trees and prompt + wanted[a] <= reach, prompt + wanted[a] > 20) for a in part}
            assert len(kinds) == 1
            if not next(iter(kinds))[0]:
                assert len(part) == 1 or len(part) * (prompt + max(wanted[a] for a in part)) <= budget


def passes(share: Sequence[MicroBatch]) -> list[bool]:
    """Of each pass in turn whether it is one of several of its micro-batch."""
    return [divided for micro in share for divided in [True] * len(micro.parts) or [False]]


def pair(number: int, prompt: int, chosen: int, rejected: int) -> Pair:
    ids = [np.full(n, value, np.int32) for n, value in ((prompt + 1, prompt), (chosen, 98), (rejected, 99))]
    return Pair(f"row{number}", str(prompt), *ids)
