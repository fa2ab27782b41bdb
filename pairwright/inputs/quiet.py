"""Keep `datasets` from drawing on the terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Open a block in which `datasets`, if it is loaded, draws no progress bars."""
    datasets = sys.modules.get("datasets")
    if datasets is None or datasets.are_progress_bars_disabled():
        yield
        return
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.enable_progress_bars()
