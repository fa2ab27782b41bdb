"""Crossed pairs: chosen is an answer revised for its prompt, rejected the same answer revised for another.

Both sides have a form that was asked for, here or there, so neither is better but by the prompt: that is
what there is to learn. Where the rejected answer has no form, a pair teaches the form, asked for or not.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from pairwright.errors import UsageError
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.pairs.minimality import measure
from pairwright.records import FAILED, KEPT, Ending, Outcome, stored
from pairwright.stages.asking import Asking
from pairwright.stages.stage import Work
from revise.config import ReviseConfig
from revise.mirror import Mirror
from revise.tasks import Tasks
from revise.verification import Verification

UNCROSSED = "uncrossed"
MOST = 8
"""Other prompts that are tried for an answer."""
_MIRRORED = 3
"""Of so many crossed pairs one brings its mirrors."""


class Crossing:
    """Puts a revision for another prompt on the same task in the place of the rejected answer."""

    def __init__(
        self, config: ReviseConfig, verification: Verification | None, mirrors: Sequence[Mirror]
    ) -> None:
        """Raise `UsageError` for settings that leave nothing to cross."""
        assert config.cross is not None
        if verification is None:
            raise UsageError(
                "--cross: a verifier tells that a revision for another prompt is a worse answer to this; "
                "name it with --verify"
            )
        for given, other in (
            (config.direction == "worsen", "--direction worsen"),
            (config.pairs == "chain", "--pairs chain"),
            (config.reverse_constraints, "--reverse_constraints"),
        ):
            if given:
                raise UsageError(f"--cross makes one pair of two revisions; give it without {other}")
        self._column = config.cross
        self._verification = verification
        self._mirrors = mirrors
        self._tasks: Tasks | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Another process reads the rows itself."""
        return self.__dict__ | {"_tasks": None}

    def check(self, rows: Input) -> None:
        """Read the tasks. Raises `UsageError` without the column, or where no task has two prompts."""
        rows.require_column(self._column, "--cross goes by it")
        self._tasks = Tasks(self._column, (row for row in rows if row.problem is None))
        if not self._tasks:
            raise UsageError(
                f"{rows.info.path}: no two prompts have the same `{self._column}` (--cross), so no answer "
                "could be revised for another one"
            )

    def alone(self, row: Row) -> Ending | None:
        """Return how a row ends whose task has no other prompt, before anything is asked for it."""
        if next(self._others(row), None) is not None:
            return None
        return Ending(UNCROSSED, f"no other prompt has its `{self._column}`")

    def first(self, row: Row) -> Row:
        """Return the row whose prompt is the first to be tried, for one that is not alone."""
        return next(self._others(row))

    def pair(self, row: Row, kept: Outcome, revised: Callable[[Row, str], Work]) -> Asking[Outcome]:
        """Find the crossed pair of a kept revision, or why there is none.

        `revised` is the work on an answer under a row's prompt.
        """
        answer, revision = (kept.columns[side][0]["content"] for side in ("rejected", "chosen"))
        attempts, reasons, failures = kept.columns["attempts"], list[str](), list[str]()
        for other in self._others(row):
            found = yield from revised(other, answer)
            attempts += found.columns.get("attempts", 0)
            if found.status == FAILED:
                failures.append(found.reason)
            if found.status != KEPT:
                reasons.append(f"{found.status}: {found.reason}")
                continue
            theirs = found.columns["chosen"][0]["content"]
            ending, scores = yield from self._verification.revision(
                row, theirs, revision, called="one for the other prompt"
            )
            if ending.status == KEPT:
                columns = scores | _crossed(kept.columns, found.columns, other) | {"attempts": attempts}
                further = self._mirrored(row, kept.columns)
                return kept.model_copy(update={"columns": kept.columns | columns, "further": further})
            reasons.append(ending.reason)
        if failures:  # the next run tries it again
            return Outcome(status=FAILED, reason=failures[0], columns=kept.columns | {"attempts": attempts})
        tried = f"{len(reasons)} tried; the last: {reasons[-1]}"
        return kept.model_copy(
            update={
                "status": UNCROSSED,
                "reason": f"no revision for another prompt could be rejected ({tried})",
                "columns": kept.columns | {"attempts": attempts},
            }
        )

    def _mirrored(self, row: Row, columns: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        """The mirrors of an answer and its revision, for rows that are told by their content."""
        if int(row.row_id, 16) % _MIRRORED:
            return ()
        pairs = (mirror.pair(row, columns) for mirror in self._mirrors)
        return tuple(pair for pair in pairs if pair is not None)

    def _others(self, row: Row) -> Iterator[Row]:
        """Rows of the next other prompts on a row's task."""
        assert self._tasks is not None, "tasks are read by `check`"
        return islice(self._tasks.others(row), MOST)


def _crossed(ours: dict[str, Any], theirs: dict[str, Any], other: Row) -> dict[str, Any]:
    """The columns in which the pair of two revisions differs from that of an answer and the first."""
    chosen, rejected = (columns["chosen"][0]["content"] for columns in (ours, theirs))
    return {
        "rejected": theirs["chosen"],
        "rejected_model": theirs["chosen_model"],
        "rejected_template": theirs["chosen_template"],
        "rejected_prompt": stored(other.prompt),
        "source": f"{ours['source']}_crossed",
        **measure(chosen, rejected, original=rejected)._asdict(),
    }
