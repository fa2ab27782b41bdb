"""Settings of a gate that verifiers keep."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from pairwright.config import ADDED, GATE, OPERATIONAL, Config
from pairwright.errors import UsageError
from pairwright.plugins import Named


class VerifyConfig(Config):
    """Which verifiers decide, and how much better than the rejected answer the chosen one must be."""

    group: ClassVar[str] = "Verification"

    verify: Named | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Keep a pair only where these find its chosen answer better: functions (`FILE.py:NAME`), checks
    (`check:math`), `reward:MODEL` or engines that judge; several with commas between them."""
    min_gain: float = Field(default=0.0, ge=0, allow_inf_nan=False, json_schema_extra=GATE | ADDED)
    """Least that the chosen answer scores above the rejected one; at 0 anything above."""
    min_score: float | None = Field(default=None, allow_inf_nan=False, json_schema_extra=GATE | ADDED)
    """Least score of a chosen answer. An answer that has it needs no revision; where it is not given, one
    that scores 1 with functions and checks needs none."""

    @model_validator(mode="after")
    def _refuse_limits_on_no_scores(self) -> Self:
        if self.verify is None:
            for name in ("min_gain", "min_score"):
                value = getattr(self, name)
                if value != VerifyConfig.model_fields[name].default:
                    raise UsageError(
                        f"--{name} {value:g}: nothing is scored; name who scores with --verify"
                    )
        return self
