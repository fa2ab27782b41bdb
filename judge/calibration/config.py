"""Settings of `pairwright calibrate`."""

from typing import Literal

from pydantic import Field

from judge.jury.config import JuryConfig, names
from pairwright.config import ADDED, OPERATIONAL
from pairwright.inputs.columns import Columns
from pairwright.stages.budget import BudgetConfig
from pairwright.stages.config import StageConfig


class CalibrateConfig(JuryConfig, BudgetConfig, StageConfig):
    """Measure a judge on pairs with labels: `chosen` and `rejected`, or `response_a`, `response_b` and
    `preference` (1: a is better, 2: b is better, 0 or 1.5: a tie, which is left out).

    Example: pairwright calibrate labelled.jsonl --judge hf:smollm2 --out runs/calibration
    """

    columns: str | None = None
    """The two columns of answers, when they have other names; `preference` then says which is better."""
    attacks: int = Field(default=0, ge=0)
    """Attacks to try on each pair that the judge gets right: words to the judge in the worse answer."""
    perturb: str | None = Field(default=None, json_schema_extra=ADDED)
    """Changes that must not matter, tried on every pair: `all`, or some of `order`, `labels`,
    `instruction`, `format`, `verbosity` with commas between them."""
    suite: Literal["llmbar"] | None = Field(default=None, json_schema_extra=ADDED)
    """A standing test of judges, whose files are the input (a folder, `*`, or `A+B`): told by subset."""
    by: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Column whose values are measured apart too, such as the subsets of a standing test of judges."""

    @property
    def wanted_columns(self) -> Columns:
        """The columns to read."""
        return super().wanted_columns._replace(answers=tuple(names(self.columns)))
