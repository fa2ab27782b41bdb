"""Losses without a reference: none is asked, kept or reported, and what is reported is what they mean."""

import pytest
import torch
from tiny_model import TinyRun, read_metrics
from transformers import AutoModelForCausalLM

from pairwright.errors import UsageError
from pairwright.figures.training import training_of
from pairwright.figures.words import in_words
from pairwright.models.loading import load_tokenizer
from train.data.pairs import Pair, load_pairs
from train.losses.facts import FACTS
from train.training import train

FREE = [name for name, facts in FACTS.items() if not facts.reference]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("free"))


def mean_logp(model: torch.nn.Module, prompt: list[int], answer: list[int]) -> float:
    ids = torch.tensor([[*prompt, *answer]])
    found = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    return found[range(len(answer)), answer].mean().item()


@pytest.mark.parametrize("loss", FREE)
def test_nobody_asks_a_reference(tiny, loss, capfd, tmp_path):
    config = tiny.config(loss, loss=loss, reference_store=str(tmp_path / "store"))
    result = train(config)
    assert result.status == "trained"
    said = capfd.readouterr().err
    assert f"{loss} has no reference: none is computed" in said
    assert "reference log-probabilities" not in said
    assert not (tmp_path / "store").exists()
    assert not [name for name in result.metrics if "logratios" in name]
    assert result.metrics["eval_logps/chosen"] != result.start_metrics["eval_logps/chosen"]
    card = (tiny.folder / loss / "README.md").read_text()
    assert f"with `{loss}` {'by' if loss == 'simper' else '(beta'} " in card
    words = in_words(training_of(tiny.folder / loss))
    moved = result.metrics["eval_logps/chosen"] - result.start_metrics["eval_logps/chosen"]
    assert words.startswith("On held-out pairs, chosen answers ")
    assert f"by {abs(moved):.2f} nats" in words or "stayed where they were" in words


@pytest.mark.parametrize(
    ("loss", "reward"),
    [
        ("simpo", lambda mean, tokens: 2 * mean),
        ("simper", lambda mean, tokens: mean.exp()),
        ("cpo", lambda mean, tokens: 0.1 * mean * tokens),
        ("orpo", lambda mean, tokens: 0.1 * mean),
    ],
)
def test_rewards_are_what_the_loss_compares(tiny, loss, reward):
    """Of every pair before the first update, from a model that is run on each answer by itself."""
    config = tiny.config(f"rewards-{loss}", loss=loss, eval_share=0.0, pairs_per_update=100, max_steps=1)
    model = AutoModelForCausalLM.from_pretrained(config.model, dtype=torch.float32).eval()
    pairs = load_pairs(config, load_tokenizer(config.model)).training

    def of(pair: Pair, side: str) -> torch.Tensor:
        answer = pair.sides[side].tolist()
        return reward(torch.tensor(mean_logp(model, pair.prompt_tokens.tolist(), answer)), len(answer))

    with torch.no_grad():
        found = {side: torch.stack([of(pair, side) for pair in pairs]) for side in ("chosen", "rejected")}
    train(config)
    first = read_metrics(config.output_dir)[0]
    for side, rewards in found.items():
        assert first[f"rewards/{side}"] == pytest.approx(rewards.mean().item(), abs=1e-5)
    ahead = (found["chosen"] > found["rejected"]).float().mean().item()
    assert first["rewards/accuracies"] == pytest.approx(ahead, abs=1e-6)


@pytest.mark.parametrize("loss", ["cpo", "orpo"])
def test_their_sft_term_is_part_of_them(tiny, loss):
    config = tiny.config(loss=loss)
    assert (config.sft_weight, config.sft_reduction) == (1.0, "mean")
    assert tiny.config(loss=loss, sft_weight=0.0).sft_weight == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss": "simpo", "ref_model": "other"}, "simpo has no reference: leave out ref_model"),
        ({"loss": "simper", "beta": 0.5}, "simper has no beta"),
        ({"loss": "dpo", "simpo_gamma": 1.0}, "simpo_gamma is for simpo only, not for dpo"),
        ({"loss": "hinge", "discopop_tau": 1.0}, "discopop_tau is for discopop only, not for hinge"),
        ({"loss": "cpo", "alpha": 0.25}, "alpha is for simpo only, not for cpo"),
        ({"loss": "orpo", "label_smoothing": 0.1}, "label_smoothing is for dpo, .* only, not for orpo$"),
        ({"loss": "robust", "label_smoothing": 0.0}, "robust needs a share above 0"),
        ({"loss": "exo", "label_smoothing": 0.0}, "exo needs a share above 0"),
        ({"loss": "sigmoid_norm"}, "what TRL calls sigmoid_norm is dpo_norm here"),
    ],
)
def test_settings_of_other_losses_are_refused_in_one_sentence(tiny, settings, said):
    with pytest.raises((UsageError, ValueError), match=said):
        tiny.config(**settings)


def test_published_settings_are_taken_unless_others_are_given(tiny):
    assert tiny.config(loss="dpo_norm", beta=0.2).beta == 0.2
    assert {loss: tiny.config(loss=loss).beta for loss in ("dpo", "dpo_norm", "simpo")} == {
        "dpo": 0.1,
        "dpo_norm": 5.0,
        "simpo": 2.0,
    }
