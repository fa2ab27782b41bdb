"""Verifiers in the work of a row: about an answer, or about an answer and its revision."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from pairwright.engines.kinds import is_function
from pairwright.engines.verifiers.config import VerifyConfig
from pairwright.engines.verifiers.engine import SCORE_SCHEMA
from pairwright.engines.verifiers.function import require_columns as require_named
from pairwright.engines.verifiers.lookup import look_up
from pairwright.engines.verifiers.spec import named_spec, split_specs
from pairwright.errors import UsageError
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.plugins import Wanted, load
from pairwright.records import Completion, Message, Request, Sampling
from pairwright.stages.asking import Asking, together

_JUDGE = "judge.jury.verifier:JudgeVerifier"
"""Named, not imported: nothing here stands on `judge`."""
_VERIFIER = Wanted("a verifier of answers", "class NAME(role, spec)", callable)


EVEN = 1e-9
"""Scores that differ by less are the same."""
PASS = 1.0
"""The score of an answer that passes a function or a check."""


class Said(NamedTuple):
    """One verifier's result on one answer."""

    score: float | None
    """None: it does not apply, or could not be read."""
    feedback: str = ""
    compared: bool = False
    """Whether the score is one beside another answer's, and means nothing without it."""
    mark: float | None = PASS
    """The score from which an answer passes, where nothing else is said; None where there is none."""


class Found(NamedTuple):
    """All verifiers' results on one answer."""

    said: tuple[Said, ...]

    @property
    def score(self) -> float | None:
        """The mean over the verifiers that apply, those that compare only where there are no others."""
        applying = [said for said in self.said if said.score is not None]
        alone = [said for said in applying if not said.compared]
        scores = [said.score for said in alone or applying if said.score is not None]
        return sum(scores) / len(scores) if scores else None

    def passes(self, least: float | None = None) -> bool:
        """Return whether all verifiers that apply pass the answer: it scores `least`, or their own mark."""
        applying = [s for s in self.said if s.score is not None and not s.compared]
        marks = [(s.score, s.mark if least is None else least) for s in applying]
        return bool(marks) and all(m is not None and s is not None and s >= m - EVEN for s, m in marks)

    @property
    def feedback(self) -> str:
        """The words of the verifiers that gave any."""
        return "; ".join(dict.fromkeys(said.feedback for said in self.said if said.feedback))


class Verifier(Protocol):
    """One verifier of a stage."""

    role: str
    templates: Mapping[str, str]
    wants: tuple[str, ...]
    """Columns that a row must have."""
    compares: bool
    """Whether it only tells which of two answers is better."""

    def scores(self, row: Row, answers: Sequence[str]) -> Asking[list[Said]]:
        """Find what it says of each answer."""
        ...


class Verifiers:
    """All verifiers of a stage.

    `rating`: engines that judge give each answer a score of its own; else they compare two.
    """

    def __init__(self, text: str, *, rating: bool = False, allow_code: bool = False) -> None:
        specs = [named_spec(spec) for spec in split_specs(text)]
        if not specs:
            raise UsageError("--verify must name a verifier, such as checks.py:passes or check:math")
        if len(set(specs)) < len(specs):
            raise UsageError(f"--verify {text}: a verifier is named twice")
        names = ["verifier"] if len(specs) == 1 else [f"verifier_{n}" for n in range(1, len(specs) + 1)]
        self.roles: Mapping[str, str] = dict(zip(names, specs, strict=True))
        self._all = [_verifier(r, s, rating=rating, allow_code=allow_code) for r, s in self.roles.items()]
        self.templates = {n: text for verifier in self._all for n, text in verifier.templates.items()}

    def check(self, rows: Input) -> None:
        """Raise `UsageError` when the rows lack a column that a verifier wants."""
        for verifier in self._all:
            require_columns(self.roles[verifier.role], verifier.wants, rows)

    def alone(self, row: Row, answers: Sequence[str]) -> Asking[list[Found]]:
        """Find the results on each answer by itself, from verifiers that do not compare."""
        return (yield from self._asked([v for v in self._all if not v.compares], row, answers))

    def beside(self, row: Row, answers: Sequence[str]) -> Asking[list[Found]]:
        """Find all verifiers' results on answers side by side."""
        return (yield from self._asked(self._all, row, answers))

    def _asked(
        self, verifiers: Sequence[Verifier], row: Row, answers: Sequence[str]
    ) -> Asking[list[Found]]:
        found = yield from together([verifier.scores(row, answers) for verifier in verifiers])
        return [Found(tuple(said[place] for said in found)) for place in range(len(answers))]


class _Scorer:
    """A function, a check or a reward model: asked about each answer by itself."""

    compares = False
    templates: Mapping[str, str] = MappingProxyType({})

    def __init__(self, role: str, wants: tuple[str, ...], *, is_function: bool) -> None:
        self.role = role
        self.wants = wants
        self._is_function = is_function

    def scores(self, row: Row, answers: Sequence[str]) -> Asking[list[Said]]:
        """One request an answer."""
        if self._is_function:
            requests = [asked_of_function(self.role, row.prompt, a, row.carried) for a in answers]
        else:
            requests = [asked_of_reward_model(self.role, row.prompt, a, row.occurrence) for a in answers]
        return [read_score(completion) for completion in (yield requests)]


_NOTHING_DRAWN = Sampling(max_tokens=1, temperature=0.0)


def asked_of_function(
    role: str, prompt: tuple[Message, ...], answer: str, columns: Mapping[str, Any]
) -> Request:
    """Ask a function or a check for the score of an answer. Equal rows are one request."""
    return Request(
        role=role,
        messages=(*prompt, Message(role="assistant", content=answer)),
        sampling=_NOTHING_DRAWN,
        json_schema=SCORE_SCHEMA,
        columns=dict(columns),
    )


def asked_of_reward_model(role: str, prompt: tuple[Message, ...], answer: str, occurrence: int) -> Request:
    """Ask a reward model for the score of an answer."""
    return Request(
        role=role,
        messages=(*prompt, Message(role="assistant", content=answer)),
        sampling=_NOTHING_DRAWN,
        sample_index=occurrence,
    )


def read_score(completion: Completion) -> Said:
    """Return the score in a completion: JSON of a function, a number of a reward model."""
    try:
        value: Any = json.loads(completion.text)
    except ValueError:
        return Said(None)
    if isinstance(value, dict):
        return Said(value.get("score"), str(value.get("feedback") or ""))
    return Said(float(value), mark=None) if isinstance(value, int | float) else Said(None)


def _verifier(role: str, spec: str, *, rating: bool, allow_code: bool) -> Verifier:
    if is_function(spec):
        found = look_up(spec, "score", allow_code=allow_code)
        return _Scorer(role, found.wants, is_function=True)
    if spec.startswith("reward:"):
        return _Scorer(role, (), is_function=False)
    judge: Verifier = load(_JUDGE, _VERIFIER).value(role, spec, rating=rating)
    return judge


def require_columns(spec: str, wanted: Sequence[str], rows: Input) -> None:
    """Raise `UsageError` naming the columns that a verifier wants and the rows do not have."""
    require_named(spec, wanted, [field.name for field in rows.carried])


def drop_reason(
    chosen: Found, rejected: Found, config: VerifyConfig, better: str = "chosen", worse: str = "rejected"
) -> str | None:
    """Return why two answers make no pair, by their scores and the settings; None if they make one.

    `better` and `worse` are what the two are called.
    """
    both = [
        (a.score, b.score, a.compared)
        for a, b in zip(chosen.said, rejected.said, strict=True)
        if a.score is not None and b.score is not None
    ]
    if not both:
        return f"no verifier could score both the {better} and the {worse}"
    counted = [pair for pair in both if not pair[2]] or both
    high, low = (sum(pair[side] for pair in counted) / len(counted) for side in (0, 1))
    told = f"the {better} scores {high:.4g}, the {worse} {low:.4g}"
    if high - low < max(config.min_gain, 2 * EVEN) - EVEN:
        return f"{told}; at least {config.min_gain:g} more is wanted" if config.min_gain else told
    if any(a < b - EVEN for a, b, _ in both):
        return f"{told}, and a verifier finds the {better} worse"
    least = config.min_score
    if least is not None and any(a < least - EVEN for a, _, compared in both if not compared):
        return f"{told}; at least {least:g} is wanted"
    return None
