"""Where the candidates of a prompt come from: the input, engines that answer, or both."""

from collections.abc import Mapping
from typing import NamedTuple

from judge.config import AnswersConfig
from judge.jury.config import names
from pairwright.errors import UsageError
from pairwright.inputs.row import Candidate, Row
from pairwright.inputs.rows import Input
from pairwright.records import KEPT, Sampling
from pairwright.stages.asking import Asking
from pairwright.stages.sample import answer_request, answer_status


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
                model = completion.model or self.roles[role]
                found.append(Candidate(completion.text, model, reasoning=completion.reasoning))
            else:
                faults.append(f"{status}: {reason}")
        return Sampled(tuple(found), tuple(faults))


class Sampled(NamedTuple):
    """The usable answers, and what was wrong with the others."""

    answers: tuple[Candidate, ...]
    faults: tuple[str, ...]


def require_comparable(rows: Input) -> None:
    """Raise `UsageError` when no row has two answers, or none has different ones."""
    most, fewest = 0, 2
    for row in (row for row in rows if row.problem is None):
        if len({c.text for c in row.candidates}) > 1:
            return
        most, fewest = max(most, len(row.candidates)), min(fewest, len(row.candidates))
    if most < 2:
        raise UsageError(
            f"{rows.info.path}: no prompt has two answers to compare; name their columns with "
            "--columns a,b, or an engine that answers with --policy"
        )
    told = "the answers to every prompt are equal" if fewest == 2 else "no prompt has two different answers"
    raise UsageError(f"{rows.info.path}: {told}; nothing to compare")
