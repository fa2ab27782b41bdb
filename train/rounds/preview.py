"""Filler text in place of answers, so that a round can be shown or counted before it runs."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from pairwright.inputs.row import Row
from pairwright.records import stored
from pairwright.stages.preview import PREVIEW_ROWS, filler_text
from train.rounds.config import RoundsConfig
from train.rounds.prompts import write_prompts


class Filler:
    """Prompts, with filler answers, in a temporary folder; all of them when they are counted."""

    def __init__(self, config: RoundsConfig, folder: Path, max_tokens: int) -> None:
        self.folder = folder
        self.look = {"preview": config.preview, "dry_run": config.dry_run and not config.preview}
        """The settings that make a command show, or count, and do nothing else."""
        self._shown = PREVIEW_ROWS if config.preview else None
        self._words = filler_text(5 if config.preview else max_tokens)
        self._console = Console()

    def step(self, name: str) -> None:
        """Begin a step of the page."""
        self._console.rule(Text(name))

    def prompts(self, name: str, rows: Sequence[Row]) -> Path:
        """Return a file of the prompts: the first ones, or all where they are counted."""
        write_prompts(self.folder / name, self._some(rows))
        return self.folder / name

    def answers(
        self, name: str, rows: Sequence[Row], n: int, *, scored: bool = False, first: int = 1
    ) -> str:
        """Return a file of `n` answers to each of the prompts, numbered from `first`."""
        return self._written(name, self._answers(rows, range(first, first + n), scored=scored))

    def pairs(self, name: str, rows: Sequence[Row], n: int) -> str:
        """Return a file of `n` pairs to each of the prompts."""
        return self._written(name, self._pairs(rows, n))

    def _some(self, rows: Iterable[Row]) -> Iterator[Row]:
        return islice(rows, self._shown)

    def _text(self, number: int) -> str:
        return f"answer {number}: {self._words}"

    def _answers(
        self, rows: Iterable[Row], numbers: Iterable[int], *, scored: bool
    ) -> Iterator[dict[str, Any]]:
        for row in self._some(rows):
            prompt = stored(row.prompt)
            golden = {} if row.answer is None else {"golden": row.answer}
            for number in numbers:
                score = {"score": float(-number)} if scored else {}
                yield {"prompt": prompt, **row.carried, **golden, "completion": self._text(number), **score}

    def _pairs(self, rows: Iterable[Row], n: int) -> Iterator[dict[str, Any]]:
        for row in self._some(rows):
            prompt = stored(row.prompt)
            for number in range(1, n + 1):
                sides = {"chosen": self._text(2 * number), "rejected": self._text(2 * number - 1)}
                yield {"prompt": prompt, **sides}

    def _written(self, name: str, records: Iterable[dict[str, Any]]) -> str:
        path = self.folder / name
        path.write_text("".join(json.dumps(record, default=str) + "\n" for record in records))
        return str(path)
