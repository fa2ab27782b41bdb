"""Settings of `pairwright eval`. Free of Arrow, so that help pages answer at once."""

from typing import ClassVar, Literal, NamedTuple

from pydantic import Field, PositiveInt

from pairwright.config import GATE, OPERATIONAL, POSITIONAL, Config
from pairwright.engines import EngineOptions
from pairwright.plugins import Named, NamedEngine
from pairwright.stages.budget import BudgetConfig

SuiteName = Literal["ifeval", "gsm8k", "ifbench"]


class EvaluateSettings(EngineOptions):
    """How models are measured: of `eval`, and wherever it is a step of something larger."""

    group: ClassVar[str] = "Evaluation"

    verify: Named | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Who says whether an answer is right: a function (`FILE.py:NAME`), a check (`check:math`),
    `reward:MODEL` or an engine that rates; several with commas between them must all pass it."""
    n: PositiveInt = 1
    """Answers of each model to each prompt."""
    k: PositiveInt | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Report pass@k besides: the chance that one of k answers passes; at most `n`."""
    max_tokens: PositiveInt = 1024
    """Most tokens of an answer; one that is cut off there counts as it stands."""
    temperature: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Softmax temperature of answers; default 0 (greedy) for one answer, 1 for several."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus: sample among the likeliest tokens with this probability mass."""
    min_score: float | None = Field(default=None, allow_inf_nan=False, json_schema_extra=GATE)
    """Least score of an answer that passes; default 1 for functions and checks."""
    by: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Columns, with commas between them, for each of whose values the rates are told too."""
    bootstrap_samples: PositiveInt = Field(default=10_000, json_schema_extra=OPERATIONAL)
    """Samples of the prompts behind the intervals."""
    seed: int = Field(default=42, ge=0, json_schema_extra=OPERATIONAL)
    """Decides these samples."""


class ModelsConfig(Config):
    """What is measured."""

    group: ClassVar[str] = "Models"

    models: NamedEngine = Field(json_schema_extra=POSITIONAL)
    """Engines (`hf:MODEL`, `openai:MODEL@URL` …) or folders of trained models, with commas between them;
    the others are compared with the first."""


class Suite(NamedTuple):
    """A set of prompts."""

    source: str
    """On the hub."""
    verify: str
    prompt_column: str
    by: str | None = None
    """Column whose values are told apart, where nothing else is asked."""


SUITES = {
    "ifeval": Suite("google/IFEval:train", "check:ifeval", "prompt", "instruction_id_list"),
    "gsm8k": Suite("openai/gsm8k:test", "check:math(gold=answer)", "question"),
    "ifbench": Suite("allenai/IFBench_test:train", "check:ifbench", "prompt", "instruction_id_list"),
}


class EvaluateConfig(EvaluateSettings, BudgetConfig, ModelsConfig):
    """Measure models on prompts by a verifier: pass rates, and their differences, with intervals.

    Example: pairwright eval hf:smollm2,runs/model --suite ifeval --out runs/eval
    """

    prompts: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Prompts to answer: a JSONL or Parquet file, a run folder, or a data set of the hub."""
    suite: SuiteName | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """A known set of prompts with its verifier: from `prompts`, or from the hub."""
    out: str = Field(json_schema_extra=OPERATIONAL)
    """Run folder to write. If it holds an unfinished run of the same settings, that is resumed."""
    limit: PositiveInt | None = None
    """Measure on the first N prompts only."""
    prompt_column: str | None = None
    """Column of prompts, when it is not `prompt`, `instruction`, `question` or `messages`."""
    preview: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Show the messages that the first rows would send; ask nothing, write nothing."""
    dry_run: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Count requests and tokens and estimate the time; ask nothing, write nothing."""
    fresh: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Start the folder over. Finished completions in its journal are used again."""
