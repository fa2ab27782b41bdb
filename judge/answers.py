"""Where the candidates of a prompt come from: the input, engines that answer, or both."""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from pydantic import Field, PositiveInt

from pairwright.config import OPERATIONAL, Config
from pairwright.errors import UsageError
from pairwright.inputs.candidates import Candidates
from pairwright.inputs.columns import Columns
from pairwright.inputs.rows import Candidate, Input, Row
from pairwright.plugins import NamedEngine
from pairwright.records import KEPT, Sampling
from pairwright.stages.asking import Asking
from pairwright.stages.config import SharedStageConfig
from pairwright.stages.sample import answer_request, answer_status


class AnswersConfig(Config):
    """Which answers are compared."""

    group: ClassVar[str] = "Answers"

    columns: str | None = None
    """Columns of the answers to compare, with commas between them."""
    policy: NamedEngine | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Engine that answers each prompt first, `n` times."""
    policies: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Engines that each answer every prompt first, `n` times, with commas between them."""
    n: PositiveInt | None = None
    """Answers from each engine; default 2 for `policy` and 1 for `policies`."""
    policy_max_tokens: PositiveInt = 512
    """Most tokens of such an answer; one that is cut off there is left out."""
    policy_temperature: float = Field(default=1.0, ge=0)
    """Softmax temperature of such answers."""


class SampledAnswers:
    """The answers that engines give to a prompt before anything is compared."""

    def __init__(self, config: AnswersConfig, default_n: int | None = None) -> None:
        if config.policy is not None and config.policies is not None:
            raise UsageError("--policy and --policies: give one of them")
        specs = names(config.policies) if config.policies is not None else names(config.policy)
        if config.policies is not None and len(set(specs)) < 2:
            raise UsageError(f"--policies {config.policies}: name two or more different engines")
        roles = ["policy"] if config.policy is not None else [f"policy_{i + 1}" for i in range(len(specs))]
        self.roles: Mapping[str, str] = dict(zip(roles, specs, strict=True))
        self.n = config.n or default_n or (2 if len(specs) == 1 else 1)
        self._sampling = Sampling(
            max_tokens=config.policy_max_tokens, temperature=config.policy_temperature
        )

    def answer(self, row: Row) -> "Asking[Sampled]":
        """Ask every engine; keep the answers that ended by themselves and say something."""
        wanted = [(role, index) for role in self.roles for index in range(self.n)]
        if not wanted:
            return Sampled((), ())
        completions = yield [
            answer_request(row, self._sampling, row.occurrence * self.n + index).model_copy(
                update={"role": role}
            )
            for role, index in wanted
        ]
        found, faults = [], []
        for (role, _), completion in zip(wanted, completions, strict=True):
            status, reason = answer_status(completion)
            if status == KEPT:
                found.append(Candidate(completion.text, completion.model or self.roles[role]))
            else:
                faults.append(f"{status}: {reason}")
        return Sampled(tuple(found), tuple(faults))


class Sampled(NamedTuple):
    """The usable answers, and what was wrong with the others."""

    answers: tuple[Candidate, ...]
    faults: tuple[str, ...]


class AnswersStageConfig(AnswersConfig, SharedStageConfig):
    """A stage that reads candidates."""

    @property
    def wanted_columns(self) -> Columns:
        """The columns to read."""
        return super().wanted_columns._replace(answers=tuple(names(self.columns)))

    @property
    def reader(self) -> type[Input]:
        """What a row of work is: a prompt to be answered, or one with all its answers."""
        sampled = self.policy is not None or self.policies is not None
        return Input if sampled and not self.wanted_columns.answers else Candidates


def require_comparable(rows: Input) -> None:
    """Raise `UsageError` when no row has two answers, or when all rows have equal ones."""
    most, different = 0, False
    for row in rows:
        most = max(most, len(row.candidates))
        different = different or len({c.text for c in row.candidates}) > 1
    if most < 2:
        raise UsageError(
            f"{rows.info.path}: no prompt has two answers to compare; name their columns with "
            "--columns a,b, or an engine that answers with --policy"
        )
    if not different:
        raise UsageError(f"{rows.info.path}: the answers to every prompt are equal; nothing to compare")


def names(text: str | None) -> list[str]:
    """The parts of a list written with commas."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]
