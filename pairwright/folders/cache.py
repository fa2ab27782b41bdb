"""The user's cache: files that can be made again, and are kept because that takes long."""

import os
from pathlib import Path

from platformdirs import user_cache_path

_BEFORE = Path("~/.cache/pairwright")
"""Where earlier versions kept it on every system."""


def cache_folder() -> Path:
    """Return `$PAIRWRIGHT_CACHE`, or the system's folder for caches; it need not exist.

    A cache that an earlier version made elsewhere is used on.
    """
    if named := os.environ.get("PAIRWRIGHT_CACHE"):
        return Path(named).expanduser()
    usual, before = user_cache_path("pairwright", appauthor=False), _BEFORE.expanduser()
    return before if before.is_dir() and not usual.exists() else usual
