"""`pairwright judge`: answers that are compared into preference pairs."""

from judge.calibration.calibration import require_calibrated
from judge.config import JudgeConfig, JudgeSettings
from judge.stage import JudgeStage
from judge.stronger import StrongerStage
from pairwright.errors import PairwrightError
from pairwright.folders.manifest import Manifest
from pairwright.records import FAILED, UNPARSED
from pairwright.stages.run import run_stage


def judge(config: JudgeConfig) -> Manifest | None:
    """Compare the answers to every prompt and write a run folder of preference pairs.

    Returns the finished run's manifest; None after `preview` or `dry_run`. Raises `PairwrightError`
    when more than `max_failed` of the rows came to no verdict; all rows are written then.
    """
    require_calibrated_judges(config)
    stage = JudgeStage(config) if config.stronger is None else StrongerStage(config)
    manifest = run_stage(stage, config, config.reader, run=config, workers=config, budget=config)
    if manifest is not None:
        require_verdicts(manifest, config.max_failed, config.out)
    return manifest


def require_calibrated_judges(config: JudgeSettings) -> None:
    """Raise `UsageError` where `min_agreement` is given, and no calibration shows that they reach it."""
    if config.min_agreement is not None:
        require_calibrated(config, config, config.min_agreement, config.calibration)


def require_verdicts(manifest: Manifest, max_failed: float, out: str) -> None:
    """Raise `PairwrightError` when too many rows came to no verdict."""
    without = sum(manifest.counts.get(status, 0) for status in (FAILED, UNPARSED))
    if without > max_failed * manifest.items:
        raise PairwrightError(
            f"{out}: {without:,} of {manifest.items:,} rows came to no verdict, more than --max_failed "
            f"{max_failed:g} allows; every row is written, with its reason, to {out}/dropped"
        )
