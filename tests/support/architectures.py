"""Tiny models of many architectures, and log-probabilities of answers one by one."""

from copy import deepcopy

import torch
from tiny_model import SHAPE, numbered_pairs, tiny_tokenizer
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
)

from pairwright.inputs.pairs import parse_pair
from train.data.pairs import encode_pairs
from train.forward.answers import Answer
from train.forward.logprobs import answers_of
from train.models.language import switch_randomness_off

TOKENIZER = tiny_tokenizer()


COMMON = {"vocab_size": len(TOKENIZER), "pad_token_id": 0, "eos_token_id": 0, "bos_token_id": None}


GEMMA = {"head_dim": 8, "sliding_window": 8, **SHAPE, **COMMON}


ARCHITECTURES = {
    "llama": LlamaConfig(**SHAPE, **COMMON, attention_dropout=0.1),
    "llama, tied": LlamaConfig(**SHAPE, **COMMON, tie_word_embeddings=True),
    "qwen2": Qwen2Config(**SHAPE, **COMMON),
    "mistral": MistralConfig(**SHAPE, **COMMON, sliding_window=8),
    "gemma2": Gemma2Config(**GEMMA, final_logit_softcapping=0.5),
    "gemma3": Gemma3TextConfig(**GEMMA),
    "gpt_neox": GPTNeoXConfig(**SHAPE, **COMMON, hidden_dropout=0.1, attention_dropout=0.1),
    "granite": GraniteConfig(**SHAPE, **COMMON, logits_scaling=3.0),
    "cohere": CohereConfig(**SHAPE, **COMMON, logit_scale=0.1),
}


def model_of(name: str, **changes: float) -> torch.nn.Module:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(deepcopy(ARCHITECTURES[name])).float()
    for parameter in model.parameters():  # random weights far enough from 0 that caps and scales show
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    switch_randomness_off(model)
    return model


def some_answers(count: int = 5) -> list[Answer]:
    rows = [parse_pair(row, "here") for row in numbered_pairs(count)]
    pairs, _ = encode_pairs(rows, TOKENIZER, 200)
    return answers_of(pairs)


@torch.no_grad()
def one_by_one(model: torch.nn.Module, answers: list[Answer]) -> torch.Tensor:
    """Sums over answer tokens of the log-softmax of all logits, a sequence at a time, no padding."""
    sums = []
    for prompt_tokens, answer_ids in answers:
        ids = torch.tensor([*prompt_tokens.tolist(), *answer_ids.tolist()])[None]
        logps = model(ids).logits[0].float().log_softmax(-1)
        predicted = range(len(prompt_tokens) - 1, ids.shape[1] - 1)
        sums.append(sum(logps[at, ids[0, at + 1]] for at in predicted))
    return torch.stack(sums)
