"""Settings of `pairwright sweep`, and the trainings that they describe. Free of torch."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from pydantic import Field, PositiveInt, ValidationError, model_validator

from pairwright.config import OPERATIONAL, unknown_setting
from pairwright.errors import UsageError
from pairwright.plugins import Named
from train.losses.facts import FACTS, RANKED, defaults_of
from train.preference.config import TrainConfig

POINTS = "points"
"""Where the trained models lie, a folder each."""
_NOT_SWEPT = ("model", "data", "output_dir", "eval_data", "preview", "dry_run", "fresh", "reference_store")
_RANGE = re.compile(r"\s*(\S+?)\.\.(\S+?)\s*")
_CHOSEN_BY_LOSS = ("loss", "preset")
_OF_LOSSES = {name for facts in (*FACTS.values(), *RANKED.values()) for name in facts.defaults}
"""Settings that a loss may have a default of its own for."""


class Range(NamedTuple):
    """Numbers from `low` to `high`, spread evenly in their logarithm; whole ones where both ends are."""

    low: float
    high: float
    whole: bool


class SweepConfig(TrainConfig):
    """Train a model for each point of a grid of settings, and say which is best.

    Example: pairwright sweep --model smollm2 --data runs/pairs --over beta=0.05,0.1 --output_dir runs/sweep
    """

    group: ClassVar[str] = "Sweep"

    over: str
    """What differs: `NAME=VALUE,VALUE;NAME=VALUE,VALUE`, every combination of which is trained. With
    `trials` also ranges: `learning_rate=1e-7..1e-5`."""
    by: str = Field(default="eval_rewards/accuracies", json_schema_extra=OPERATIONAL)
    """Metric that says which is best, the last value in `metrics.jsonl`; of losses the least. `pass_rate`
    where the models are measured by `verify`."""
    verify: Named | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Measure all models on `prompts` by a verifier, as `pairwright eval` does, and go by the pass rate."""
    prompts: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Held-out prompts for `verify`."""
    max_tokens: PositiveInt = Field(default=512, json_schema_extra=OPERATIONAL)
    """Most tokens of an answer in that."""
    trials: PositiveInt | None = None
    """Train so many points, each chosen by what came of those before (TPE of `optuna`), in place of all."""

    @model_validator(mode="before")
    @classmethod
    def _go_by_the_verifier(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("verify"):
            return {"by": "pass_rate", **values}
        return values

    @model_validator(mode="after")
    def _refuse_what_cannot_be_swept(self) -> "SweepConfig":
        ranges = [name for name, found in self.axes.items() if isinstance(found, Range)]
        if ranges and self.trials is None:
            raise UsageError(f"--over {ranges[0]}: a range needs --trials N; else give values with commas")
        if (self.verify is None) != (self.prompts is None):
            raise UsageError(
                "--verify and --prompts need each other: a verifier, and prompts to measure on"
            )
        if self.by == "pass_rate" and self.verify is None:
            raise UsageError("--by pass_rate: give --verify and --prompts, by which models are measured")
        if self.by.startswith("eval_") and not (self.eval_share or self.eval_data):
            raise UsageError(f"--by {self.by}: nothing is held out; give --eval_share or --eval_data")
        return self

    @property
    def axes(self) -> Mapping[str, Sequence[str] | Range]:
        """The values of every setting that differs. Raises `UsageError` for an unknown setting."""
        found: dict[str, Sequence[str] | Range] = {}
        for part in filter(None, (part.strip() for part in self.over.split(";"))):
            name, equals, text = (piece.strip() for piece in part.partition("="))
            if not equals or not text:
                raise UsageError(f"--over {part}: say NAME=VALUE,VALUE, such as beta=0.05,0.1")
            if name in found:
                raise UsageError(f"--over: {name} is given twice")
            if name not in TrainConfig.model_fields:
                raise UsageError(f"--over {part}: {unknown_setting(TrainConfig, name)}")
            if name in _NOT_SWEPT:
                raise UsageError(f"--over {part}: {name} is the same for all points of a sweep")
            found[name] = _range(part, text) or _values(part, text)
        if not found:
            raise UsageError("--over is empty: say NAME=VALUE,VALUE, such as learning_rate=1e-6,3e-6")
        return found

    def grid(self) -> list[dict[str, str]]:
        """Return every combination of the values, the last setting moving fastest."""
        axes = {name: values for name, values in self.axes.items() if not isinstance(values, Range)}
        return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]

    def point(self, values: Mapping[str, str]) -> TrainConfig:
        """Return the training at one point. Raises `UsageError`, naming the point, where it cannot be.

        Where the loss differs, settings that losses have defaults of their own for are those, unless they
        were given or differ too.
        """
        given = self.model_dump(include=set(TrainConfig.model_fields))
        if any(name in values for name in _CHOSEN_BY_LOSS):
            fields = TrainConfig.model_fields
            own = defaults_of(self.loss)
            for name in _OF_LOSSES:
                if given[name] == own.get(name, fields[name].default):
                    del given[name]
        place = f"{self.output_dir}/{POINTS}/{name_of(values)}"
        try:
            return TrainConfig(**given | dict(values) | {"output_dir": place})
        except UsageError as error:
            raise UsageError(f"--over, at {name_of(values)}: {error}") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = ".".join(map(str, first["loc"]))
            raise UsageError(f"--over, at {name_of(values)}: {name}: {first['msg']}") from None


def name_of(values: Mapping[str, str]) -> str:
    """Return the name of a point, and of its folder."""
    return "__".join(f"{name}={re.sub(r'[^A-Za-z0-9.+-]', '_', value)}" for name, value in values.items())


def _values(part: str, text: str) -> tuple[str, ...]:
    values = tuple(value.strip() for value in text.split(","))
    if not all(values) or len(set(values)) < len(values):
        raise UsageError(f"--over {part}: a value is empty or repeated")
    return values


def _range(part: str, text: str) -> Range | None:
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    try:
        low, high = map(float, found.groups())
    except ValueError:
        low = high = 0.0
    if not 0 < low < high:
        raise UsageError(f"--over {part}: a range goes from a number above 0 to a greater one")
    return Range(low, high, all(end.isdigit() for end in found.groups()))
