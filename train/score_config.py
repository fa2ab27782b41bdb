"""Settings of `pairwright score`. Free of torch, so that `--help` answers at once."""

from typing import ClassVar

from pydantic import Field

from pairwright.config import GATE, POSITIONAL, Config
from pairwright.inputs.columns import Columns
from pairwright.stages.stage import StageConfig


class RewardModelConfig(Config):
    """Which reward model is asked."""

    reward_model: str = Field(json_schema_extra=POSITIONAL)
    """The reward model: a folder that `pairwright reward` wrote, or a model of the hub like it."""


class ScoringConfig(Config):
    """How answers are scored."""

    group: ClassVar[str] = "Scoring"

    columns: str | None = None
    """Columns that hold the answers to a prompt side by side, with commas."""
    max_length: int = Field(default=2048, gt=1)
    """Most tokens of prompt and answer together. Longer answers are left out, never cut."""
    best_of_n: bool = Field(default=False, json_schema_extra=GATE)
    """Keep the best answer to each prompt alone."""


class ScoreConfig(ScoringConfig, StageConfig, RewardModelConfig):
    """Score the answers to each prompt with a reward model.

    Example: pairwright score runs/reward runs/answers --out runs/scored
    """

    @property
    def wanted_columns(self) -> Columns:
        """The columns to read."""
        names = tuple(name.strip() for name in (self.columns or "").split(",") if name.strip())
        return Columns(self.prompt_column, self.answer_column, names)
