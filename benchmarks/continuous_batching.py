"""Tokens a second of `hf:` against transformers' own continuous batching, and whether seeds decide answers.

Both have the same model in float32, the same prompts and as many sequences at once; they take turns.
Then some prompts are asked alone and among others: with a seed of its own, a request's answer may not
depend on what else is in the batch.
"""

import argparse
import random
import time
from statistics import median
from typing import Any

import torch
from transformers import GenerationConfig
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from pairwright.engines import EngineOptions, open_engine
from pairwright.models.chat import encode_prompt
from pairwright.models.loading import load_for_generation
from pairwright.records import Job, Request, Sampling, conversation

PAGE, PAGES = 16, 2048
"""Tokens of a page of theirs, and pages: room for every request of the run."""


def questions(count: int) -> list[str]:
    """Prompts of different lengths."""
    draw = random.Random(0)
    words = ["river", "stone", "market", "winter", "engine", "paper", "garden", "silver", "window", "music"]
    said = [" ".join(draw.choices(words, k=draw.randint(3, 60))) for _ in range(count)]
    return [f"Write a few sentences about this: {some}." for some in said]


class Ours:
    """The engine `hf:`."""

    def __init__(self, model: str, batch: int) -> None:
        options = EngineOptions(batch_size=batch, dtype="float32", device="cpu")
        self._engine = open_engine(f"hf:{model}", options)

    def answers(self, prompts: list[str], tokens: int, *, temperature: float) -> list[tuple[str, int]]:
        """Texts and their tokens."""
        sampling = Sampling(max_tokens=tokens, temperature=temperature)
        asked = [Request(role="policy", messages=conversation(p), sampling=sampling) for p in prompts]
        keys = [request.key("benchmark") for request in asked]
        for key, request in zip(keys, asked, strict=True):
            self._engine.submit(Job(key=key, request=request))
        found: dict[str, tuple[str, int]] = {}
        while len(found) < len(keys):
            for key, completion in self._engine.poll():
                assert completion.failure is None, completion.failure
                found[key] = (completion.text, completion.completion_tokens)
        return [found[key] for key in keys]


class Theirs:
    """`generate_batch` of transformers."""

    def __init__(self, model: str, batch: int) -> None:
        loaded = load_for_generation(model, "float32", "cpu")
        self._model: Any = loaded.model
        self._tokenizer, self._ends = loaded.tokenizer, sorted(loaded.ends)
        self._batching = {"page_size": PAGE, "num_blocks": PAGES, "max_requests_per_batch": batch}

    def answers(self, prompts: list[str], tokens: int, *, temperature: float) -> list[tuple[str, int]]:
        """Texts and their tokens; one seed for all of them is the only one that can be given."""
        drawn = {"temperature": temperature, "top_k": 0} if temperature else {}
        settings = GenerationConfig(
            max_new_tokens=tokens,
            do_sample=temperature > 0,
            eos_token_id=self._ends,
            pad_token_id=self._ends[0],
            **drawn,
        )
        encoded = [encode_prompt(self._tokenizer, conversation(prompt)) for prompt in prompts]
        batching = ContinuousBatchingConfig(**self._batching, seed=0)
        found = self._model.generate_batch(encoded, settings, batching, progress_bar=False, warmup=False)
        by_prompt = {tuple(f.prompt_ids): f.generated_tokens for f in found.values()}
        outputs = [by_prompt[tuple(ids)] for ids in encoded]
        texts = [self._tokenizer.decode(ids, skip_special_tokens=True) for ids in outputs]
        return [(text, len(ids)) for text, ids in zip(texts, outputs, strict=True)]


def main() -> None:
    """Print tokens a second of both in turns, and which answers stay the same in another batch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--requests", type=int, default=24)
    parser.add_argument("--max_tokens", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    prompts = questions(args.requests)
    sides = {"ours": Ours(args.model, args.batch), "transformers": Theirs(args.model, args.batch)}
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    greedy: dict[str, list[str]] = {}
    for number in range(args.rounds + 1):  # the first one warms up
        for name, side in sides.items():
            some = prompts if number else prompts[:2]
            begun = time.perf_counter()
            found = side.answers(some, args.max_tokens, temperature=0.0)
            if number:
                speeds[name].append(sum(n for _, n in found) / (time.perf_counter() - begun))
                greedy[name] = [text for text, _ in found]
    same = sum(a == b for a, b in zip(*greedy.values(), strict=True))
    print(f"greedy answers that are the same on both sides: {same} of {len(prompts)}")
    for name, found in speeds.items():
        print(f"{name}: {median(found):.1f} tokens/s ({', '.join(f'{s:.1f}' for s in found)})")
    ratios = [a / b for a, b in zip(*speeds.values(), strict=True)]
    print(f"ratio {median(ratios):.2f} ({', '.join(f'{r:.2f}' for r in ratios)})")
    few = prompts[:4]
    for name, side in sides.items():
        alone = [side.answers([p], 24, temperature=1.0)[0][0] for p in few]
        among = [text for text, _ in side.answers(few + prompts[4:12], 24, temperature=1.0)][: len(few)]
        kept = sum(a == b for a, b in zip(alone, among, strict=True))
        print(f"{name}: {kept} of {len(few)} sampled answers are the same alone and among others")


if __name__ == "__main__":
    main()
