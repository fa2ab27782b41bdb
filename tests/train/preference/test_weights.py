"""Weights of pairs and of tokens in the loss, against plain computation, a sequence at a time."""

from typing import Any

import pytest
import torch
from accelerate import Accelerator
from gradients import gradient_of
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import TinyRun, numbered_pairs, padded, read_metrics, write_jsonl
from transformers import AutoModelForCausalLM

from pairwright.models.loading import load_tokenizer
from train.data.pairs import Pair
from train.losses.registry import LOSSES
from train.preference.config import TrainConfig
from train.preference.pair_logprobs import pair_logprobs
from train.preference.reference import with_reference
from train.preference.reference_store import ReferenceStore
from train.preference.task import PreferenceTask
from train.training import train

COMMON = [
    {
        "prompt": "say it",
        "chosen": "the sky is blue now",
        "rejected": "the sky is green now",
        "weight": 2.0,
    },
    {"prompt": "say it", "chosen": "the sky is blue now", "rejected": "the sea", "weight": 0.5},
    {"prompt": "again", "chosen": "one two", "rejected": "one two three"},
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    tiny = TinyRun(tmp_path_factory.mktemp("weighted"))
    tiny.settings |= {"data": write_jsonl(tiny.folder / "common.jsonl", COMMON), "eval_share": 0.0}
    return tiny


def plain(model: torch.nn.Module, pair: Pair, side: int) -> torch.Tensor:
    """Log-probabilities of an answer's tokens, from all logits of one sequence."""
    prompt, answer = pair.prompt_tokens.tolist(), (pair.chosen_ids, pair.rejected_ids)[side].tolist()
    logps = model(torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
    return logps[range(len(prompt) - 1, len(prompt) + len(answer) - 1), answer]


def expected(task: PreferenceTask, model: Any, start: Any, pairs: list[Pair]) -> torch.Tensor:
    """The loss of each pair as its equation says, with weights of tokens, the SFT term and the pair's."""
    objective, losses = task.objective, []
    for pair in pairs:
        taken, sft = [], torch.zeros(())
        for side in (0, 1):
            logps_L, weights_L = plain(model, pair, side), torch.from_numpy(pair.token_weights[side])
            ratios_L = logps_L - plain(start, pair, side).detach() if objective.loss.reference else logps_L
            size = (weights_L.sum() or torch.ones(())) if objective.loss.per_token else 1
            taken.append(((ratios_L * weights_L).sum() / size)[None])
            if side == 0:
                sft = -(logps_L * weights_L).sum() / (weights_L.sum() or torch.ones(()))
        losses.append(pair.weight * (objective.preference(*taken)[0] + objective.sft_weight * sft))
    return torch.stack(losses)


def nudged(folder: str) -> Any:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("trees", [True, False])
@pytest.mark.parametrize("weights", ["changed:3", "changed:1,common:0"])
@pytest.mark.parametrize("loss", ["apo_zero", "dpo_norm", "simpo"])
def test_exact_in_trees_and_padded(tiny, loss, weights, trees):
    model = tiny.settings["model"] if trees else padded(tiny.settings["model"])
    config = tiny.config(model=model, loss=loss, token_weight=weights, sft_weight=0.3)
    task = PreferenceTask(config)
    pairs = task.read(load_tokenizer(config.model)).training
    model, start = nudged(config.model), AutoModelForCausalLM.from_pretrained(config.model).float().eval()
    data = task.prepare(Accelerator(cpu=True), start, pairs)
    measured = task.measure(model, data, range(len(pairs)))
    wanted = expected(task, model, start, pairs)
    assert torch.allclose(measured.losses_B, wanted, atol=1e-5)
    found = torch.autograd.grad(measured.losses_B.sum(), list(model.parameters()))
    for mine, theirs in zip(
        found, torch.autograd.grad(wanted.sum(), list(model.parameters())), strict=True
    ):
        assert torch.allclose(mine, theirs, atol=1e-5)


def test_metrics_of_answers_are_in_plain_nats(tiny):
    config = tiny.config("plain", token_weight="changed:1,common:0", pairs_per_update=3, max_steps=1)
    train(config)
    train(tiny.config("unweighted", pairs_per_update=3, max_steps=1))
    weighted, unweighted = (read_metrics(tiny.folder / name)[0] for name in ("plain", "unweighted"))
    for name in ("logps/chosen", "logps/rejected_per_token"):
        assert weighted[name] == pytest.approx(unweighted[name], rel=1e-5)


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "apo_zero"])
def test_every_loss_trains_with_both_kinds_of_weights(tiny, loss):
    """Weights of 1 change nothing, to the bit of the metrics' rounding; others do."""
    same, other = (
        read_metrics(train(tiny.config(f"{loss}-{w}", loss=loss, token_weight=w, max_steps=1)).output_dir)[
            0
        ]
        for w in ("changed:1", "changed:4")
    )
    bare = read_metrics(train(tiny.config(f"{loss}-bare", loss=loss, max_steps=1)).output_dir)[0]
    assert same["loss"] == pytest.approx(bare["loss"], rel=1e-5, abs=1e-6)
    assert other["grad_norm"] != pytest.approx(bare["grad_norm"], rel=1e-3)


def test_a_reference_with_other_weights_is_another(tiny, tmp_path):
    """What is stored of weighted answers is found under those weights, of plain ones under none."""
    accelerator = Accelerator(cpu=True)
    model = AutoModelForCausalLM.from_pretrained(tiny.settings["model"]).float().eval()
    tokenizer = load_tokenizer(tiny.settings["model"])
    store = ReferenceStore(str(tmp_path), {"model": "tiny"})
    found = {}
    for weights in (None, "changed:2", "changed:5"):
        pairs = PreferenceTask(tiny.config(token_weight=weights)).read(tokenizer).training
        for name in (weights, f"{weights} again"):
            found[name] = with_reference(accelerator, model, pairs, budget=300, store=store).ref_PK
        assert torch.equal(found[weights], found[f"{weights} again"])
    assert torch.allclose(found["changed:2"][:, 2:], found[None], atol=1e-5)
    assert not torch.allclose(found["changed:2"][:, :2], found["changed:5"][:, :2], atol=1e-2)


def test_passes_that_are_divided_give_the_same_gradient(tiny):
    """In trees; padded; and padded with the answers to a prompt in passes of their own."""
    weighted = {"token_weight": "changed:3", "sft_weight": 0.2, "loss": "dpo"}
    in_trees = gradient_of(tiny.config(**weighted))
    weighted["model"] = padded(tiny.settings["model"])
    for budget in (250, 60):
        found = gradient_of(tiny.config(micro_batch_tokens=budget, **weighted))
        assert all(torch.allclose(found[name], in_trees[name], atol=1e-5) for name in in_trees)


@settings(max_examples=20, deadline=None)
@given(weights=st.lists(st.floats(0, 10), min_size=2, max_size=2).filter(any))
def test_a_pair_counts_its_weight(tiny, weights):
    """The loss of a weighted pair is its loss times its weight, and the SFT term with it."""
    rows = [row | {"weight": weight} for row, weight in zip(numbered_pairs(2), weights, strict=True)]
    config = tiny.config(data=write_jsonl(tiny.folder / "pairs-w.jsonl", rows), sft_weight=0.5)
    task = PreferenceTask(config)
    pairs = task.read(load_tokenizer(config.model)).training
    model = nudged(config.model)
    data = with_reference(Accelerator(cpu=True), model, pairs, budget=300)
    logps = pair_logprobs(model, data, [0, 1])
    alone = task.objective(logps._replace(weight=1.0)).total_B
    assert torch.allclose(task.objective(logps).total_B, alone * torch.tensor(weights), rtol=1e-5)


def test_settings_are_seen_in_the_identity_of_a_run(tiny):
    assert isinstance(tiny.config(token_weight="changed:2"), TrainConfig)
    assert tiny.config(token_weight="changed:2").of_kind("semantic")["token_weight"] == "changed:2"
    assert "token_weight" not in tiny.config().of_kind("semantic")
