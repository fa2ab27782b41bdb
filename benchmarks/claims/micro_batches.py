"""How a batch is cut changes TRL's SFT term, and not ours (T10)

The gradient of one update of DPO with an SFT term, the same pairs in micro-batches of 1, 2 and 8 pairs:
in TRL by its own trainer, which takes one step of plain gradient descent at a rate of 1, so that the
change of the weights is the gradient; here by `train.trainer.gradient`, in forward passes of as many
tokens as those pairs have at most. TRL's term is a mean over the tokens of a micro-batch; ours is one
over an answer's own. The model is random and tiny: the claim is arithmetic. Without the SFT term TRL
does not change either.

python benchmarks/claims/micro_batches.py
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from made_pairs import as_row, joined, made, write
from torch import Tensor

from pairwright.models.loading import load_tokenizer
from train.data.pairs import load_pairs
from train.devices.accelerator import accelerator_for
from train.devices.replicated import Replicated
from train.models.language import switch_randomness_off
from train.output.metrics import MetricSums
from train.preference.config import TrainConfig
from train.preference.reference import with_reference
from train.preference.task import PreferenceTask
from train.trainer.gradient import add_gradient
from train.trainer.task import Run

PAIRS = 8
CUTS = 8, 2, 1
SFT_WEIGHT = 1.0


def rows() -> list[dict[str, Any]]:
    """Pairs whose chosen answers are of very different length."""
    some = made(0, 4 * PAIRS)
    groups = [some[4 * n : 4 * n + 1 + n % 4] for n in range(PAIRS)]
    return [as_row(joined(group)) for group in groups]


def save_random_model(folder: Path, tokenizer_of: str) -> str:
    """A random Llama of two layers, with the tokenizer of another model."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = load_tokenizer(tokenizer_of)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = LlamaConfig(vocab_size=len(tokenizer), initializer_range=0.3, **shape, **ids)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def trl_gradient(model: str, cut: int, folder: Path, *, sft: bool) -> Tensor:
    """Gradient of one update in TRL, all weights in one row."""
    import trl
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, PrinterCallback

    policy, reference = (AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32) for _ in range(2))
    before = _in_a_row(policy)
    terms = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, SFT_WEIGHT]}
    trainer = trl.DPOTrainer(
        model=policy,
        ref_model=reference,
        args=trl.DPOConfig(
            **(terms if sft else {"loss_type": ["sigmoid"]}),
            output_dir=str(folder),
            per_device_train_batch_size=cut,
            gradient_accumulation_steps=PAIRS // cut,
            max_steps=1,
            optim="sgd",
            learning_rate=1.0,
            lr_scheduler_type="constant",
            max_grad_norm=0.0,
            beta=0.1,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(rows()),
        processing_class=load_tokenizer(model),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return before - _in_a_row(policy)


def our_gradient(model: str, cut: int, folder: Path, *, sft: bool) -> Tensor:
    """Gradient of one update here, in forward passes of at most `cut` times the largest pair."""
    from transformers import AutoModelForCausalLM

    config = TrainConfig(
        model=model,
        data=(write(folder / "pairs.jsonl", rows()),),
        output_dir=str(folder),
        loss="dpo",
        sft_weight=SFT_WEIGHT if sft else 0.0,
        eval_share=0.0,
        bf16=False,
        use_cpu=True,
    )
    with accelerator_for(config) as accelerator:
        pairs = load_pairs(config, load_tokenizer(model)).training
        policy = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        switch_randomness_off(policy)
        budget = cut * max(pair.tokens for pair in pairs)
        task = PreferenceTask(config)
        run = Run(Replicated(accelerator, policy), task, budget)
        data = with_reference(accelerator, policy, pairs, budget=budget)
        add_gradient(run, data, range(PAIRS), MetricSums(accelerator.device, task.metrics))
    return torch.cat([parameter.grad.flatten() for parameter in policy.parameters()])


def _in_a_row(model: torch.nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten().clone() for parameter in model.parameters()])


def main() -> None:
    """Print by how much of its length the gradient changes from that of one micro-batch."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokenizer", default="smollm2", help="of this model; the weights are random")
    args = parser.parse_args()
    print(f"| gradient changes by | {' | '.join(f'micro-batches of {cut}' for cut in CUTS)} |")
    print("|---" * (1 + len(CUTS)) + "|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = save_random_model(folder / "model", args.tokenizer)
        sides = (("TRL", trl_gradient), ("pairwright", our_gradient))
        for name, gradient in sides:
            for sft in (False, True):
                found = [gradient(model, cut, folder / "work", sft=sft) for cut in CUTS]
                changes = [float((g - found[0]).norm() / found[0].norm()) for g in found]
                what = "DPO and SFT" if sft else "DPO"
                print(f"| {name}, {what} | {' | '.join(f'{change:.1e}' for change in changes)} |")


if __name__ == "__main__":
    main()
