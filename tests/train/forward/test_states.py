"""Hidden states that predict answers, against a plain loop over padded `transformers` models."""

import pytest
import torch
from architectures import ARCHITECTURES, model_of, one_by_one, some_answers

from train.forward.answers import Answer, collate
from train.forward.states import answer_states


@torch.no_grad()
def plain(model: torch.nn.Module, answers: list[Answer]) -> torch.Tensor:
    """Sums (A, W) of the last hidden states, all answers in one batch padded on the right, no trees."""
    model.set_attn_implementation("eager")
    batch = collate(answers)
    hidden = model(
        input_ids=batch.input_ids_AT, attention_mask=batch.mask_AT, output_hidden_states=True
    ).hidden_states[-1]
    return torch.stack(
        [
            hidden[row, len(prompt) - 1 : len(prompt) + len(ids) - 1].double().sum(0)
            for row, (prompt, ids) in enumerate(answers)
        ]
    )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_states_are_those_that_predict_the_tokens_of_an_answer(name):
    answers = some_answers(8)
    found = answer_states(model_of(name), answers)
    expected = plain(model_of(name), answers)
    for one, state in zip(found, expected, strict=True):
        assert torch.allclose(one.state_W, state, rtol=1e-5, atol=1e-5)
    sums = torch.stack([one.logps_L.sum() for one in found])
    assert torch.allclose(sums, one_by_one(model_of(name), answers), atol=2e-4)
    assert [len(one.logps_L) for one in found] == [len(answer.answer_ids) for answer in answers]


def test_each_answer_has_its_own_tokens_though_the_first_are_shared():
    """`yes`, `yes no` and again `yes`: the trunk is computed once, and is in all three."""
    prompt, yes, more = (
        torch.tensor(ids, dtype=torch.int32).numpy() for ids in ([5, 6], [7, 8], [7, 8, 9])
    )
    model = model_of("llama")
    answers = [Answer(prompt, yes), Answer(prompt, more), Answer(prompt, yes)]
    first, longer, again = answer_states(model, answers)
    [alone] = answer_states(model, answers[1:2])
    assert torch.equal(first.logps_L, again.logps_L)
    assert torch.allclose(longer.logps_L[:2], first.logps_L, atol=1e-6)
    assert torch.allclose(longer.logps_L, alone.logps_L, atol=1e-6)
    assert torch.allclose(longer.state_W, alone.state_W, atol=1e-6)
