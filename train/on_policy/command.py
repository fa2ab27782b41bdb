"""`pairwright loop`: on-policy rounds, and their table."""

from rich.console import Console

from train.on_policy import loop as rounds
from train.on_policy.config import LoopConfig
from train.on_policy.table import as_rich


def loop(config: LoopConfig) -> None:
    """Run on-policy rounds, and show their table."""
    if rows := rounds.loop(config):  # none after a preview
        Console().print(as_rich(rows))
