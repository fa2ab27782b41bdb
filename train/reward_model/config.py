"""Settings of `pairwright reward`. Free of torch, so that `--help` answers at once."""

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from pairwright.config import ADDED, GATE, OPERATIONAL, POSITIONAL, Config, split_commas
from pairwright.engines import EngineOptions
from pairwright.errors import UsageError
from pairwright.inputs.columns import Columns
from pairwright.plugins import Named
from pairwright.stages.budget import BudgetConfig
from pairwright.stages.config import StageConfig
from train.config import TrainingConfig, TrainingSettings

RewardLossName = Literal["ranking", "wgan"]


class RewardObjectiveConfig(Config):
    """What is minimised: rm_kl * ranking(human pairs) + apo_coeff / apo_samples * loss(golden pairs)."""

    group: ClassVar[str] = "Objective"

    loss: RewardLossName = "ranking"
    """Loss of golden pairs: `ranking` (Bradley–Terry), or `wgan`, their difference, unbounded."""
    rm_kl: float = Field(default=1.0, ge=0)
    """Weight of human pairs, which keep rewards a model of preference; 0 leaves them out (GAIL)."""
    apo_coeff: float = Field(default=0.1, ge=0)
    """Weight of golden pairs, shared by the `apo_samples` pairs that a golden answer is in."""
    center_rewards: float = Field(default=0.0, ge=0, json_schema_extra=ADDED)
    """Weight of a term that holds the rewards of a pair around 0; TRL suggests 0.01."""
    bins: int = Field(default=10, gt=1)
    """Bins of the calibration error over probabilities from 0 to 1."""
    by: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Column for each of whose values the accuracy on held-out human pairs is told too, and their mean."""


class RewardSettings(RewardObjectiveConfig, TrainingSettings):
    """How a reward model is trained: of `reward`, and wherever it is a step of something larger."""


class GoldenPairsConfig(Config):
    """Pairs of a golden answer over one that the model sampled."""

    group: ClassVar[str] = "Objective"

    golden_data: tuple[str, ...] = Field(default=(), json_schema_extra=OPERATIONAL)
    """Golden pairs, in the forms of `data`: a golden answer over one that the model sampled."""
    apo_samples: int = Field(default=4, gt=0)
    """Sampled answers behind each golden one."""


class RewardConfig(GoldenPairsConfig, RewardSettings, TrainingConfig):
    """Train a reward model on preference pairs, and on golden answers against sampled ones.

    Example: pairwright reward --model smollm2 --data runs/pairs --output_dir runs/reward
    """

    @field_validator("golden_data", mode="before")
    @classmethod
    def _split_golden(cls, value: Any) -> Any:
        return split_commas(value)

    @model_validator(mode="after")
    def _refuse_nothing_to_learn(self) -> "RewardConfig":
        if self.loss == "wgan" and not self.golden_data:
            raise UsageError("--loss wgan is a loss of golden pairs; name them with --golden_data")
        if not self.rm_kl and not (self.golden_data and self.apo_coeff):
            raise UsageError(
                "--rm_kl 0 leaves the human pairs out, and there are no golden pairs that count; "
                "name some with --golden_data, and give them an --apo_coeff"
            )
        return self


class RewardModelConfig(Config):
    """Which reward model is asked."""

    reward_model: Named = Field(json_schema_extra=POSITIONAL)
    """The reward model: a folder that `pairwright reward` wrote, or a model of the hub like it. Or whoever
    else gives answers scores: a function (`FILE.py:NAME`), a check (`check:math`), an engine that rates.
    Several reward models as `DIR+DIR`: their `reward_ensemble`, and how far they disagree in `score_sd`."""


class ScoreSettings(EngineOptions):
    """How answers are scored: of `score`, and wherever it is a step of something larger."""

    group: ClassVar[str] = "Scoring"

    max_length: int = Field(default=2048, gt=1)
    """Most tokens of prompt and answer together. Longer answers are left out, never cut."""
    best_of_n: bool = Field(default=False, json_schema_extra=GATE)
    """Keep the best answer to each prompt alone."""


class ScoreConfig(ScoreSettings, BudgetConfig, StageConfig, RewardModelConfig):
    """Score the answers to each prompt with a reward model.

    Example: pairwright score runs/reward runs/answers --out runs/scored
    """

    group: ClassVar[str] = "Scoring"

    columns: str | None = None
    """Columns that hold the answers to a prompt side by side, with commas."""

    @property
    def wanted_columns(self) -> Columns:
        """The columns to read."""
        names = tuple(name.strip() for name in (self.columns or "").split(",") if name.strip())
        return super().wanted_columns._replace(answers=names)
