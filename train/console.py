"""What a training run tells people."""

import os
import sys


def say(text: str) -> None:
    """Print a line on standard error, once however many processes train together."""
    if os.environ.get("RANK", "0") == "0":
        print(text, file=sys.stderr, flush=True)
