"""Protocol `score`: each answer is rated by itself, aspect by aspect."""

import math
from collections.abc import Mapping, Sequence

from judge.jury.config import Judge, JuryConfig
from judge.jury.protocol import Case, loaded, rendered, request
from judge.jury.readout import SCORES, foreign_token, read_score
from judge.jury.verdict import Vote
from pairwright.errors import UsageError
from pairwright.records import Completion, Request
from pairwright.stages.asking import Asking

VARIABLES = ("prompt", "response", "nonce", "aspect", "rubric", "row")
"""What a template is given."""


class Rating:
    """Asks a judge for a score of 1 to 5 of every answer and aspect."""

    pointwise = True

    def __init__(self, config: JuryConfig, judges: Sequence[Judge]) -> None:
        self._aspects = parse_aspects(config.aspects)
        self._least_mass = config.min_label_mass
        self._reasoning = config.reasoning_tokens
        ours = "judge_score_by_rubric" if config.rubric else "judge_score"
        self._template = loaded(
            config.judge_template or ours, VARIABLES, shows=("response",), rubric=bool(config.rubric)
        )
        self.columns = self._template.columns
        self.templates: Mapping[str, str] = {self._template.name: self._template.text}

    def votes(self, judge: Judge, case: Case, pairs: Sequence[tuple[int, int]]) -> Asking[list[list[Vote]]]:
        """Find a vote on each pair and aspect, from the ratings of both answers."""
        nonce = case.nonce
        numbers = sorted({n for pair in pairs for n in pair})
        wanted = [(number, aspect) for number in numbers for aspect in self._aspects]
        completions = yield [
            self._request(judge, case, case.texts[number], aspect, nonce) for number, aspect in wanted
        ]
        ratings = dict(zip(wanted, completions, strict=True))
        unsaid = [w for w, c in ratings.items() if c.finish_reason == "length" and not c.text.strip()]
        if unsaid:  # a judge that thinks first used up its token on that
            again = yield [
                self._request(judge, case, case.texts[number], aspect, nonce, self._reasoning)
                for number, aspect in unsaid
            ]
            ratings |= dict(zip(unsaid, again, strict=True))
        return [
            [self._vote(judge, aspect, ratings[a, aspect], ratings[b, aspect]) for aspect in self._aspects]
            for a, b in pairs
        ]

    def _request(
        self, judge: Judge, case: Case, text: str, aspect: str, nonce: str, reasoning: int = 0
    ) -> Request:
        messages = rendered(self._template, **case.shown, response=text, aspect=aspect, nonce=nonce)
        tokens, choices = (1, ()) if judge.logprobs and not reasoning else (4, SCORES)
        tokens += reasoning
        return request(judge, case, messages, tokens, judge.logprobs, choices, template=self._template.hash)

    def _vote(self, judge: Judge, aspect: str, a: Completion, b: Completion) -> Vote:
        """Scores of 1 to 5 as a probability: p = (1 + (a - b) / 4) / 2, so the margin is |a - b| / 4."""
        (score_a, outside_a), (score_b, outside_b) = (read_score(c, self._least_mass) for c in (a, b))
        probability = None if score_a is None or score_b is None else (1 + (score_a - score_b) / 4) / 2
        outside = [mass for mass in (outside_a, outside_b) if mass is not None]
        return Vote(
            judge.spec,
            None,
            "",
            probability,
            outside_mass=max(outside, default=None),
            aspect=aspect,
            weight=self._aspects[aspect],
            scores=(score_a, score_b),
            reply=f"{a.text} | {b.text}",
            problem=foreign_token(a) or foreign_token(b),
        )


def parse_aspects(text: str) -> dict[str, float]:
    """Return weights by aspect, from `correctness:2,clarity` (no weight is 1). Raises `UsageError`."""
    aspects: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = (piece.strip() for piece in part.partition(":"))
        if not name or name in aspects:
            raise UsageError(f"--aspects {text!r}: write each aspect once, such as correctness:2,clarity:1")
        aspects[name] = _weight(weight or "1", name)
    return aspects


def _weight(text: str, name: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and weight > 0):
        raise UsageError(f"--aspects: the weight of {name} is {text!r}; it must be a number above 0")
    return weight
