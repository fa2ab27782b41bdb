"""`evaluation.json`: the results of an evaluation."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from judge.evaluation.config import EvaluateSettings
from judge.evaluation.statistics import Vector, difference, pass_at, rate
from pairwright.engines.verifiers.spec import split_specs
from pairwright.errors import PairwrightError
from pairwright.figures.intervals import Interval, sign_test
from pairwright.folders.json_record import read_record
from pairwright.folders.shards import read_tables
from pairwright.records import Record

EVALUATION = "evaluation.json"
_AGAIN = "make it with pairwright eval … --fresh"
_EXAMPLES = 6
"""Prompts shown of those that a model won, and of those that it lost."""
_INSTRUCTIONS = "instruction_id_list"


class ModelMeasures(Record):
    """One model on all prompts, or on those with one value of a column."""

    model: str
    prompts: int
    pass_rate: Interval
    difference: Interval | None = None
    """To the first model, on the same prompts; none for the first itself."""
    won: int = 0
    """Prompts on which more of its answers pass than of the first model's."""
    lost: int = 0
    mcnemar: float | None = None
    """Two-sided exact p-value of won against lost; McNemar's test where there is one answer a prompt."""
    pass_at_k: float | None = None
    mean_score: float = 0.0
    instructions: float | None = None
    """Share of single instructions followed, where the prompts carry `instruction_id_list`."""
    mean_tokens: float = 0.0
    mean_characters: float = 0.0
    ended: float = 0.0
    """Share of answers that ended by themselves."""


class Example(Record):
    """A prompt on which a model and the first one differ."""

    prompt: str
    first: str
    other: str
    feedback: str
    """What the verifier says of the answer that does not pass."""


class Compared(Record):
    """Some prompts that a model won against the first, and some that it lost."""

    model: str
    won: tuple[Example, ...]
    lost: tuple[Example, ...]


class Evaluation(Record):
    """The results of an evaluation."""

    verify: str
    verdict: str
    """The numbers in words."""
    n: int
    k: int | None
    prompts: int
    """With a score of every answer; the rates are over these."""
    repeats: int = 0
    """How many of them are another's text again, so that the intervals are too narrow."""
    unscored: int
    failed: int
    trained_on: dict[str, int]
    """Prompts that a model's own training data hold, by model, where any are known."""
    models: tuple[ModelMeasures, ...]
    by: dict[str, dict[str, tuple[ModelMeasures, ...]]]
    """The same by column and value."""
    examples: tuple[Compared, ...]


Prompts = Mapping[str, Sequence[Mapping[str, Any]]]
"""The rows of each prompt."""


def measured(
    config: EvaluateSettings,
    models: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    counts: Mapping[str, int],
    trained_on: Mapping[str, int],
    out: str,
) -> Evaluation:
    """Return the numbers of finished answers. Raises `PairwrightError` when nothing was scored."""
    answered: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        answered[f"{row['prompt_id']} {row['sample_index'] // config.n}"].append(row)
    prompts = {key: of for key, of in answered.items() if all(row["score"] is not None for row in of)}
    if not prompts:
        raise PairwrightError(f"no prompt was scored; the reasons are in {out}/dropped")
    found = _of_all(config, models, prompts)
    return Evaluation(
        verify=config.verify or "",
        verdict=in_words(found),
        n=config.n,
        k=config.k,
        prompts=len(prompts),
        repeats=len(prompts) - len({key.partition(" ")[0] for key in prompts}),
        unscored=counts.get("unscored", 0) + len(answered) - len(prompts),
        failed=counts.get("failed", 0),
        trained_on={model: count for model, count in trained_on.items() if count},
        models=found,
        by={column: _by(config, models, prompts, column) for column in split_specs(config.by or "")},
        examples=tuple(_examples(models[0], model, prompts) for model in models[1:]),
    )


def in_words(models: Sequence[ModelMeasures]) -> str:
    """Say in words which models are shown to be better or worse than the first."""
    said = []
    for model in models[1:]:
        assert model.difference is not None
        shown = model.difference.low > 0 or model.difference.high < 0
        sure = shown and model.mcnemar is not None and model.mcnemar < 0.05
        how = "better than" if model.difference.value > 0 else "worse than"
        said.append(f"{model.model} is {how if sure else 'not shown to differ from'} {models[0].model}")
    return "; ".join(said)


def load_evaluation(folder: Path) -> Evaluation:
    """Return what `eval` wrote into a folder. Raises `PairwrightError` when it cannot be read."""
    found = read_record(folder / EVALUATION, Evaluation, _AGAIN)
    if found is None:
        raise PairwrightError(f"{folder}: no {EVALUATION} here; {_AGAIN}")
    return found


class RunsCompared(NamedTuple):
    """Two runs that measured a model each, prompt by prompt."""

    difference: Interval
    """How much more of the second passes than of the first, with its 95 % interval over prompts."""
    won: int
    """Prompts on which more answers of the second pass."""
    lost: int


def compare_runs(first: Path, other: Path) -> RunsCompared:
    """Compare two runs on the prompts that both have."""
    sides = [_passed_in(folder) for folder in (first, other)]
    common = sorted(sides[0].keys() & sides[1].keys())
    first_P, other_P = (np.array([side[key] for key in common]) for side in sides)
    defaults = EvaluateSettings()
    found = difference(first_P, other_P, defaults.bootstrap_samples, defaults.seed)
    return RunsCompared(found, int((other_P > first_P).sum()), int((other_P < first_P).sum()))


def _passed_in(folder: Path) -> dict[str, float]:
    """Of each prompt of a run that measured one model, the share of answers that pass."""
    found: dict[str, list[bool]] = defaultdict(list)
    for table in read_tables(folder):
        columns = table.select(["row_id", "passed"]).to_pydict()
        for key, passed in zip(columns["row_id"], columns["passed"], strict=True):
            found[key].append(passed)
    return {key: float(np.mean(passed)) for key, passed in found.items()}


def _by(
    config: EvaluateSettings, models: Sequence[str], prompts: Prompts, column: str
) -> dict[str, tuple[ModelMeasures, ...]]:
    """Measures by the values of a column; a list counts for each of its own, or as `none`."""
    groups: dict[str, dict[str, Sequence[Mapping[str, Any]]]] = defaultdict(dict)
    for key, rows in prompts.items():
        value = rows[0][column]
        for part in (value or [None]) if isinstance(value, list) else [value]:
            groups["none" if part is None else str(part)][key] = rows
    return {value: _of_all(config, models, groups[value]) for value in sorted(groups)}


def _of_all(config: EvaluateSettings, models: Sequence[str], prompts: Prompts) -> tuple[ModelMeasures, ...]:
    answers = {
        model: [[row for row in rows if row["completion_model"] == model] for rows in prompts.values()]
        for model in models
    }
    first_P = _shares(answers[models[0]])
    return tuple(
        _of_one(config, model, answers[model], None if model == models[0] else first_P) for model in models
    )


def _shares(answers: Sequence[Sequence[Mapping[str, Any]]]) -> Vector:
    """Of each prompt, the share of answers that pass."""
    return np.array([np.mean([row["passed"] for row in of_prompt]) for of_prompt in answers])


def _of_one(
    config: EvaluateSettings,
    model: str,
    answers: Sequence[Sequence[Mapping[str, Any]]],
    first_P: Vector | None,
) -> ModelMeasures:
    rows = [row for of_prompt in answers for row in of_prompt]
    passed_P = _shares(answers)
    compared: dict[str, Any] = {}
    if first_P is not None:
        won, lost = int((passed_P > first_P).sum()), int((passed_P < first_P).sum())
        compared = {
            "difference": difference(first_P, passed_P, config.bootstrap_samples, config.seed),
            "won": won,
            "lost": lost,
            "mcnemar": sign_test(won, lost),
        }
    scores = [row["score"] for row in rows]
    counts = [sum(row["passed"] for row in of_prompt) for of_prompt in answers]
    return ModelMeasures(
        model=model,
        prompts=len(answers),
        pass_rate=rate(passed_P, config.bootstrap_samples, config.seed),
        pass_at_k=None if config.k is None else pass_at(config.k, counts, config.n),
        mean_score=float(np.mean(scores)),
        instructions=_instructions(rows),
        mean_tokens=float(np.mean([row["answer_tokens"] for row in rows])),
        mean_characters=float(np.mean([len(row["completion"][0]["content"]) for row in rows])),
        ended=float(np.mean([row["finish_reason"] == "stop" for row in rows])),
        **compared,
    )


def _instructions(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Share of all instructions that are followed: a row's score is the share of its own."""
    lists = [row.get(_INSTRUCTIONS) for row in rows]
    if not all(isinstance(names, list) for names in lists):
        return None
    counted = [len(names) for names in lists if names is not None]
    followed: float = sum(row["score"] * n for row, n in zip(rows, counted, strict=True))
    return followed / max(sum(counted), 1)


def _examples(first: str, model: str, prompts: Prompts) -> Compared:
    """Prompts in the order of their hashes: a fair sample, and the same one everywhere."""
    won: list[Example] = []
    lost: list[Example] = []
    for _, rows in sorted(prompts.items()):
        mine = next(row for row in rows if row["completion_model"] == model)
        theirs = next(row for row in rows if row["completion_model"] == first)
        if mine["passed"] == theirs["passed"]:
            continue
        example = Example(
            prompt=rows[0]["prompt"][-1]["content"],
            first=theirs["completion"][0]["content"],
            other=mine["completion"][0]["content"],
            feedback=(theirs if mine["passed"] else mine)["feedback"] or "",
        )
        (won if mine["passed"] else lost).append(example)
    return Compared(model=model, won=tuple(won[:_EXAMPLES]), lost=tuple(lost[:_EXAMPLES]))
