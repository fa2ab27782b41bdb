"""Measures after a round: of the language model's answers, and of the reward model."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pairwright.folders.manifest import load_manifest
from pairwright.folders.shards import read_tables
from pairwright.inputs.beside import stored_prompt
from pairwright.models.chat import encode_answer
from pairwright.models.loading import load_for_scoring, load_tokenizer
from pairwright.records import KEPT, conversation
from train.data.split import without_prompts_of
from train.forward.answers import Answer
from train.forward.logprobs import answer_logprobs
from train.models.language import load_base, switch_randomness_off, to_device
from train.reward_model.config import RewardConfig
from train.reward_model.pairs import RewardPair, encode_reward_pairs, load_reward_pairs
from train.reward_model.report import assess, score_pairs

_LOOKED_AT = 200
"""Most pairs of its own training that a reward model is asked about."""


def measure_answers(samples: Path, scored: Path) -> dict[str, float]:
    """Measure a run of answers and of their scores: mean reward, diversity, length, share that ended.

    `distinct_n` is the number of different n-grams of words over the number of all (Li et al. 2016,
    https://arxiv.org/abs/1510.03055); it falls when answers repeat themselves or each other.
    """
    scores = np.array([row["score"] for table in read_tables(scored) for row in table.to_pylist()])
    texts = [row["completion"][0]["content"] for table in read_tables(samples) for row in table.to_pylist()]
    words = [text.split() for text in texts]
    manifest = load_manifest(samples)
    return {
        "answers": len(texts),
        "finished": manifest.counts.get(KEPT, 0) / manifest.items,
        "reward": float(scores.mean()),
        "reward_se": float(scores.std(ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else 0.0,
        "words": float(np.mean([len(w) for w in words])),
        "distinct_1": distinct(words, 1),
        "distinct_2": distinct(words, 2),
    }


def distinct(texts: Iterable[Sequence[str]], n: int) -> float:
    """Return distinct-n: the share of different n-grams among all n-grams of texts; 1 without n-grams."""
    grams = [tuple(words[i : i + n]) for words in texts for i in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 1.0


def measure_reward(config: RewardConfig, golden_runs: dict[str, str]) -> dict[str, Any]:
    """Measure a reward model that was trained under these settings.

    That is accuracy and calibration on held-out human pairs, accuracy on those trained on, and on golden
    answers over samples of several rounds. `golden_runs` are runs of golden pairs by round. Prompts that it
    was trained on do not count.
    """
    tokenizer = load_tokenizer(config.output_dir)
    pairs = load_reward_pairs(config, tokenizer)
    model = load_for_scoring(config.output_dir, "float32", "cpu" if config.use_cpu else "auto").model

    def accuracy(some: Sequence[RewardPair]) -> float | None:
        found = score_pairs(model, some, budget=config.micro_batch_tokens)
        return float((found.chosen > found.rejected).mean()) if some else None

    human = [pair for pair in pairs.held_out if not pair.golden]
    scores = score_pairs(model, human, budget=config.micro_batch_tokens)
    report = assess(scores, bins=config.bins)
    trained = [pair for pair in pairs.training if not pair.golden] or pairs.training
    by_round = {}
    for name, run in golden_runs.items():
        kept = encode_reward_pairs([run], config, tokenizer, golden=True).kept
        by_round[name] = accuracy(without_prompts_of(pairs.training, kept)[0])
    return {
        "rm_accuracy": report.get("accuracy"),
        "rm_accuracy_without_length": report.get("accuracy_without_length"),
        "rm_ece": report.get("ece"),
        "rm_pairs": len(human),
        "rm_train_accuracy": accuracy(trained[:_LOOKED_AT]),
        "rm_golden_accuracy": by_round,
    }


def kl_from_start(samples: Path, model: str, start: str, *, size: int, use_cpu: bool) -> dict[str, float]:
    """Return KL(model || start) on the model's own answers: mean log-ratio, in nats an answer and a token.

    Unbiased for answers sampled at temperature 1. Those that were cut off count as far as they go:
    without them, a model that comes to an end less often would look nearer than it is, or below 0.
    """
    finished, dropped = (
        [row for table in read_tables(samples, part) for row in table.to_pylist()]
        for part in ("data", "dropped")
    )
    cut_off = [row for row in dropped if row["status"] == "truncated"]
    tokenizer = load_tokenizer(start)
    answers = []
    for row in finished + cut_off:
        ids = encode_answer(tokenizer, stored_prompt(row, str(samples)), conversation(row["completion"]))
        said = ids.answer_ids[:-1] if "status" in row else ids.answer_ids
        if said:
            answers.append(Answer(*(np.array(part, dtype=np.int32) for part in (ids.prompt_ids, said))))
    now = _logprobs(model, answers, size, use_cpu)
    ratios = (now - _logprobs(start, answers, size, use_cpu)).double()
    tokens = sum(len(answer.answer_ids) for answer in answers)
    return {"kl": float(ratios.mean()), "kl_per_token": float(ratios.sum() / tokens)}


@torch.no_grad()
def _logprobs(name: str, answers: Sequence[Answer], size: int, use_cpu: bool) -> Tensor:
    """Log-probabilities of answers under a model that is loaded for this alone."""
    model = load_base(name)
    switch_randomness_off(model)
    model = to_device(model, use_cpu)
    parts = [answer_logprobs(model, answers[at : at + size]).sums_A for at in range(0, len(answers), size)]
    return torch.cat(parts).cpu()
