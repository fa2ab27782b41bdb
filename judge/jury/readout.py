"""What a judge's completion says, as numbers. None is a value here: unparsed, never a tie."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pairwright.records import Completion

SCORES = ("1", "2", "3", "4", "5")

_VERDICT = re.compile(r"(?i:verdict)[\s*_]*:[\s*_\[(]*([A-Z])[\s*_\])]*\.?")
_ASIDE = re.compile(
    r"<(think|thinking|thought|reasoning|analysis|scratchpad|reflection|deliberation|internal_\w+"
    r"|inner_\w+|monologue|draft|plan)>.*?(?:</\1>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
"""What a judge says to itself, wherever it stands: no verdict in it is one."""
MARKUP = " \t\r\v\f*_#>`-"

_LEAST = 1e-9
"""A probability, where rounding leaves none."""


class Reading(NamedTuple):
    """The label that a judge prefers, and the probability of the first of the two labels."""

    label: str
    probability: float


def foreign_token(completion: Completion) -> str:
    """Return why a completion's first token says nothing of its text, or nothing."""
    foreign = completion.top_logprobs and not completion.top_logprobs[0]
    return "the first token that is told of is not that of the reply" if foreign else ""


def label_masses(completion: Completion, labels: Sequence[str]) -> list[float]:
    """Return the probability of each label as the completion's first token, white space around it ignored.

    A label that is not among the tokens reported counts as 0.
    """
    top = completion.top_logprobs[0] if completion.top_logprobs else {}
    return [
        min(1.0, sum(math.exp(p) for token, p in top.items() if token.strip() == label)) for label in labels
    ]


def read_logprob(
    completion: Completion, labels: tuple[str, str], min_mass: float
) -> tuple[Reading | None, float | None]:
    """Return p = P(first) / (P(first) + P(second)), and the mass outside both, 1 - P(first) - P(second).

    No reading when the labels together have no mass, or less than `min_mass`: the judge says
    something else then.
    """
    if not completion.top_logprobs:
        return None, None
    first, second = label_masses(completion, labels)
    outside = max(0.0, 1.0 - first - second)
    if first + second == 0 or first + second < min_mass:
        return None, outside
    probability = first / (first + second)
    return Reading(labels[probability < 0.5], probability), outside


def label_doubt(completion: Completion, labels: Sequence[str]) -> float:
    """Return by how much labels that were not reported could move p.

    m / (m + mass of the reported labels), where m is `most_unreported`.
    """
    masses = label_masses(completion, labels)
    if all(masses):
        return 0.0
    most = most_unreported(completion)
    return most / (most + sum(masses))


def most_unreported(completion: Completion) -> float:
    """Return the most that the first token can be one that was not reported.

    That is the probability of the least likely reported token, or what all of them leave if that is less.
    """
    reported = [math.exp(p) for p in completion.top_logprobs[0].values()]
    return max(_LEAST, min([*reported, 1.0 - sum(reported)]))


def read_cautiously(completion: Completion, labels: tuple[str, str]) -> Reading:
    """Return the reading of least margin: an unreported label gets the most that it can have."""
    most = most_unreported(completion)
    first, second = (mass or most for mass in label_masses(completion, labels))
    probability = first / (first + second)
    return Reading(labels[probability < 0.5], probability)


def read_choice(completion: Completion, labels: tuple[str, str]) -> Reading | None:
    """Read a constrained completion: one of the labels and nothing else."""
    text = completion.text.strip()
    if text not in labels:
        return None
    if completion.top_logprobs:
        reading, _ = read_logprob(completion, labels, 0.0)
        if reading is not None:
            return reading
    return Reading(text, float(text == labels[0]))


def read_text(completion: Completion, labels: tuple[str, str], quoted: Iterable[str]) -> Reading | None:
    """Read the last line that is a verdict and nothing else, in a completion that ended by itself.

    Lines that stand in one of the `quoted` texts (the task, the candidates) are echoes and say
    nothing: an answer that forges verdicts can at most keep itself from being judged.
    """
    if completion.finish_reason != "stop":
        return None
    echoes = {line.strip(MARKUP) for text in quoted for line in text.splitlines()}
    lines = (line.strip(MARKUP) for line in _ASIDE.sub("\n", completion.text).splitlines())
    found = [_VERDICT.fullmatch(line) for line in lines if line not in echoes]
    letters = [match[1] for match in found if match]
    if not letters or letters[-1] not in labels:
        return None
    return Reading(letters[-1], float(letters[-1] == labels[0]))


def read_score(completion: Completion, min_mass: float) -> tuple[float | None, float | None]:
    """Return the expected score, sum of s P(s) / sum of P(s), and the mass outside the score tokens.

    The expectation tells apart what the likeliest token calls equal (Liu et al. 2023, G-Eval,
    arXiv 2303.16634, §2). Without log-probabilities it is the score that was written.
    """
    if not completion.top_logprobs:
        text = completion.text.strip()
        return (float(text), None) if text in SCORES else (None, None)
    masses = label_masses(completion, SCORES)
    total = sum(masses)
    outside = max(0.0, 1.0 - total)
    if total == 0 or total < min_mass:
        return None, outside
    return sum(float(s) * m for s, m in zip(SCORES, masses, strict=True)) / total, outside
