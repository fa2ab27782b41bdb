"""`pairwright revise`: answers into minimally contrastive pairs."""

from typing import TYPE_CHECKING

from pairwright.errors import UsageError
from revise.config import ReviseConfig

if TYPE_CHECKING:
    from pairwright.folders.manifest import Manifest


def revise(config: ReviseConfig) -> "Manifest | None":
    """Revise every answer of the input into a run folder of preference pairs.

    Returns the finished run's manifest; None after `preview` or `dry_run`.
    """
    from pairwright.stages.run import run_stage
    from revise.stage import ReviseStage

    if config.min_length_ratio > config.max_length_ratio:
        raise UsageError(
            f"--min_length_ratio {config.min_length_ratio:g} is more than "
            f"--max_length_ratio {config.max_length_ratio:g}: no revision could pass"
        )
    return run_stage(ReviseStage(config), config, run=config, workers=config, budget=config)
