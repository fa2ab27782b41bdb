"""The stage of `eval`: every model answers a prompt, and every answer is scored."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from judge.evaluation.config import EvaluateSettings
from pairwright.engines.kinds import is_engine, is_function
from pairwright.engines.verifiers.spec import split_specs
from pairwright.errors import UsageError
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.records import KEPT, UNSCORED, Completion, Outcome, Sampling
from pairwright.schema import EVALUATED
from pairwright.stages.asking import Meter
from pairwright.stages.sample import answer_request
from pairwright.stages.stage import Work
from pairwright.stages.verifying import Found, Verifiers

_TOKENS = ("prompt_tokens", "completion_tokens")


class EvaluateStage:
    """One item is one prompt with all answers to it, so that what differs between models is paired."""

    name = "eval"
    schema = EVALUATED
    samples = 1

    def __init__(self, config: EvaluateSettings, models: Sequence[str]) -> None:
        assert config.verify is not None
        self._config = config
        self.models = dict(zip(_roles(models), models, strict=True))
        """What is measured by its role, as the user named it."""
        self._verifiers = Verifiers(config.verify, rating=True, allow_code=config.allow_code)
        engines = {role: engine_of(model) for role, model in self.models.items()}
        self.roles: Mapping[str, str] = {**engines, **self._verifiers.roles}
        self.templates: Mapping[str, str] = self._verifiers.templates
        temperature = config.temperature
        if temperature is None:
            temperature = 0.0 if config.n == 1 else 1.0
        if config.n > 1 and temperature == 0:
            raise UsageError(f"--n {config.n}: at --temperature 0 all answers are the same")
        self._sampling = Sampling(max_tokens=config.max_tokens, temperature=temperature, top_p=config.top_p)
        unmarked = [s for s in self._verifiers.roles.values() if not is_function(s)]
        if unmarked and config.min_score is None:
            raise UsageError(f"--min_score must be given: {unmarked[0]} defines no passing score")

    def check(self, rows: Input) -> None:
        """Require the verifiers' columns, and those that rates are told by."""
        self._verifiers.check(rows)
        there = [field.name for field in rows.carried]
        for name in split_specs(self._config.by or ""):
            if name not in there:
                listed = ", ".join(f"`{n}`" for n in there) or "none"
                raise UsageError(f"{rows.info.path}: no column `{name}` (--by); there are {listed}")

    def work(self, row: Row, sample: int) -> Work:
        """Ask every model, score every answer. One that was cut off counts as it stands."""
        n = self._config.n
        wanted = [(role, row.occurrence * n + index) for role in self.models for index in range(n)]
        answers: list[Completion] = yield [
            answer_request(row, self._sampling, index).model_copy(update={"role": role})
            for role, index in wanted
        ]
        meter = Meter("judge")
        texts = [completion.text for completion in answers]
        found = yield from meter.counting(self._verifiers.alone(row, texts))
        rows = [
            self._columns(role, index, completion, said)
            for (role, index), completion, said in zip(wanted, answers, found, strict=True)
        ]
        for name in _TOKENS:
            rows[0][name] += meter.columns[name]
        unscored = [row for row in rows if row["score"] is None]
        if unscored:
            return Outcome(
                status=UNSCORED, reason=_why(unscored, len(rows)), columns=_summed(rows, unscored[0])
            )
        return Outcome(status=KEPT, columns=rows[0], further=tuple(rows[1:]))

    def _columns(self, role: str, index: int, completion: Completion, found: Found) -> dict[str, Any]:
        return {
            "completion": [{"role": "assistant", "content": completion.text}],
            "completion_model": self.models[role],
            "sample_index": index,
            "score": found.score,
            "passed": found.passes(self._config.min_score),
            "feedback": found.feedback,
            "finish_reason": completion.finish_reason,
            "answer_tokens": completion.completion_tokens,
            "prompt_tokens": completion.prompt_tokens,
            "completion_tokens": completion.completion_tokens,
            "reasoning": completion.reasoning,
            "reasoning_tokens": completion.reasoning_tokens,
        }


def _why(unscored: Sequence[Mapping[str, Any]], answers: int) -> str:
    if len(unscored) == answers:
        return "no verifier applies to this prompt"
    models = ", ".join(dict.fromkeys(row["completion_model"] for row in unscored))
    return f"no score for an answer of {models}: left out for all models, so they are compared alike"


def _summed(rows: Sequence[Mapping[str, Any]], shown: Mapping[str, Any]) -> dict[str, Any]:
    """The one row that stands for a prompt left out, with the tokens of all its answers."""
    return {**shown, **{name: sum(row[name] for row in rows) for name in _TOKENS}}


def engine_of(model: str) -> str:
    """Return the engine of a model; a name without a kind, or a folder, is run by transformers."""
    return model if is_engine(model) and not Path(model).exists() else f"hf:{model}"


def models_of(text: str) -> list[str]:
    """Return the models of a comma-separated list. Raises `UsageError`."""
    models = split_specs(text)
    if not models:
        raise UsageError("name a model to measure, such as hf:smollm2")
    if len(set(models)) < len(models):
        raise UsageError(f"{text}: a model is named twice")
    return models


def _roles(models: Sequence[str]) -> list[str]:
    return ["policy"] if len(models) == 1 else [f"policy_{n}" for n in range(1, len(models) + 1)]
