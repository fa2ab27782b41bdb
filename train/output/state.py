"""The state of a training run between two updates, to and from a checkpoint folder.

The model's folder as `transformers` reads it, and beside it what only resuming needs. Nothing is
pickled. The order of pairs and the learning rate are functions of the update and need no state.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pairwright.errors import PairwrightError
from train.devices.sharded import assembled, blank, cut_like, whole_on_first
from train.models.language import load_weights, not_finite, save_model, trained
from train.output.metrics import MetricSums

STATE = "training.json"
OPTIMIZER = "optimizer.safetensors"
EXTRAS = "training.safetensors"

_SHARED = 256
"""Most numbers of the tables that 8-bit optimizers share among weights."""


class TrainState(NamedTuple):
    """The parts of a training that change and are saved."""

    model: Any
    """Not wrapped for mixed precision or several processes."""
    outlined: Any
    """The model without its weights where processes hold a part of them each, else None."""
    tokenizer: Any
    optimizer: torch.optim.Optimizer
    window: MetricSums
    """Metrics since they were last logged."""

    def whole(self, accelerator: Accelerator) -> "WholeState":
        """Bring the state of all processes together; all take part."""
        keep = accelerator.is_main_process
        optimizer = {
            f"{key}:{name}": whole_on_first(_alone(value), keep=keep)
            for name, parameter in trained(self.model).items()
            for key, value in self.optimizer.state[parameter].items()
        }
        window = self.window.over_all(accelerator)
        return WholeState(whole_model(self, accelerator), self.tokenizer, optimizer, window)


class WholeState(NamedTuple):
    """The state of all processes together; where weights are in parts, only the first one has it."""

    model: Any
    tokenizer: Any
    optimizer: dict[str, Tensor]
    """AdamW's moments and step counts, named `moment:parameter`."""
    window: MetricSums


def whole_model(state: TrainState, accelerator: Accelerator) -> Any:
    """Return the model itself, or made whole for the first process; all processes take part."""
    if state.outlined is None:
        return state.model
    return assembled(state.outlined, state.model, keep=accelerator.is_main_process)


def save_training(state: WholeState, folder: Path, *, update: int, identity: dict[str, Any]) -> None:
    """Fill a folder with the state after an update.

    Raises `PairwrightError`, naming a tensor, rather than save an infinity or NaN.
    """
    if bad := not_finite({**trained(state.model), **state.optimizer}):
        raise PairwrightError(
            f"after update {update} {bad[0]} is not finite; nothing was saved: the checkpoint before "
            "is sound, resume with a lower learning_rate in another output_dir"
        )
    save_model(state.model, state.tokenizer, folder)
    save_file(state.optimizer, folder / OPTIMIZER)
    save_file(_extras(state.window), folder / EXTRAS)
    text = json.dumps({"update": update, "identity": identity}, indent=1, ensure_ascii=False)
    (folder / STATE).write_text(text)


def load_training(state: TrainState, folder: Path, *, first: bool) -> int:
    """Restore the state from a verified folder; returns the update it was saved after.

    Only the `first` of several processes gets the unfinished window of metrics, which is of all.
    """
    _restore_model(state, folder)
    restore_optimizer(state, load_file(folder / OPTIMIZER))
    extras = load_file(folder / EXTRAS)
    if first:
        state.window.sums_K.copy_(extras["window.sums"])
        state.window.pairs.copy_(extras["window.pairs"])
    torch.set_rng_state(extras["rng.cpu"])
    if torch.cuda.is_available() and "rng.cuda" in extras:
        torch.cuda.set_rng_state(extras["rng.cuda"])
    update: int = read_state(folder)["update"]
    return update


def read_state(folder: Path) -> dict[str, Any]:
    """Return a checkpoint's update, and the identity of its run."""
    values: dict[str, Any] = json.loads((folder / STATE).read_text())
    return values


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return trained parameters for AdamW: matrices decay, vectors (norms, biases) do not."""
    parameters = list(trained(model).values())
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


@torch.no_grad()
def _restore_model(state: TrainState, folder: Path) -> None:
    """Give the model its trained weights back, or this process's part of them."""
    if state.outlined is None:
        load_weights(state.model, folder)
        return
    read = blank(state.outlined)
    load_weights(read, folder)
    found = trained(read)
    for name, parameter in trained(state.model).items():
        parameter.copy_(cut_like(found[name], parameter))


def restore_optimizer(state: TrainState, tensors: dict[str, Tensor]) -> None:
    """Give every parameter its tensors back; `load_state_dict` puts them where the kernel wants."""
    parameters = trained(state.model)
    names = {id(parameter): name for name, parameter in parameters.items()}
    ordered = [names[id(p)] for group in state.optimizer.param_groups for p in group["params"]]
    by_name: dict[str, dict[str, Tensor | int]] = {name: {} for name in ordered}
    for key, tensor in tensors.items():
        moment, _, name = key.partition(":")
        # A step count has no dimensions and is nowhere in parts; some optimizers count in plain numbers.
        plain = not tensor.dim() and not tensor.is_floating_point()
        found = cut_like(tensor, parameters[name]) if tensor.dim() else tensor
        by_name[name][moment] = int(tensor) if plain else found
    groups = state.optimizer.state_dict()["param_groups"]
    numbered = {number: by_name[name] for number, name in enumerate(ordered)}
    state.optimizer.load_state_dict({"state": numbered, "param_groups": groups})


def _alone(value: Tensor | int) -> Tensor:
    """What an optimizer keeps of a weight, as a tensor that shares its memory with no other weight's."""
    found = torch.as_tensor(value)
    return found.clone() if found.numel() <= _SHARED else found


def _extras(window: MetricSums) -> dict[str, Tensor]:
    # Training draws no random numbers; the generators are kept for what may be built on it.
    extras = {
        "rng.cpu": torch.get_rng_state(),
        "window.sums": window.sums_K,
        "window.pairs": window.pairs,
    }
    return extras | ({"rng.cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})
