"""Answers into revisions, through gates that drop by name, into pairs (CLAIR, arXiv 2408.06266)."""

from revise.command import gate, revise
from revise.config import GivenPairsConfig, ReviseConfig

__all__ = ["GivenPairsConfig", "ReviseConfig", "gate", "revise"]
