"""Metrics for people: a file, the console, and trackers through `accelerate`."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairwright.errors import PairwrightError, UsageError
from train.devices.processes import say
from train.output.metrics import MetricLog

if TYPE_CHECKING:
    from accelerate import Accelerator

_CONSOLE = {
    "loss": "loss {:.4f}",
    "rewards/accuracies": "accuracy {:.2f}",
    "rewards/margins": "margin {:+.4f}",
    "logratios/chosen": "chosen {:+.3f}",
    "logratios/rejected": "rejected {:+.3f} nats",
    "sft_loss": "sft {:.3f}",
    "grad_norm": "grad {:.3g}",
    "learning_rate": "lr {:.2e}",
}


def check_trackers(names: Sequence[str]) -> None:
    """Raise `UsageError` for a tracker that is unknown or not installed."""
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

    available = {str(name) for name in get_available_trackers()}
    for name in names:
        if name not in LOGGER_TYPE_TO_CLASS:
            known = ", ".join(sorted(LOGGER_TYPE_TO_CLASS))
            raise UsageError(f"report_to: there is no tracker {name!r}; known are {known}")
        if name not in available:
            raise UsageError(f"report_to: {name} is not installed: pip install {name}")


class Reporter:
    """Writes each record of metrics everywhere, from one process."""

    def __init__(self, accelerator: "Accelerator", log: MetricLog, num_updates: int) -> None:
        self._accelerator = accelerator
        self._log = log
        self._num_updates = num_updates
        self._last = time.monotonic()

    def start(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Open the trackers and log the settings of the run."""
        plain = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in settings.items()
        }
        self._accelerator.init_trackers(
            "pairwright",
            config=plain,
            init_kwargs={"wandb": {"name": folder.name, "dir": str(folder)}},
        )

    def report(self, update: int, epoch: float, metrics: Mapping[str, float]) -> None:
        """Write one record: to `metrics.jsonl`, to the trackers, and a line for people.

        Raises `PairwrightError` if a metric is not finite, as after a step that went too far.
        """
        if bad := [name for name, value in metrics.items() if not math.isfinite(value)]:
            raise PairwrightError(
                f"after update {update} {bad[0]} is {metrics[bad[0]]}: training diverged; train "
                "again with a lower learning_rate"
            )
        if not self._accelerator.is_main_process:
            return
        self._log.append({"step": update, "epoch": epoch, **metrics})
        self._accelerator.log({**metrics, "epoch": epoch}, step=update)
        now, then = time.monotonic(), self._last
        self._last = now
        say(self._line(update, metrics) + f" · {now - then:.1f} s")

    def _line(self, update: int, metrics: Mapping[str, float]) -> str:
        held_out = any(name.startswith("eval_") for name in metrics)
        values = {name.removeprefix("eval_"): value for name, value in metrics.items()}
        parts = (text.format(values[name]) for name, text in _CONSOLE.items() if name in values)
        where = f"{'held out' if held_out else 'update'} {update}/{self._num_updates}"
        return " · ".join((where, *parts))
