"""`pairwright revise` and `pairwright gate`: minimally contrastive pairs, made here or by others."""

from functools import partial
from typing import TYPE_CHECKING

from revise.config import GivenPairsConfig, ReviseConfig

if TYPE_CHECKING:
    from pairwright.folders.manifest import Manifest


def revise(config: ReviseConfig) -> "Manifest | None":
    """Revise every answer of the input into a run folder of preference pairs.

    Returns the finished run's manifest; None after `preview` or `dry_run`.
    """
    from pairwright.inputs.rows import Input
    from pairwright.stages.run import run_stage
    from revise.stage import NO_ANSWER, ReviseStage

    config.check_lengths()
    read = partial(Input, wanting=NO_ANSWER if config.policy is None else None)
    return run_stage(ReviseStage(config), config, read, run=config, workers=config, budget=config)


def gate(config: GivenPairsConfig) -> "Manifest | None":
    """Measure given pairs, and keep those that pass the gates, in a run folder.

    Returns the finished run's manifest; None after `preview` or `dry_run`.
    """
    from pairwright.stages.run import run_stage
    from revise.given import GivenPairs
    from revise.given_stage import GateStage

    config.check_lengths()
    return run_stage(GateStage(config), config, GivenPairs, run=config, workers=config, budget=config)
