"""Answers into revisions into pairs (D'Oosterlinck et al. 2024, CLAIR, arXiv 2408.06266)."""

from revise.command import revise
from revise.config import ReviseConfig

__all__ = ["ReviseConfig", "revise"]
