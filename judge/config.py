"""Settings of `pairwright judge`."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from judge.answers import AnswersStageConfig
from judge.jury.config import JuryConfig
from pairwright.config import GATE, OPERATIONAL
from pairwright.engines.kinds import is_engine
from pairwright.inputs.columns import Columns
from pairwright.plugins import NamedEngine
from pairwright.verifiers.config import VerifyConfig


class JudgeConfig(VerifyConfig, JuryConfig, AnswersStageConfig):
    """Compare the answers to each prompt and keep a better and a worse one as a preference pair.

    Example: pairwright judge runs/answers --judge hf:smollm2 --out runs/pairs
    """

    stronger: NamedEngine | None = None
    """Engine or column whose answer is chosen without asking a judge; rejected is the other answer."""
    pairs: Literal["best_worst", "all"] = Field(default="best_worst", json_schema_extra=GATE)
    """`best_worst`: one pair a prompt. `all`: every two answers that the judges tell apart."""
    max_failed: float = Field(default=0.1, ge=0, le=1, json_schema_extra=OPERATIONAL)
    """Most rows without a verdict (failed or unparsed), as a share; with more the command fails."""
    min_agreement: float | None = Field(default=None, ge=0, le=1, json_schema_extra=OPERATIONAL)
    """Refuse judges that `calibrate` has not found to agree with people at least so often."""
    calibration: Path | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Folder that `pairwright calibrate` wrote for these judges; wanted by `min_agreement`."""

    @property
    def wanted_columns(self) -> Columns:
        """The columns to read; the stronger answers' column is one of them."""
        wanted = super().wanted_columns
        if self.stronger is None or is_engine(self.stronger):
            return wanted
        others = wanted.answers or tuple(filter(None, [self.answer_column]))
        return wanted._replace(answer=None, answers=(*others, self.stronger))
