"""The gradient of one update."""

import torch
from accelerate import Accelerator

from pairwright.models.loading import load_tokenizer
from train.devices.replicated import Replicated
from train.models.language import load_model, trained
from train.output.metrics import MetricSums
from train.preference.config import TrainConfig
from train.preference.reference import with_reference
from train.preference.task import PreferenceTask
from train.trainer.gradient import add_gradient
from train.trainer.task import Run


def gradient_of(config: TrainConfig, *, nudge: float = 0.02) -> dict[str, torch.Tensor]:
    """The gradient of one update over all pairs, from a policy that has left its reference."""
    accelerator = Accelerator(cpu=True)
    task = PreferenceTask(config)
    pairs = task.read(load_tokenizer(config.model)).training
    model = load_model(config, bf16=False)
    data = with_reference(accelerator, model, pairs, budget=150)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in trained(model).values():
            parameter.add_(nudge * torch.randn_like(parameter))
    run = Run(Replicated(accelerator, model), task, config.micro_batch_tokens)
    add_gradient(run, data, range(len(pairs)), MetricSums(accelerator.device, task.metrics))
    return {name: parameter.grad for name, parameter in trained(model).items()}
