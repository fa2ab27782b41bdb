"""The prompt turned round: what an answer fails is asked for the other way, so that it is right.

Beside "revision over answer" under the prompt stands "answer over revision" under the new one, after
Reverse Preference Optimization (https://arxiv.org/abs/2505.22172): the answer that is chosen there does all
that is asked for, and the two prompts differ in nothing else.
"""

import re
from typing import Any

from pairwright.errors import UsageError
from pairwright.inputs.row import Row
from pairwright.records import KEPT, UNPARSED, Ending, Message, Request, transcript
from pairwright.stages.asking import Asking
from prompts import load
from revise.mirror import mirrored
from revise.revisers import Reviser, rendered
from revise.verification import Verification

_TASK = re.compile(r"<new_task>(.*)</new_task>", re.DOTALL | re.IGNORECASE)
UNCHANGED = "unchanged"


class Reversal:
    """Asks the first reviser that is asked in words for the other prompt of a pair."""

    def __init__(
        self, revisers: list[Reviser], verification: Verification | None, *, improve: bool
    ) -> None:
        """Raise `UsageError` where all revisers are functions."""
        asked = [reviser for reviser in revisers if reviser.mode is not None]
        if not asked:
            raise UsageError(
                "--reverse_constraints: a model writes the other prompt, and the reviser is a function; "
                "name prompts of your own with --mirror COLUMN"
            )
        self._reviser = asked[0]
        self._verification = verification
        self._improve = improve
        self.template = load("reverse_constraints")

    def pair(self, row: Row, columns: dict[str, Any]) -> Asking[tuple[Ending, dict[str, Any] | None]]:
        """Find the second pair of a row, from the columns of the first; or why there is none."""
        chosen, rejected = (columns[side][0]["content"] for side in ("chosen", "rejected"))
        ending, text = yield from self._task(row, rejected)
        if ending.status != KEPT:
            return ending, None
        last = row.prompt[-1]
        prompt = (*row.prompt[:-1], Message(role=last.role, content=text, beside=last.beside))
        if self._verification is not None:
            sides = (chosen, rejected) if self._improve else (rejected, chosen)
            ending, _ = yield from self._verification.revision(row._replace(prompt=prompt), *sides)
        if ending.status != KEPT:
            return ending, None
        return ending, mirrored(prompt, columns, f"{columns['source']}_reversed")

    def _task(self, row: Row, answer: str) -> Asking[tuple[Ending, str]]:
        """Ask for the task that an answer is right for."""
        *before, last = row.prompt
        said = {"prompt": last.content, "answer": answer, "before": transcript(before) if before else ""}
        request = Request(
            role=self._reviser.role,
            messages=rendered(self.template, **said),
            sampling=self._reviser.sampling,
            template=self.template.hash,
            sample_index=row.occurrence,
        )
        [completion] = yield [request]
        found = _TASK.search(completion.text)
        text = found[1].strip() if found else ""
        if not text:
            return Ending(UNPARSED, "no new task was found in what the reviser wrote"), ""
        if text.split() == last.content.split():
            return Ending(UNCHANGED, "the reviser turned nothing of the task round"), ""
        return Ending(KEPT), text
