"""Settings of `pairwright winrate`. Free of Arrow, so that help pages answer at once."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from judge.jury.config import JuryConfig
from pairwright.config import ADDED, OPERATIONAL, POSITIONAL, Config
from pairwright.engines import EngineOptions
from pairwright.stages.budget import BudgetConfig


class SidesConfig(Config):
    """What is compared."""

    group: ClassVar[str] = "Sides"

    a: str = Field(json_schema_extra=POSITIONAL)
    """An engine, a run folder or file of answers, FILE:COLUMN, or a column of `prompts`."""
    b: str = Field(json_schema_extra=POSITIONAL)
    """What it is compared with, in the same forms."""
    others: tuple[str, ...] = Field(default=(), json_schema_extra=POSITIONAL | ADDED)
    """Further models, in the same forms: then all of them meet in a tournament."""


class TournamentConfig(Config):
    """How a tournament goes."""

    group: ClassVar[str] = "Tournament"

    design: Literal["all", "sparse"] | None = Field(default=None, json_schema_extra=ADDED)
    """`all`: every two models meet, on every prompt or until they are told apart. `sparse`: but those whose
    order follows from others, and those whom the prompts left cannot tell apart. Default: `sparse` with
    `until`, else `all`."""
    until: float | None = Field(default=None, gt=0, lt=1, json_schema_extra=ADDED)
    """Stop as soon as all are told apart, with at most this probability that any of it is wrong, such as
    0.02; two that are told apart are not asked about again."""
    prompts_per_round: PositiveInt = Field(default=25, json_schema_extra=OPERATIONAL)
    """Prompts between two looks at who is told apart. A run that was begun keeps its number."""


class WinrateSettings(JuryConfig, EngineOptions):
    """How two models are compared: of `winrate`, and wherever it is a step of something larger."""

    bootstrap_samples: PositiveInt = Field(default=1000, json_schema_extra=OPERATIONAL)
    """Samples of the prompts behind the intervals."""
    seed: int = Field(default=42, ge=0, json_schema_extra=OPERATIONAL)
    """Decides these samples."""
    calibration: Path | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Folder that `pairwright calibrate` wrote for these judges: their errors are corrected for."""


class WinrateConfig(WinrateSettings, TournamentConfig, BudgetConfig, SidesConfig):
    """Compare two or more models, or sets of answers, on the same prompts, in both orders.

    Example: pairwright winrate runs/new runs/old --judge hf:smollm2 --out runs/winrate
    """

    prompts: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Prompts to compare on; those of a's answers, else of b's, by default."""
    out: str = Field(json_schema_extra=OPERATIONAL)
    """Run folder to write. If it holds an unfinished run of the same settings, that is resumed."""
    limit: PositiveInt | None = None
    """Compare on the first N prompts only."""
    prompt_column: str | None = None
    """Column of prompts, when it is not `prompt`, `instruction`, `question` or `messages`."""
    max_tokens: PositiveInt = 512
    """Most tokens of an answer that an engine gives; one that is cut off counts as it stands."""
    temperature: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Softmax temperature of such answers; 0 is greedy."""
    preview: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Show the messages that the first rows would send; ask nothing, write nothing."""
    dry_run: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Count requests and tokens and estimate the time; ask nothing, write nothing."""
    fresh: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Start the folder over. Finished completions in its journal are used again."""

    @property
    def in_rounds(self) -> bool:
        """Whether later questions depend on the results of earlier prompts."""
        return self.until is not None or self.design == "sparse"

    @property
    def is_tournament(self) -> bool:
        """Whether it is more than one comparison of two on all prompts."""
        return bool(self.others) or self.in_rounds
