"""Loss and gradient of a batch against TRL's DPOTrainer, which is asked for nothing but those."""

import pytest
import torch
from accelerate import Accelerator
from datasets import Dataset
from tiny_model import TinyRun
from transformers import AutoModelForCausalLM

from pairwright.models.loading import load_tokenizer
from train.data.pairs import Pair, load_pairs
from train.devices.replicated import Replicated
from train.losses.facts import TRL_NAMES
from train.models.language import switch_randomness_off
from train.output.metrics import MetricSums
from train.preference.metrics import METRICS
from train.preference.pair_logprobs import pair_logprobs
from train.preference.reference import with_reference
from train.preference.task import PreferenceTask
from train.trainer.gradient import add_gradient
from train.trainer.task import Run

trl = pytest.importorskip("trl")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("parity"))


def nudged(folder: str) -> torch.nn.Module:
    """A policy some way from its start."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    switch_randomness_off(model)
    return model


def trl_batch(pairs: list[Pair]) -> dict[str, torch.Tensor]:
    """The pairs' tokens in the layout of TRL's collator: chosen sequences, then rejected ones."""
    sides = [(p.prompt_tokens, p.chosen_ids) for p in pairs]
    sides += [(p.prompt_tokens, p.rejected_ids) for p in pairs]
    width = max(len(prompt) + len(answer) for prompt, answer in sides)
    batch = {
        name: torch.zeros(len(sides), width, dtype=torch.long)
        for name in ("input_ids", "attention_mask", "completion_mask")
    }
    for row, (prompt, answer) in enumerate(sides):
        end = len(prompt) + len(answer)
        batch["input_ids"][row, :end] = torch.tensor([*prompt.tolist(), *answer.tolist()])
        batch["attention_mask"][row, :end] = 1
        batch["completion_mask"][row, len(prompt) : end] = 1
    return batch


NAMES = {
    **{name: name for name in ("ipo", "apo_zero", "apo_down", "hinge", "robust", "discopop")},
    **TRL_NAMES,
}


@pytest.mark.parametrize(
    ("theirs", "weighting"),
    [*((name, False) for name in NAMES), ("sigmoid", True), ("apo_zero", True)],
)
def test_loss_gradient_and_metrics_agree(tiny, theirs, weighting):
    ours = NAMES[theirs]
    noise = 0.1 if ours in ("robust", "exo") else 0.0
    config = tiny.config(
        loss=ours, beta=0.1, eval_share=0.0, label_smoothing=noise, use_weighting=weighting
    )
    tokenizer = load_tokenizer(config.model)
    pairs = load_pairs(config, tokenizer).training
    reference = AutoModelForCausalLM.from_pretrained(config.model, dtype=torch.float32).eval()
    accelerator = Accelerator(cpu=True)

    policy = nudged(config.model)
    data = with_reference(accelerator, reference, pairs, budget=300)
    task = PreferenceTask(config)
    sums = MetricSums(accelerator.device, task.metrics)
    run = Run(Replicated(accelerator, policy), task, micro_batch_tokens=200)
    add_gradient(run, data, range(len(pairs)), sums)
    means = sums.means(accelerator)
    logps = pair_logprobs(policy, data, range(len(pairs)))
    assert logps.delta_w.abs().mean() > 0.1  # far enough for the losses to differ

    other = nudged(config.model)
    row = {"prompt": "Q", "chosen": "good", "rejected": "bad"}
    trainer = trl.DPOTrainer(
        model=other,
        ref_model=reference,
        args=trl.DPOConfig(
            output_dir=str(tiny.folder / "trl"),
            loss_type=[theirs],
            beta=0.1,
            label_smoothing=noise,
            use_weighting=weighting,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
        ),
        train_dataset=Dataset.from_list([row]),
        processing_class=tokenizer,
    )
    loss = trainer._compute_loss(other, trl_batch(pairs), return_outputs=False)
    loss.backward()

    assert means["loss"] == pytest.approx(loss.item(), abs=1e-5)
    for (name, mine), trls in zip(policy.named_parameters(), other.parameters(), strict=True):
        assert torch.allclose(mine.grad, trls.grad, atol=1e-5), name
    mode = "train" if other.training else "eval"
    # TRL's rewards are sums for every loss; ours are what the loss compares.
    per_token = task.objective.loss.per_token
    shared = set(METRICS) & set(trainer._metrics[mode])
    for name in (n for n in shared if not (per_token and n.startswith("rewards/"))):
        assert means[name] == pytest.approx(trainer._metrics[mode][name][0], rel=1e-4, abs=1e-5)
    assert shared >= {"rewards/margins", "logps/chosen"}
