"""Log-probabilities of answers against the model's own full forward, one sequence at a time."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from architectures import ARCHITECTURES, model_of, one_by_one, some_answers
from tiny_model import SHAPE, save_tiny_model
from transformers import AutoModelForCausalLM, PhimoeConfig
from transformers.models.llama.modeling_llama import LlamaDecoderLayer
from transformers.utils import logging

from pairwright.errors import UsageError
from train.forward.answers import collate
from train.forward.layout import lay_out
from train.forward.logprobs import answer_logits, answer_logprobs
from train.models.language import switch_randomness_off

logging.disable_progress_bar()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_agrees_with_the_models_own_forward(name):
    model, answers = model_of(name), some_answers()
    found = answer_logprobs(model, answers)
    assert found.sums_A.dtype == torch.float32
    assert torch.allclose(found.sums_A, one_by_one(model, answers), atol=2e-4)
    assert found.tokens_A.tolist() == [len(answer.answer_ids) for answer in answers]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_vocabulary_is_projected_only_where_answers_are_predicted(name, monkeypatch):
    model, answers = model_of(name), some_answers()
    sizes = []
    plain = F.linear

    def spy(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        if weight is model.get_output_embeddings().weight:
            sizes.append(x.shape[-2])
        return plain(x, weight, bias)

    answer_logprobs(model, answers)  # how it can be run is found out once
    monkeypatch.setattr(F, "linear", spy)
    answer_logprobs(model, answers)
    assert sizes == [len(lay_out(model, answers).laid.targets_N)]
    assert sizes[0] <= sum(len(answer.answer_ids) for answer in answers)


def test_a_model_that_keeps_its_hidden_states_to_itself_gives_all_logits(monkeypatch):
    model, answers = model_of("llama"), some_answers()
    expected = answer_logprobs(model, answers).sums_A
    monkeypatch.setattr("train.forward.logprobs.backbone", lambda model: torch.nn.Identity())
    assert torch.allclose(answer_logprobs(model, answers).sums_A, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["llama", "gemma3", "gpt_neox"])
def test_neighbours_and_what_fills_the_padding_do_not_matter(name):
    model, answers = model_of(name), some_answers()
    together = answer_logprobs(model, answers).sums_A
    alone = torch.cat([answer_logprobs(model, [answer]).sums_A for answer in answers])
    assert torch.allclose(together, alone, atol=1e-5)
    batch = collate(answers)
    filled = batch._replace(input_ids_AT=batch.input_ids_AT + 7 * (1 - batch.mask_AT))
    logits, other = answer_logits(model, batch), answer_logits(model, filled)
    assert torch.allclose(logits, other, atol=1e-5)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_nothing_is_random_and_identical_answers_have_no_gradient(name, checkpointing):
    """The dpo gradient of a pair whose answers are equal is zero, whatever dropout is configured."""
    model, answers = model_of(name), some_answers(1)
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        switch_randomness_off(model)
    answer = answers[0]
    first, second = answer_logprobs(model, [answer]).sums_A, answer_logprobs(model, [answer]).sums_A
    assert torch.equal(first, second)
    same = answer_logprobs(model, [answer, answer]).sums_A
    torch.nn.functional.logsigmoid(0.1 * (same[0] - same[1])).backward()
    worst = max(p.grad.abs().max().item() for p in model.parameters() if p.grad is not None)
    assert worst <= 1e-7 * (1 + abs(same[0].item()))


def test_gradient_checkpointing_recomputes_and_changes_nothing():
    answers, gradients, runs = some_answers(), [], []
    for checkpointing in (False, True):
        model, calls = model_of("llama"), []
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        switch_randomness_off(model)
        answer_logprobs(model, answers)  # how it can be run is found out once
        attention = model.model.layers[0].self_attn
        attention.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        answer_logprobs(model, answers).sums_A.sum().backward()
        gradients.append(model.model.layers[0].self_attn.q_proj.weight.grad)
        runs.append(len(calls))
    assert runs == [1, 2]
    assert torch.allclose(*gradients, atol=1e-6)


def test_dropout_would_show_if_it_were_left_on():
    """The test above can fail: in training mode this Llama drops attention outside any module."""
    model, answers = model_of("llama"), some_answers(1)
    model.train()
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.1
    sums = [answer_logprobs(model, answers).sums_A for _ in range(2)]
    assert not torch.equal(*sums)


def test_the_models_configuration_is_left_as_it_was(tmp_path):
    model = AutoModelForCausalLM.from_pretrained(save_tiny_model(tmp_path, attention_dropout=0.1))
    switch_randomness_off(model)
    assert model.config.attention_dropout == 0.1


PHIMOE = PhimoeConfig(
    **SHAPE | {"vocab_size": 104, "num_local_experts": 4, "num_experts_per_tok": 2},
    router_jitter_noise=0.3,  # what counts here is a threshold, in use as in training
    input_jitter_noise=0.3,
    hidden_dropout=0.2,
    attention_dropout=0.2,
)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("config", [PHIMOE, ARCHITECTURES["gpt_neox"], ARCHITECTURES["llama"]])
def test_nothing_but_noise_is_switched_off(config, checkpointing):
    """Log-probabilities are those of the model as it is used: transformers puts it into evaluation mode."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.5)
    answers = some_answers()
    plain = one_by_one(model, answers)
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    switch_randomness_off(model)
    for _ in range(2):
        assert torch.allclose(answer_logprobs(model, answers).sums_A, plain, atol=1e-3)


def test_layers_that_say_something_else_when_they_recompute_are_refused():
    class Odd(LlamaDecoderLayer):
        def forward(self, hidden_states: Any, **kwargs: Any) -> Any:
            return super().forward(hidden_states * (1.1 if self.training else 1.0), **kwargs)

    model = model_of("llama")
    model.model.layers[1].__class__ = Odd
    switch_randomness_off(model)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    with pytest.raises(UsageError, match="other numbers when it recomputes its activations"):
        switch_randomness_off(model)


def test_bfloat16_weights_still_give_float32_sums():
    model, answers = model_of("llama").bfloat16(), some_answers()
    found = answer_logprobs(model, answers)
    assert found.sums_A.dtype == torch.float32
    assert torch.allclose(found.sums_A, one_by_one(model, answers), atol=0.5)
