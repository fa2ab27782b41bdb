"""An optimizer carried from one training to the next: its moments and its step count.

A training with `save_optimizer` leaves the folder `optimizer` beside its model, sealed as checkpoints
are; one with `optimizer_from` begins where that ends. With `schedule_part` both follow one course of the
learning rate, so trainings one after the other do what a single one on all their pairs does.
"""

import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from pairwright.errors import UsageError
from pairwright.folders.durable import require_space, sha256_file
from train.config import TrainingConfig
from train.models.language import trained
from train.output.checkpoint import MANIFEST, verify, write_checkpoint
from train.output.record import record_of
from train.output.state import OPTIMIZER, TrainState, WholeState, restore_optimizer

CARRIED = "optimizer"


def save_optimizer(state: WholeState, output: Path) -> None:
    """Leave the state of the optimizer in an output folder. Raises as `write_checkpoint`."""
    require_space(output, sum(t.numel() * t.element_size() for t in state.optimizer.values()))
    shutil.rmtree(output / CARRIED, ignore_errors=True)
    write_checkpoint(output / CARRIED, lambda folder: save_file(state.optimizer, folder / OPTIMIZER))


def optimizer_identity(config: TrainingConfig) -> dict[str, str]:
    """Return the hash, by name, of the optimizer that a training continues with; empty without one.

    Raises `UsageError` where there is none, or it is of another kind, and `DamagedCheckpoint` where it
    is not as it was written.
    """
    if config.optimizer_from is None:
        return {}
    place = Path(config.optimizer_from) / CARRIED
    record = record_of(place.parent)
    if record is None or record.status != "finished" or not (place / MANIFEST).is_file():
        raise UsageError(
            f"--optimizer_from {place.parent}: holds no optimizer of a finished training; train it with "
            "--save_optimizer"
        )
    kind = record.config.get("optim", config.optim)
    if kind != config.optim:
        raise UsageError(f"--optimizer_from {place.parent}: is of {kind}, and --optim is {config.optim}")
    verify(place)
    return {"optimizer": sha256_file(place / OPTIMIZER)}


def take_up_optimizer(state: TrainState, config: TrainingConfig) -> None:
    """Give a fresh optimizer the state of the one that it goes on from, if any.

    Raises `UsageError` where that is the optimizer of other weights.
    """
    if config.optimizer_from is None:
        return
    tensors = load_file(Path(config.optimizer_from) / CARRIED / OPTIMIZER)
    moments = [(*key.partition(":")[::2], tensor.shape) for key, tensor in tensors.items()]
    own = {name: weight.shape for name, weight in trained(state.model).items()}
    others = own.keys() ^ {name for _, name, _ in moments}
    cut = [n for kind, n, shape in moments if kind.startswith("exp_avg") and own.get(n, shape) != shape]
    if wrong := [*sorted(others), *cut]:
        raise UsageError(
            f"--optimizer_from {config.optimizer_from}: is the optimizer of other weights than are "
            f"trained now, such as {wrong[0]}; go on with the model or the adapter that it "
            "trained"
        )
    restore_optimizer(state, tensors)
