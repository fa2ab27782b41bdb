"""`check:math`: the final result of an answer against the right one, however they are written."""

from collections.abc import Mapping
from typing import Any

import math_verify

from pairwright.engines.verifiers.check import Check, Score, first_given, named

_MARK = "####"
"""GSM8K writes the right result after this mark."""


def math_check(gold: str = "solution|gold|answer") -> Check:
    """Return 1 where the answer's result equals the one in the column `gold`.

    Of several columns with `|` between them, the first that has a value. A row without a right result
    that can be read fails. An answer that is the right result to the letter is right, whatever it is.
    """

    def score(prompt: str, answer: str, row: Mapping[str, Any]) -> Score:
        right = str(first_given(row, gold)).rpartition(_MARK)[2].strip()
        wanted = math_verify.parse(right) or math_verify.parse(f"${right}$")
        if not wanted:
            raise ValueError(f"no result can be read from the column {named(gold)}: {right[:80]!r}")
        if answer.strip() == right:
            return 1.0, ""
        found = math_verify.parse(answer)
        if not found:
            return 0.0, "the answer comes to no result; end it with one, as \\boxed{…}"
        if math_verify.verify(wanted, found):
            return 1.0, ""
        return 0.0, f"the result of the answer, {found[-1]}, is wrong"

    return Check(score, (gold,), ("math-verify",))
