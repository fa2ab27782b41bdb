"""`pairwright judge`: answers that are compared into preference pairs."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from judge.answers import AnswersStageConfig
from judge.calibration.calibration import require_calibrated
from judge.jury.config import JuryConfig
from judge.stage import JudgeStage
from judge.stronger import StrongerStage, is_engine
from pairwright.config import GATE, OPERATIONAL
from pairwright.errors import PairwrightError
from pairwright.folders.manifest import Manifest
from pairwright.inputs.columns import Columns
from pairwright.records import FAILED
from pairwright.stages.run import run_stage


class JudgeConfig(JuryConfig, AnswersStageConfig):
    """Compare the answers to each prompt and keep a better and a worse one as a preference pair.

    Example: pairwright judge runs/answers --judge hf:smollm2 --out runs/pairs
    """

    stronger: str | None = None
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


def judge(config: JudgeConfig) -> Manifest | None:
    """Compare the answers to every prompt of the input into a run folder of preference pairs.

    Returns the finished run's manifest; None after `preview` or `dry_run`. Raises `PairwrightError`
    when more than `max_failed` of the rows came to no verdict; all rows are written then.
    """
    if config.min_agreement is not None:
        require_calibrated(config, config, config.min_agreement, config.calibration)
    stage = JudgeStage(config) if config.stronger is None else StrongerStage(config)
    manifest = run_stage(stage, config, config.reader)
    if manifest is not None:
        require_verdicts(manifest, config.max_failed, config.out)
    return manifest


def require_verdicts(manifest: Manifest, max_failed: float, out: str) -> None:
    """Raise `PairwrightError` when too many rows came to no verdict."""
    without = sum(manifest.counts.get(status, 0) for status in (FAILED, "unparsed"))
    if without > max_failed * manifest.items:
        raise PairwrightError(
            f"{out}: {without:,} of {manifest.items:,} rows came to no verdict, more than --max_failed "
            f"{max_failed:g} allows; every row is written, with its reason, to {out}/dropped"
        )
