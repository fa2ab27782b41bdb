"""Answers into revisions into pairs (D'Oosterlinck et al. 2024, CLAIR, arXiv 2408.06266)."""

from revise.command import gate, revise
from revise.config import GivenPairsConfig, ReviseConfig

__all__ = ["GivenPairsConfig", "ReviseConfig", "gate", "revise"]
