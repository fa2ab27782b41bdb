"""Prompts that ask for different things on one task, where a loop makes crossed pairs of them."""

from collections import Counter
from collections.abc import Sequence

from pairwright.errors import UsageError
from pairwright.inputs.row import Row
from revise.tasks import Tasks, task_of
from train.on_policy.config import LoopConfig


def require_tasks(config: LoopConfig, rows: Sequence[Row]) -> None:
    """Raise `UsageError` for prompts to train on of which no pair could be crossed."""
    column = config.revise.cross
    if not config.revises or column is None:
        return
    there = list(dict.fromkeys(name for row in rows for name in row.carried))
    if column not in there:
        names = ", ".join(f"`{name}`" for name in there) or "none beside prompts"
        raise UsageError(f"{config.prompts}: no column `{column}` (--revise.cross); there are: {names}")
    if not Tasks(column, rows):
        raise UsageError(
            f"{config.prompts}: of the prompts to train on no two have the same `{column}` (--revise.cross)"
        )


def of_one_task_first(config: LoopConfig, rows: Sequence[Row]) -> list[Row]:
    """Return the prompts with those of one task at the beginning, so that a few show what is crossed."""
    column = config.revise.cross
    if not config.revises or column is None:
        return list(rows)
    counts = Counter(task for row in rows if (task := task_of(row, column)) is not None)
    [(commonest, _)] = counts.most_common(1)
    return sorted(rows, key=lambda row: task_of(row, column) != commonest)
