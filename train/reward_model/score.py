"""`pairwright score`: scores of answers by a reward model, or by whoever else gives some."""

from pairwright.folders.manifest import Manifest
from pairwright.inputs.candidates import Candidates
from pairwright.models.remote_code import trusting
from pairwright.stages.run import run_stage
from train.reward_model.config import ScoreConfig
from train.reward_model.verified import VerifierScoreStage, by_verifier


def score(config: ScoreConfig) -> Manifest | None:
    """Score the answers to every prompt of the input into a run folder, a row for each answer.

    Returns the finished run's manifest; None after `preview` or `dry_run`. Raises `UsageError` for
    a model that is no reward model, and `PairwrightError` for scores that are not finite.
    """
    with trusting(config.trust_remote_code):
        if by_verifier(config):
            return run_stage(VerifierScoreStage(config), config, Candidates, run=config, budget=config)
        from train.reward_model.scoring import score_by_models  # imports torch, which functions do not need

        return score_by_models(config)
