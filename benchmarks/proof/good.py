"""How likely other people's good answers are to a model: a guard that it has not forgotten the rest."""

from itertools import islice
from pathlib import Path

import torch

from pairwright.inputs.pairs import read_pairs
from pairwright.models.loading import load_tokenizer
from train.data.pairs import encode_pairs
from train.forward.answers import Answer
from train.forward.logprobs import answer_logprobs
from train.models.language import load_base, to_device

GOOD, GOOD_ANSWERS = "good.json", 100
"""Where it is kept, and of how many answers it is."""
MOST_TOKENS = 1024
"""Of a prompt with its answer; longer ones are left out."""
TOGETHER = 8


def likelihood(model: str, pairs: Path, limit: int) -> float:
    """Return the mean log-likelihood of a token in the chosen answers of a file's first pairs: nats."""
    kept, _ = encode_pairs(islice(read_pairs([str(pairs)]), limit), load_tokenizer(model), MOST_TOKENS)
    answers = sorted((Answer(pair.prompt_tokens, pair.chosen_ids) for pair in kept), key=_size)
    network = to_device(load_base(model), use_cpu=False).eval()
    total, tokens = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(answers), TOGETHER):
            found = answer_logprobs(network, answers[start : start + TOGETHER])
            total, tokens = total + float(found.sums_A.sum()), tokens + int(found.tokens_A.sum())
    return total / tokens


def _size(answer: Answer) -> int:
    return len(answer.prompt_tokens) + len(answer.answer_ids)
