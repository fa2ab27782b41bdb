"""Settings of work in rounds: what a loop and a game share."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, PositiveInt, model_validator

from judge.evaluation.config import EvaluateSettings
from pairwright.config import OPERATIONAL, Config
from pairwright.engines import EngineOptions
from pairwright.errors import UsageError
from pairwright.stages.budget import BudgetConfig
from pairwright.stages.config import ReadingConfig

STAGE = (
    *ReadingConfig.model_fields,
    *("input", "out", "answer_column", "turn", "shard_size", "shard", "preview", "dry_run", "fresh"),
    *BudgetConfig.model_fields,
)
"""Settings of a stage that each round decides, or that stand above the sections."""
TRAINING = (
    *("model", "data", "output_dir", "save_dtype", "preview", "dry_run", "fresh"),
    *("save_optimizer", "optimizer_from", "schedule_part"),
)
"""Such settings of a training."""
COMPARED = (
    *("a", "b", "others", "prompts", "max_tokens", "temperature"),
    *("design", "prompts_per_round", "until"),
)
"""Such settings of a comparison: of two models, and not of a tournament."""
EVALUATED = (*STAGE, "models", "prompts", "suite")
"""Such settings of an evaluation."""
S = TypeVar("S", bound=EngineOptions)
_OWN_ENGINES = ("hf", "vllm")
"""Kinds of engine that load the folder of a model."""
_FOLDER = "{model}"
"""What stands for that folder in the name of a server."""


class RoundsConfig(ReadingConfig):
    """Which model, how many rounds, and where."""

    model: str = Field(json_schema_extra=OPERATIONAL)
    """The model at the start: a folder, a model of the hub, or `smollm2`."""
    output_dir: str = Field(json_schema_extra=OPERATIONAL)
    """Folder of all rounds. Unfinished work in it is taken up where it stopped."""
    rounds: PositiveInt = Field(default=3, json_schema_extra=OPERATIONAL)
    """Rounds in all; where these are over, work goes on when there are more."""
    preview: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Show what the steps of a round would ask; ask nothing, write nothing."""
    dry_run: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Count what the steps of a round would ask; ask nothing, write nothing."""
    budget: BudgetConfig = Field(default_factory=BudgetConfig)
    """Limits over all rounds, of tokens or of money."""
    eval: EvaluateSettings = Field(default_factory=EvaluateSettings)
    """How a round's model is measured on the prompts for comparison, where `eval.verify` names a verifier:
    settings of `pairwright eval`."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_has_moved(cls, values: Any) -> Any:
        if isinstance(values, dict):
            sections = [n for n, value in values.items() if isinstance(value, dict | Config)]
            moved = [n for n in values if n in cls.moved and n not in cls.model_fields.keys() & sections]
            if moved:
                raise UsageError(cls.where_moved(moved))
        return values

    @model_validator(mode="after")
    def _refuse_an_adapter(self) -> "RoundsConfig":
        for name in ("sample", "eval"):
            if getattr(getattr(self, name, None), "adapter", ""):
                raise UsageError(
                    f"--{name}.adapter: rounds sample from what they train; give it as --model"
                )
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that decide what comes of the rounds; those of gates do, since it is trained on."""
        found = self.of_kind("semantic") | self.of_kind("gate")
        return {n: v for n, v in found.items() if self.evaluates or not n.startswith("eval.")}

    @property
    def evaluates(self) -> bool:
        """Whether a verifier measures the model of each round."""
        return self.eval.verify is not None


def on_one_device(section: S, *, use_cpu: bool) -> S:
    """Return an engine's settings, on the CPU if all training stays there and no device is set."""
    stays = use_cpu and section.device == "auto"
    return section.model_copy(update={"device": "cpu"}) if stays else section


def given_in(section: Any) -> dict[str, Any]:
    """Return the given settings of a section, which may be a settings object already."""
    if isinstance(section, Config):
        return section.model_dump(exclude_unset=True)
    return dict(section) if isinstance(section, dict) else {}


def require_own_engine(policy: str) -> str:
    """Return the engine that rounds sample with. Raises `ValueError` if it cannot load what they train."""
    if policy not in _OWN_ENGINES and _FOLDER not in policy:
        raise ValueError(
            f"rounds sample from the model that they train: write {' or '.join(_OWN_ENGINES)}, or "
            f"openai:{_FOLDER}@URL for a server that loads the folder it is asked for"
        )
    return policy


def engine_of(policy: str, model: str) -> str:
    """Return the engine spec with which such a policy answers by a model."""
    if _FOLDER not in policy:
        return f"{policy}:{model}"
    from pairwright.models.names import resolve_model

    place = Path(resolve_model(model))
    return policy.replace(_FOLDER, str(place.resolve() if place.is_dir() else model))
