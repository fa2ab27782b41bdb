"""Which answers to a prompt can be compared: complete ones that repeat neither another nor themselves."""

from collections.abc import Iterator, Sequence

from pairwright.inputs.row import Candidate
from pairwright.records import IDENTICAL, TOO_FEW, Ending


def without_repeating(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[str]]:
    """Return the candidates that say something and come to an end, and what is wrong with the others."""
    wrong = [repetition(candidate.text) for candidate in candidates]
    whole = [c for c, why in zip(candidates, wrong, strict=True) if why is None]
    return whole, [why for why in wrong if why is not None]


def distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates without those that repeat another, white space around them aside."""
    return list({c.text.strip(): c for c in reversed(candidates)}.values())[::-1]


def too_few(given: Sequence[Candidate], faults: Sequence[str]) -> Ending:
    """Return the ending of a prompt with fewer than two answers to compare."""
    if len(given) > 1:
        return Ending(IDENTICAL, f"all answers to the prompt are the same{aside(*(c.text for c in given))}")
    why = f" ({'; '.join(dict.fromkeys(faults))})" if faults else ""
    return Ending(TOO_FEW, f"{len(given)} usable answer{'' if len(given) == 1 else 's'} to the prompt{why}")


def same(a: str, b: str) -> bool:
    """Return whether two answers differ in nothing but white space around them."""
    return a.strip() == b.strip()


def aside(*texts: str) -> str:
    """Return a clause on white space for a message that calls texts the same; empty if all are equal."""
    return "" if len(set(texts)) == 1 else ", white space around them aside"


COPIES = 5
"""Least number of times that the same is said, one right after the other."""
LENGTH = 100
"""Least length of all of them together, in characters."""
PERIOD = 1000
"""Longest passage that is looked for, in characters."""


_TAIL = 16
"""Characters at the end of a text that are looked for before it."""


def repetition(text: str) -> str | None:
    """Describe the passage whose repetition fills at least the last half of an answer; None without one."""
    text = text.rstrip()
    for period in _periods(text):
        passage, start, copies = text[-period:], len(text), 0
        while text.endswith(passage, 0, start):
            start, copies = start - period, copies + 1
        repeated = copies * period
        if copies >= COPIES and repeated >= max(LENGTH, len(text) / 2):
            return f"repeating: it ends with the same {period} characters {copies} times"
    return None


def _periods(text: str) -> Iterator[int]:
    """Yield the lengths of passages that may end a text `COPIES` times, shortest first.

    Where one does, the last characters stand once more, one passage before the end.
    """
    longest = min(PERIOD, len(text) // COPIES)
    short = _TAIL // (COPIES - 1)
    yield from range(1, min(short - 1, longest) + 1)
    tail, least = text[-_TAIL:], len(text) - longest - _TAIL
    end = len(text) - short  # where the tail's copy ends
    while longest >= short and (found := text.rfind(tail, least, end)) >= 0:
        yield len(text) - _TAIL - found
        end = found + _TAIL - 1
