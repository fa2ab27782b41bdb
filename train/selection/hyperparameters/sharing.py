"""The pairs of a sweep: read, encoded and split once for all points with the same data settings.

Such points also have the same batches in the same order, where `seed` and `pairs_per_update` are the same:
an update is decided by those and by the pairs.
"""

from typing import TYPE_CHECKING, Any

from pairwright.models.remote_code import trusting
from train.config import AdapterConfig, UpdateConfig
from train.data.split import Split
from train.preference.config import ObjectiveConfig, TrainConfig
from train.preference.ranked import RankedTask
from train.training import task_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from train.trainer.task import Task

_TRAINED_BY = (UpdateConfig, AdapterConfig, ObjectiveConfig)
_NOT_READ_BY = {"output_dir", *(name for part in _TRAINED_BY for name in part.model_fields)} - {
    "token_weight"
}
"""Settings that pairs are the same under, whatever they are."""


class SharedPairs:
    """The pairs read last, and the settings they were read with."""

    def __init__(self) -> None:
        self._key: tuple[Any, ...] = ()
        self._split: Split[Any] | None = None

    def task(self, config: TrainConfig) -> "Task | None":
        """Return the task of a point, which reads only pairs that no earlier point has read.

        None if the settings do not name the task yet, since the loss is still to be chosen.
        """
        if config.loss == "auto":
            return None
        with trusting(config.trust_remote_code):
            task = task_of(config)
        ranked = config.loss if isinstance(task, RankedTask) else ""  # some take the best answer alone
        key = (type(task), ranked, config.model_dump_json(exclude=_NOT_READ_BY))
        read = task.read

        def once(tokenizer: "PreTrainedTokenizerBase") -> Split[Any]:
            if self._split is None or self._key != key:
                self._key, self._split = key, read(tokenizer)
            return self._split

        task.read = once  # type: ignore[method-assign]
        return task
