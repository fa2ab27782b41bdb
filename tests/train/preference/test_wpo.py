"""WPO's weights of pairs: by hand, and against all probabilities of a plain forward pass."""

import math

import pytest
import torch
from accelerate import Accelerator
from tiny_model import SHAPE, TinyRun, padded, read_metrics, save_tiny_model, tiny_tokenizer
from transformers import AutoModelForCausalLM, GraniteConfig

from pairwright.errors import UsageError
from pairwright.models.loading import load_tokenizer
from train.data.pairs import Pair
from train.forward.support import tree_support
from train.forward.vocabulary import chunked
from train.losses.wpo import wpo_weight
from train.preference.pair_logprobs import beside_reference, logprobs_of
from train.preference.task import PreferenceTask
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("wpo"))


@pytest.fixture(scope="module")
def scaled(tmp_path_factory) -> str:
    """A model whose logits are not a plain projection of its hidden states."""
    config = GraniteConfig(
        vocab_size=len(tiny_tokenizer()), logits_scaling=3.0, bos_token_id=None, pad_token_id=0, **SHAPE
    )
    return save_tiny_model(tmp_path_factory.mktemp("scaled") / "model", config)


def test_by_hand():
    """Two answers whose tokens are half and a quarter as likely as sampled ones: 1/2 * 1/4."""
    found = wpo_weight(torch.tensor([-math.log(2)], requires_grad=True), torch.tensor([-math.log(4)]))
    assert found.tolist() == pytest.approx([0.125])
    assert not found.requires_grad


def plain(model: torch.nn.Module, pair: Pair, side: str) -> float:
    prompt, answer = pair.prompt_tokens.tolist(), pair.sides[side].tolist()
    probs = model(torch.tensor([[*prompt, *answer]])).logits[0].double().softmax(-1)[len(prompt) - 1 : -1]
    chosen = probs[range(len(answer)), answer]
    return (chosen.log() - (probs**2).sum(1).log()).mean().exp().item()


@pytest.mark.parametrize("trees", [True, False])
@pytest.mark.parametrize("in_chunks", [True, False])
@pytest.mark.parametrize("token_weight", [None, "changed:2"])
def test_the_weight_is_that_of_all_probabilities(tiny, scaled, trees, in_chunks, token_weight):
    folder = tiny.settings["model"] if in_chunks else scaled
    folder = folder if trees else padded(folder)
    config = tiny.config(
        model=folder, use_weighting=True, loss="dpo", token_weight=token_weight, eval_share=0.0
    )
    task = PreferenceTask(config)
    pairs = task.read(load_tokenizer(config.model)).training
    model = AutoModelForCausalLM.from_pretrained(config.model).float().eval()
    assert (tree_support(model).trees, chunked(model)) == (trees, in_chunks)
    data = task.prepare(Accelerator(cpu=True), model, pairs)
    values = task.values(model, task.answers(pairs))
    found = beside_reference(values, data, range(len(pairs)))
    expected = [plain(model, pair, "chosen") * plain(model, pair, "rejected") for pair in pairs]
    assert found.on_policy.tolist() == pytest.approx(expected, rel=1e-4)
    bare = logprobs_of(model, task.answers(pairs))
    kept = values[:, 0] if token_weight is None else values[:, :2]
    assert torch.allclose(bare, kept, atol=1e-5)
    losses = task.measure(model, data, range(len(pairs))).losses_B
    assert losses.tolist() == pytest.approx([weight * math.log(2) for weight in expected], rel=1e-4)


def test_it_is_felt_in_training_and_not_in_the_reference(tiny, tmp_path):
    shared = {"loss": "dpo", "reference_store": str(tmp_path), "max_steps": 1}
    train(tiny.config("bare", **shared))
    train(tiny.config("weighted", use_weighting=True, **shared))
    bare, weighted = (read_metrics(tiny.folder / name) for name in ("bare", "weighted"))
    assert weighted[-1]["eval_loss"] != pytest.approx(bare[-1]["eval_loss"], rel=1e-3)
    assert len(list(tmp_path.rglob("part-*.parquet"))) <= 2


def test_answers_without_a_pair_have_no_weight(tiny):
    with pytest.raises(UsageError, match="rrhf takes answers, not pairs: leave out use_weighting"):
        tiny.config(loss="rrhf", use_weighting=True)
