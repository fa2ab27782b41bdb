"""One or several judges: each is asked by its protocol, and a decision is made of their votes."""

from collections.abc import Sequence

import pyarrow as pa

from judge.jury.comparing import Comparing
from judge.jury.config import FIRST_TOKEN, SCORING, Judge, JuryConfig, judges_of
from judge.jury.listing import Listing
from judge.jury.protocol import Case, JudgeProtocol
from judge.jury.rating import Rating, parse_aspects
from judge.jury.rewarding import Rewarding
from judge.jury.rubrics import Rubrics
from judge.jury.verdict import Decision, Vote, decide
from pairwright.engines.verifiers.lookup import look_up
from pairwright.inputs.rows import Input
from pairwright.plugins import Wanted, guarded, load, require
from pairwright.records import UNPARSED
from pairwright.stages.asking import Asking, Unanswered, together
from pairwright.stages.verifying import require_columns

PROTOCOLS: dict[str, type[JudgeProtocol]] = {
    "logprob": Comparing,
    "choice": Comparing,
    "text": Comparing,
    "score": Rating,
    "rank": Listing,
    "reward": Rewarding,
    "function": Rewarding,
}
"""How a judge is asked, by the name of the protocol."""


class Jury:
    """Asks every judge about pairs of a case and decides about each pair."""

    def __init__(self, config: JuryConfig) -> None:
        self._config = config
        self.judges = judges_of(config)
        self.roles = {judge.role: judge.spec for judge in self.judges}
        self.reads_logprobs = [j.role for j in self.judges if j.logprobs and j.protocol in FIRST_TOKEN]
        parse_aspects(config.aspects)  # a misspelt one is refused, also where nothing is rated
        alike: dict[type[JudgeProtocol], list[Judge]] = {}
        for judge in sorted(self.judges, key=lambda judge: judge.protocol in SCORING):
            alike.setdefault(_protocol_of(judge.protocol), []).append(judge)
        made = [(_made(kind, config, judges), judges) for kind, judges in alike.items()]
        self._asked = [(judge, protocol) for protocol, judges in made for judge in judges]
        self._rubrics = (
            None if config.rubric is None else Rubrics(config.rubric, self.judges, config.reasoning_tokens)
        )
        if self._rubrics is not None:
            self.roles |= self._rubrics.roles
        self.pointwise = all(protocol.pointwise for protocol, _ in made)
        self.templates = {name: text for protocol, _ in made for name, text in protocol.templates.items()}
        self.templates |= {} if self._rubrics is None else self._rubrics.templates

    def check(self, rows: Input) -> None:
        """Raise `UsageError` when a function or a template wants a column that the rows lack."""
        for _, protocol in self._asked:
            for name in getattr(protocol, "columns", ()):
                rows.require_column(name, f"{self._config.judge_template}: shows {{{{ row.{name} }}}}")
        if self._rubrics is not None:
            self._rubrics.check(rows)
        allow_code = getattr(self._config, "allow_code", False)
        for judge in self.judges:
            if judge.protocol == "function":
                require_columns(judge.spec, look_up(judge.spec, "score", allow_code=allow_code).wants, rows)

    def widened(self, schema: pa.Schema) -> pa.Schema:
        """Return the schema of a stage's rows, with a column for rubrics where they are written."""
        return schema if self._rubrics is None else self._rubrics.widened(schema)

    def prepared(self, case: Case) -> Asking[Case]:
        """Find the case with its rubric, which is written now if that is wanted."""
        return case if self._rubrics is None else (yield from self._rubrics.of(case))

    def columns(self, case: Case) -> dict[str, str | None]:
        """Return the columns that a case adds to its row: the rubric that was written for it."""
        return {} if self._rubrics is None else self._rubrics.columns(case)

    def decide(self, case: Case, pairs: Sequence[tuple[int, int]]) -> Asking[list[Decision]]:
        """Find what the jury decides about pairs of candidates, given by their numbers."""
        if case.rubric == "":
            reason = f"no rubric was written for the prompt: {case.unwritten}"
            return [Decision(UNPARSED, reason, None, False, ())] * len(pairs)
        found = yield from together([_votes(judge, p, case, pairs) for judge, p in self._asked])
        votes = [[vote for part in parts for vote in part] for parts in zip(*found, strict=True)]
        return [decide(v, self._config.agree, self._config.min_margin) for v in votes]


_OWN = Wanted(
    "a protocol of judges",
    "class NAME: pointwise; templates; __init__(self, config, judges); votes(self, judge, case, pairs)",
    lambda value: (
        isinstance(value, type)
        and all(hasattr(value, name) for name in ("pointwise", "templates", "votes"))
    ),
)


def _protocol_of(name: str) -> type[JudgeProtocol]:
    """The protocol of this name: ours, or one of the user's own."""
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    own: type[JudgeProtocol] = load(name, _OWN).value
    return own


def _made(kind: type[JudgeProtocol], config: JuryConfig, judges: Sequence[Judge]) -> JudgeProtocol:
    with guarded(judges[0].protocol, kind):
        return kind(config, judges)


def _votes(
    judge: Judge, protocol: JudgeProtocol, case: Case, pairs: Sequence[tuple[int, int]]
) -> Asking[list[list[Vote]]]:
    """A judge's votes on each pair; faults of a protocol of the user's own are told in one sentence."""
    if judge.protocol in PROTOCOLS:
        return (yield from protocol.votes(judge, case, pairs))
    with guarded(judge.protocol, type(protocol), Unanswered):
        found = yield from protocol.votes(judge, case, pairs)
    fits = isinstance(found, list) and len(found) == len(pairs)
    fits = fits and all(isinstance(v, list) and all(isinstance(one, Vote) for one in v) for v in found)
    require(judge.protocol, f"a list of votes for each of {len(pairs)} pairs", given=found, fits=fits)
    return found
