"""Settings that every stage takes."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveInt

from pairwright.config import ADDED, OPERATIONAL, POSITIONAL, Config
from pairwright.engines import EngineOptions
from pairwright.errors import UsageError
from pairwright.inputs.columns import Columns
from pairwright.inputs.config import SourceConfig
from pairwright.plugins import NamedEngine
from pairwright.stages.budget import BudgetConfig

if TYPE_CHECKING:  # help pages need the settings, and should not wait for Arrow
    from pairwright.stages.workers import Share


class PlaceConfig(Config):
    """What is worked on, and where it goes."""

    group: ClassVar[str] = "Rows and folder"

    input: str = Field(json_schema_extra=POSITIONAL)
    """Rows to work on: a file (JSON, CSV, Parquet …), `-` (standard input), a run folder, or a data set, on
    disk or of the hub."""
    out: str = Field(json_schema_extra=OPERATIONAL)
    """Run folder to write. If it holds an unfinished run of the same settings, that is resumed."""


class ReadingConfig(SourceConfig):
    """How rows are read."""

    group: ClassVar[str] = "Rows and folder"

    limit: int | None = Field(default=None, gt=0)
    """Work on the first N rows only."""
    skip_bad_rows: int = Field(default=0, ge=0, json_schema_extra=OPERATIONAL)
    """Pass over up to N rows that cannot be read; a run keeps each in `dropped/`, with what is wrong."""
    prompt_column: str | None = None
    """Column of prompts, when it is not `prompt`, `instruction`, `question` or `messages`."""
    system_column: str | None = Field(default=None, json_schema_extra=ADDED)
    """Column of system messages, when it is not `system`, `system_prompt` or `system_message`."""
    carry_only: str | None = Field(default=None, json_schema_extra=ADDED)
    """Columns that are no part of the prompt, whatever they are called (`system`, `history`, `tools` …),
    with commas between them; they are carried along."""

    @property
    def wanted_columns(self) -> Columns:
        """The columns to read."""
        apart = tuple(name.strip() for name in (self.carry_only or "").split(",") if name.strip())
        return Columns(self.prompt_column, system=self.system_column, carry_only=apart)


class RunConfig(ReadingConfig, PlaceConfig):
    """Which rows to work on, and into which folder."""

    group: ClassVar[str] = "Rows and folder"

    answer_column: str | None = None
    """Column of answers, when it is not `completion`, `response`, `output`, `answer` or `rejected`."""
    shard_size: int = Field(default=1000, gt=0, json_schema_extra=OPERATIONAL)
    """Rows of work in a shard. An existing run keeps the size it began with."""
    preview: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Show the messages that the first rows would send; ask nothing, write nothing."""
    dry_run: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Count requests and tokens and estimate the time; ask nothing, write nothing."""
    fresh: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Start the folder over. Finished completions in its journal are used again."""

    @property
    def wanted_columns(self) -> Columns:
        """The columns to read, one of answers among them."""
        return super().wanted_columns._replace(answer=self.answer_column)

    @property
    def source(self) -> str:
        """The name of what is read, split and all."""
        return self.split_of(self.input)


class TurnConfig(RunConfig):
    """Which turns of conversations are worked on."""

    group: ClassVar[str] = "Rows and folder"

    turn: str | None = Field(default=None, pattern=r"^(all|-?[1-9][0-9]*)$", json_schema_extra=ADDED)
    """Turn of the assistant that is the row's answer, with what was said before it as the prompt: 1 is the
    first, -1 the last, `all` makes a row of each. By default the end of the conversation."""

    @property
    def wanted_columns(self) -> Columns:
        """The columns to read, and which turns."""
        return super().wanted_columns._replace(turn=self.turn)


class StageConfig(EngineOptions, RunConfig):
    """What every stage needs to know."""


class RayConfig(Config):
    """How the rows are spread over a cluster."""

    group: ClassVar[str] = "Rows and folder"

    ray: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Let actors of a Ray cluster do the run: that of `RAY_ADDRESS`, or one on this machine."""
    ray_actors: int = Field(default=2, gt=0, json_schema_extra=OPERATIONAL)
    """Actors, each a worker with engines of its own."""
    ray_gpus: float = Field(default=0.0, ge=0, json_schema_extra=OPERATIONAL)
    """GPUs of each actor."""


class WorkersConfig(RayConfig):
    """Who does the rows of a run, when it is not this process alone."""

    group: ClassVar[str] = "Rows and folder"

    shard: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """`i/n`: this process is worker i of n (from 0) on one folder, and does every n-th shard."""

    @property
    def share(self) -> "Share | None":
        """This process's part of the run; None when it is all of it. Raises `UsageError`."""
        from pairwright.stages.workers import read_share

        if self.ray and self.shard is not None:
            raise UsageError("give --ray or --shard: with --ray, the actors are the workers")
        return None if self.shard is None else read_share(self.shard)


class SharedStageConfig(WorkersConfig, BudgetConfig, StageConfig):
    """What a stage needs to know that asks engines, and whose rows several workers may do."""


class SampleSettings(RayConfig, EngineOptions):
    """How answers are sampled: of `sample`, and wherever it is a step of something larger."""

    policy: NamedEngine = Field(json_schema_extra=OPERATIONAL)
    """Engine that answers: `vllm:MODEL`, `hf:MODEL`, `hf:smollm2`, `openai:MODEL@URL`,
    `any:PROVIDER/MODEL` or `canned:FILE`."""
    n: PositiveInt = 4
    """Answers to each prompt."""
    max_tokens: PositiveInt = 512
    """Most tokens an answer may have; one that is cut off there is dropped as `truncated`."""
    temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """Softmax temperature; 0 is greedy, so that all answers of a prompt are the same."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus: sample among the likeliest tokens with this probability mass."""
