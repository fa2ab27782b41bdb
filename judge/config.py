"""Settings of `pairwright judge`. Free of Arrow, so that help pages answer at once."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveInt

from judge.jury.config import JuryConfig, names
from pairwright.config import GATE, OPERATIONAL, Config
from pairwright.engines import EngineOptions
from pairwright.engines.kinds import is_engine
from pairwright.engines.verifiers.config import VerifyConfig
from pairwright.inputs.columns import Columns
from pairwright.plugins import NamedEngine
from pairwright.stages.config import RayConfig, SharedStageConfig, TurnConfig

if TYPE_CHECKING:
    from pairwright.inputs.rows import Input


class AnswersConfig(Config):
    """Which answers are compared."""

    group: ClassVar[str] = "Answers"

    columns: str | None = None
    """Columns of the answers to compare, with commas between them."""
    policy: NamedEngine | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Engine that answers each prompt first, `n` times."""
    policies: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Engines that each answer every prompt first, `n` times, with commas between them."""
    n: PositiveInt | None = None
    """Answers from each engine; default 2 for `policy` and 1 for `policies`."""
    policy_max_tokens: PositiveInt = 512
    """Most tokens of such an answer; one that is cut off there is left out."""
    policy_temperature: float = Field(default=1.0, ge=0)
    """Softmax temperature of such answers."""


class JudgeSettings(VerifyConfig, JuryConfig, RayConfig, EngineOptions):
    """How answers become judged pairs: of `judge`, and wherever it is a step of something larger."""

    pairs: Literal["best_worst", "all"] = Field(default="best_worst", json_schema_extra=GATE)
    """`best_worst`: one pair a prompt. `all`: every two answers that the judges tell apart."""
    max_failed: float = Field(default=0.1, ge=0, le=1, json_schema_extra=OPERATIONAL)
    """Most rows without a verdict (failed or unparsed), as a share; with more the command fails."""
    min_agreement: float | None = Field(default=None, ge=0, le=1, json_schema_extra=OPERATIONAL)
    """Refuse judges that `calibrate` has not found to agree with people at least so often."""
    calibration: Path | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Folder that `pairwright calibrate` wrote for these judges; wanted by `min_agreement`."""


class JudgeConfig(JudgeSettings, AnswersConfig, TurnConfig, SharedStageConfig):
    """Compare the answers to each prompt and keep a better and a worse one as a preference pair.

    Example: pairwright judge runs/answers --judge hf:smollm2 --out runs/pairs
    """

    stronger: NamedEngine | None = None
    """Engine or column whose answer is chosen without asking a judge; rejected is the other answer."""

    @property
    def wanted_columns(self) -> Columns:
        """The columns to read; the stronger answers' column is one of them."""
        wanted = super().wanted_columns._replace(answers=tuple(names(self.columns)))
        if self.stronger is None or is_engine(self.stronger):
            return wanted
        others = wanted.answers or tuple(filter(None, [self.answer_column]))
        return wanted._replace(answer=None, answers=(*others, self.stronger))

    @property
    def reader(self) -> "type[Input]":
        """What a row of work is: a prompt to be answered, or one with all its answers."""
        from pairwright.inputs.candidates import JoinedLists
        from pairwright.inputs.rows import Input

        sampled = self.policy is not None or self.policies is not None
        return Input if sampled and not self.wanted_columns.answers else JoinedLists
