"""Texts that change by decision only: `PAIRWRIGHT_GOLDEN=write pytest` writes them anew."""

import os

from places import GOLDEN


def check_golden(name: str, text: str) -> None:
    """Compare with the file of that name in `tests/golden`, or write it when told to."""
    path = GOLDEN / name
    if os.environ.get("PAIRWRIGHT_GOLDEN") == "write":
        path.write_text(text)
    assert path.exists(), f"{path} is not there; PAIRWRIGHT_GOLDEN=write pytest makes it"
    assert text == path.read_text(), f"{path} differs; if that is meant: PAIRWRIGHT_GOLDEN=write pytest"
