"""A real vLLM whose weights change while it lives: adapters put on, whole models read in place."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from asking import ask
from vllm_processes import SETTINGS

from pairwright.engines.options import EngineOptions
from pairwright.engines.vllm.engine import VLLMEngine
from pairwright.engines.vllm.warm import engines_kept
from pairwright.models.smollm2 import smollm2_folder
from pairwright.records import Job, Request, Sampling, conversation

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1200)]
PROMPTS = ("Name a fruit.", "What is two and two?", "Say hello.")
TOKENS = 12
Answers = list[tuple[str, list[dict[str, float]]]]


def trained(folder: Path, seed: int) -> tuple[str, str]:
    """An adapter of the embedded model that is far from doing nothing, and the model it merges to."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(smollm2_folder(), dtype=torch.float32)
    settings: dict[str, Any] = {
        "r": 4,
        "lora_alpha": 8,
        "target_modules": ["q_proj", "v_proj", "down_proj"],
    }
    model = get_peft_model(base, LoraConfig(**settings, init_lora_weights=False))
    for name, weight in model.named_parameters():
        if "lora_" in name:
            weight.data.mul_(1.0)
    model.save_pretrained(folder / "adapter")
    merged = model.merge_and_unload()
    merged.save_pretrained(folder / "merged")
    AutoTokenizer.from_pretrained(smollm2_folder()).save_pretrained(folder / "merged")
    return str(folder / "adapter"), str(folder / "merged")


def answers(model: str, adapter: str = "") -> tuple[int, Answers]:
    """Greedy answers with log-probabilities, and the group of the process that gave them."""
    options = EngineOptions(engine=SETTINGS, adapter=adapter, dtype="float32")
    engine = VLLMEngine(model, options, f"vllm:{model}")
    group = engine.group
    greedy = Sampling(max_tokens=TOKENS, temperature=0.0, logprobs=5)
    requests = [Request(role="policy", messages=conversation(p), sampling=greedy) for p in PROMPTS]
    jobs = [Job(key=request.key("test"), request=request) for request in requests]
    found = ask(engine, jobs, within=300)
    engine.close()
    assert [c.failure for c in found] == [None] * len(PROMPTS)
    return group, [(c.text, list(c.top_logprobs)) for c in found]


def distance(one: Answers, other: Answers) -> float:
    """Largest difference of a first token's probability, 1 where none is likely in both.

    Later tokens are not compared: rounding may turn what follows.
    """
    pairs = [(a[0], b[0]) for (_, a), (_, b) in zip(one, other, strict=True)]
    if not all(a.keys() & b.keys() for a, b in pairs):
        return 1.0
    return max(abs(math.exp(a[t]) - math.exp(b[t])) for a, b in pairs for t in a.keys() & b.keys())


def test_an_adapter_answers_as_the_merged_model_does_and_both_change_in_place(tmp_path: Path) -> None:
    """One process has the adapters by turns, another the whole weights; neither starts again."""
    one, merged = trained(tmp_path / "one", 1)
    two, merged_two = trained(tmp_path / "two", 2)
    with engines_kept():
        group, by_one = answers("smollm2", one)
        again, by_two = answers("smollm2", two)
        last, back = answers(one)  # the same adapter, named as a model
        assert group == again == last
        whole, base = answers("smollm2")
        assert whole != group
        second, by_merged = answers(merged)
        third, by_merged_two = answers(merged_two)
        fourth, base_again = answers("smollm2")
        assert whole == second == third == fourth
    assert [text for text, _ in back] == [text for text, _ in by_one]
    assert [text for text, _ in base_again] == [text for text, _ in base]
    apart = [distance(base, by_one), distance(base, by_two), distance(by_one, by_two)]
    alike = [distance(by_one, by_merged), distance(by_two, by_merged_two)]
    assert max(alike) < 0.01, (alike, apart)
    assert min(apart) > 0.1, (alike, apart)
