"""Settings of `pairwright winrate`. Free of Arrow, so that help pages answer at once."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, PositiveInt

from judge.jury.config import JuryConfig
from pairwright.config import OPERATIONAL, POSITIONAL, Config
from pairwright.engines import EngineOptions
from pairwright.stages.budget import BudgetConfig


class SidesConfig(Config):
    """What is compared."""

    group: ClassVar[str] = "Sides"

    a: str = Field(json_schema_extra=POSITIONAL)
    """An engine, a run folder or file of answers, FILE:COLUMN, or a column of `prompts`."""
    b: str = Field(json_schema_extra=POSITIONAL)
    """What it is compared with, in the same forms."""


class WinrateSettings(JuryConfig, EngineOptions):
    """How two models are compared: of `winrate`, and wherever it is a step of something larger."""

    bootstrap_samples: PositiveInt = Field(default=1000, json_schema_extra=OPERATIONAL)
    """Samples of the prompts behind the intervals."""
    seed: int = Field(default=42, ge=0, json_schema_extra=OPERATIONAL)
    """Decides these samples."""
    calibration: Path | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Folder that `pairwright calibrate` wrote for these judges: their errors are corrected for."""


class WinrateConfig(WinrateSettings, BudgetConfig, SidesConfig):
    """Compare two models, or two sets of answers, on the same prompts, in both orders.

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
