"""Rows that end alike, one after the other: the run stops, since the cause is not in the rows."""

from pairwright.records import BAD_ROW, EMPTY, FAILED, TRUNCATED, UNPARSED, Outcome

_OVERFLOW = "context_overflow"
_NO_ANSWER = (TRUNCATED, EMPTY)
_SHOWN_CHARACTERS = 80

_JUDGED = (
    "a judge that thinks first needs more --reasoning_tokens; one that has to reason aloud needs "
    "--protocol text; one that does not end in the form that `text` asks for is held to a label by "
    "--protocol choice"
)
_ADVICE = {
    ("revise", UNPARSED): "let the reviser write the revision alone (--reply bare), or use another one",
    ("judge", UNPARSED): _JUDGED,
    ("calibrate", UNPARSED): _JUDGED,
    ("winrate", UNPARSED): _JUDGED,
}
_THOUGHTS = "the model spends its tokens on thoughts: allow more (--max_tokens)"
_TOO_LONG = (
    "no row fits into the model's context: allow fewer tokens of answer (--max_tokens), or name a model or "
    "a setting of its server with a longer context"
)
_REFUSED = "the server refuses the requests: pairwright doctor ENGINE shows what it takes"


class Streak:
    """Counts rows that end alike without an answer.

    A failure ends a streak of others; so does any row with an answer. Answers that could not be read,
    and rows too long for the model's context, count only as long as no row was kept: a weak model may
    have a bad stretch, and rows may be in the order of their lengths.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kind = ""
        self._count = 0
        self._last: Outcome | None = None

    def add(self, outcome: Outcome, kept: int) -> None:
        """Count how a row ended; `kept` rows were by then."""
        if outcome.status == BAD_ROW or self._ended:
            return
        kind = _kind(outcome)
        if kept and (outcome.status != FAILED or kind == _OVERFLOW):
            kind = ""
        self._count = self._count + 1 if kind and kind == self._kind else int(bool(kind))
        self._kind, self._last = kind, outcome

    def told(self, stage: str) -> str | None:
        """Return how the last rows ended alike, and what to do; None while it is no streak."""
        if not self._ended or self._last is None:
            return None
        said = f"{self._count} rows in a row ended alike, {self._last.status}: {self._last.reason}"
        said += _last_words(self._last)
        advice = _ADVICE.get((stage, self._last.status), "")
        if self._last.status in _NO_ANSWER:
            advice = _THOUGHTS
        elif self._kind == _OVERFLOW:
            advice = _TOO_LONG
        elif self._kind.startswith("http_4"):
            advice = _REFUSED
        return (
            f"{said}{advice and '; '}{advice}. What was finished is kept: run the same command again when "
            "that is fixed, or with --max_consecutive_failures 0 to go on as it is"
        )

    @property
    def _ended(self) -> bool:
        return 0 < self._most <= self._count


def _last_words(outcome: Outcome) -> str:
    """How the last reply that could not be read ended, of judges."""
    votes = (outcome.columns.get("verdict") or {}).get("votes") or []
    said = " ".join(str(votes[-1].get("reply") or "").split()) if votes else ""
    return (
        f" (the last reply ended: “{said[-_SHOWN_CHARACTERS:]}”)"
        if said and outcome.status == UNPARSED
        else ""
    )


def _kind(outcome: Outcome) -> str:
    """What rows that end alike share; empty for one that says nothing of the others."""
    if outcome.status == FAILED:
        return outcome.reason.partition(":")[0]
    if outcome.status in _NO_ANSWER and outcome.columns.get("reasoning") is not None:
        return f"{outcome.status} thoughts"
    return UNPARSED if outcome.status == UNPARSED else ""
