"""`pairwright game`: reward model against language model, and the table of its rounds."""

from rich.console import Console

from train.adversarial import game as rounds
from train.adversarial.config import GameConfig
from train.adversarial.table import as_rich


def game(config: GameConfig) -> None:
    """Play rounds of reward model against language model, and show their table."""
    if rows := rounds.game(config):  # none after a preview
        Console().print(as_rich(rows))
