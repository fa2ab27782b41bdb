"""One budget over all runs of rounds, counted from the completions in their journals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pairwright.errors import PairwrightError
from pairwright.folders.journal import JOURNAL, Journal
from pairwright.folders.manifest import load_manifest
from pairwright.records import FAILED
from pairwright.stages.budget import Budget, BudgetConfig, BudgetSpent
from train.rounds.config import RoundsConfig
from train.rounds.refusals import in_section

C = TypeVar("C", bound=BudgetConfig)


class RoundsBudget:
    """The budget left for each run in a folder of rounds."""

    def __init__(self, config: RoundsConfig, folder: Path) -> None:
        self._config = config.budget
        self._folder = folder
        self._used: dict[Path, Budget] = {}
        with in_section("budget", config):
            Budget(self._config)  # refuses what cannot be used as given

    def within(self, command: Callable[[C], Any], config: C, out: Path) -> None:
        """Run a command whose run folder is `out` with what the other runs have left.

        Raises `BudgetSpent` when that is nothing, or is not enough.
        """
        failures = {"max_consecutive_failures": self._config.max_consecutive_failures}
        if not Budget(self._config).is_set:
            command(config.model_copy(update=failures))
            return
        others = [used for path, used in self._counted().items() if out not in path.parents]
        tokens = _left(self._config.max_tokens_total, sum(b.tokens for b in others))
        cost = _left(self._config.max_cost, sum(b.cost for b in others))
        left = {"max_tokens_total": tokens, "max_cost": cost, "price_file": self._config.price_file}
        if any(value is not None and value <= 0 for value in (tokens, cost)):
            if not _is_complete(out):
                raise self._spent()
            left = {}
        try:
            command(config.model_copy(update=left | failures))
        except BudgetSpent:
            self._forget(out)
            raise self._spent() from None
        finally:
            self._forget(out)

    def _forget(self, out: Path) -> None:
        """Have what a run used counted again, since it has been at work."""
        self._used = {path: used for path, used in self._used.items() if out not in path.parents}

    def _counted(self) -> dict[Path, Budget]:
        """What each journal comes to; a journal is read once, and again when its run has been at work."""
        for path in self._folder.rglob(JOURNAL):
            if path not in self._used:
                self._used[path] = Budget(self._config)
                with Journal(path) as journal:
                    for completion in journal.completions():
                        self._used[path].add(completion)
        return self._used

    def _spent(self) -> BudgetSpent:
        used = self._counted().values()
        tokens, cost = sum(b.tokens for b in used), sum(b.cost for b in used)
        parts = []
        if self._config.max_tokens_total is not None:
            most = self._config.max_tokens_total
            parts.append(f"{tokens:,} tokens are used of --budget.max_tokens_total {most:,}")
        if self._config.max_cost is not None:
            parts.append(f"{cost:,.2f} is spent of --budget.max_cost {self._config.max_cost:,.2f}")
        return BudgetSpent(
            f"{self._folder}: stopped with all that is finished kept: {' and '.join(parts)}, over all "
            "rounds; run the same command with a larger one to go on"
        )


def _left(most: float | None, used: float) -> float | None:
    return None if most is None else most - used


def _is_complete(out: Path) -> bool:
    """Whether a run is over, so that it costs nothing to ask for it again."""
    try:
        found = load_manifest(out)
    except PairwrightError:
        return False
    return found.complete and not found.counts.get(FAILED)
