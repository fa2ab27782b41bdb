"""`pairwright loop`: on-policy rounds, and the table that comes of them."""

from rich.console import Console

from train.on_policy import loop as rounds
from train.on_policy.config import LoopConfig
from train.on_policy.table import as_rich


def loop(config: LoopConfig) -> None:
    """Go through on-policy rounds; show the table that came of it."""
    if rows := rounds.loop(config):  # none after a preview
        Console().print(as_rich(rows))
