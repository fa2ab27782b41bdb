"""Answers that end in a loop, saying the same over and over; nothing is learnt from comparing those."""

COPIES = 5
"""Least number of times that the same is said, one right after the other."""
LENGTH = 100
"""Least length of all of them together, in characters."""
PERIOD = 1000
"""Longest passage that is looked for, in characters."""


def repetition(text: str) -> str | None:
    """What is wrong with an answer of which at least half is one passage, repeated to its end; or None."""
    text = text.rstrip()
    for period in range(1, min(PERIOD, len(text) // COPIES) + 1):
        passage, start, copies = text[-period:], len(text), 0
        while text.endswith(passage, 0, start):
            start, copies = start - period, copies + 1
        repeated = copies * period
        if copies >= COPIES and repeated >= max(LENGTH, len(text) / 2):
            return f"repeating: it ends with the same {period} characters {copies} times"
    return None
