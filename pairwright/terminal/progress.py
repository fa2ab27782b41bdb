"""Progress of long work: a live bar on a terminal, a plain line now and then elsewhere."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pairwright.terminal.text import is_spoken_to_log, say

PLAIN_SECONDS = 10.0
"""How often a plain line is printed where there is no terminal."""
WAITING_SECONDS = 600.0
"""How often one that says the same, while others work."""


class Meter(Protocol):
    """The function that is told the progress."""

    def __call__(self, done: int, kept: int, tokens: int, waits: str = "") -> None:
        """`done` rows finished, `kept` of them kept, `tokens` generated in this process.

        `waits` says what is waited for, if it is somebody else's work.
        """
        ...


@contextmanager
def progress(title: str, total: int, already: int = 0) -> Iterator[Meter]:
    """Show the progress of `total` rows, `already` of which were done by an earlier run."""
    console = Console(stderr=True)
    started = time.monotonic()

    def rates(done: int, kept: int, tokens: int) -> str:
        seconds = max(time.monotonic() - started, 1e-9)
        share = f"{kept / done:.0%}" if done else "–"
        return f"{(done - already) / seconds:,.1f} rows/s · {tokens / seconds:,.0f} tok/s · kept {share}"

    alone = threading.current_thread() is threading.main_thread()  # else others write there too
    if (
        alone and console.is_terminal and not is_spoken_to_log() and not os.environ.get("CI")
    ):  # some runners of CI pretend to be terminals
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} · {task.fields[rates]} · ETA"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        ) as bar:
            task = bar.add_task(title, total=total, completed=already, rates="")
            yield lambda done, kept, tokens, waits="": bar.update(
                task, completed=done, rates=waits or rates(done, kept, tokens)
            )
        return

    last, told = started, ""

    def line(done: int, kept: int, tokens: int, waits: str = "") -> None:
        nonlocal last, told
        now = time.monotonic()
        if now - last < (WAITING_SECONDS if waits and waits == told else PLAIN_SECONDS):
            return
        last, told = now, waits
        speed = (done - already) / (now - started)
        left = f"{(total - done) / speed:,.0f} s left" if speed > 0 else "time left unknown"
        say(f"{title}: {done:,}/{total:,} · {waits or f'{rates(done, kept, tokens)} · {left}'}")

    yield line
