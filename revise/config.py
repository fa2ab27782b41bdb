"""Settings of `pairwright revise`."""

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from pairwright.config import ADDED, GATE, OPERATIONAL, PLUGINS, Config
from pairwright.engines import EngineOptions
from pairwright.engines.verifiers.config import VerifyConfig
from pairwright.errors import UsageError
from pairwright.inputs.columns import Columns
from pairwright.plugins import Named, NamedEngine
from pairwright.stages.config import RayConfig, SharedStageConfig, TurnConfig


class GateConfig(Config):
    """Limits between a minimal revision and something else."""

    group: ClassVar[str] = "Gates"

    min_kept_share: float = Field(default=0.5, ge=0, le=1, json_schema_extra=GATE)
    """Least share of the original answer's words that a revision keeps, in order."""
    max_edit_distance: float = Field(default=0.6, ge=0, le=1, json_schema_extra=GATE)
    """Most words edited, as a share of the longer answer."""
    min_length_ratio: float = Field(default=0.7, ge=0, allow_inf_nan=False, json_schema_extra=GATE)
    """Least words of the revision for each word of the original."""
    max_length_ratio: float = Field(default=1.5, gt=0, allow_inf_nan=False, json_schema_extra=GATE)
    """Most words of the revision for each word of the original."""
    gates: tuple[Named, ...] = Field(default=(), json_schema_extra=GATE | ADDED | PLUGINS)
    """Gates of your own after the others, named `FILE.py:NAME` or `MODULE:NAME`: functions
    `(revision, config)` that return an `Ending`, or None to let it pass."""

    @field_validator("gates", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

    def check_lengths(self) -> None:
        """Raise `UsageError` for bounds of the length ratio that no revision can meet."""
        if self.min_length_ratio > self.max_length_ratio:
            raise UsageError(
                f"--min_length_ratio {self.min_length_ratio:g} is more than "
                f"--max_length_ratio {self.max_length_ratio:g}: no revision could pass"
            )


class ReviseSettings(VerifyConfig, GateConfig, RayConfig, EngineOptions):
    """How answers are revised: of `revise`, and wherever it is a step of something larger."""

    reviser: NamedEngine = Field(json_schema_extra=OPERATIONAL)
    """Engine that revises: `vllm:MODEL`, `hf:MODEL`, `hf:smollm2`, `openai:MODEL@URL`,
    `any:PROVIDER/MODEL` or `canned:FILE`, or a function, `python:FILE.py:NAME`. Of several with commas
    between them, the next is tried where one gave nothing that is kept."""
    direction: Literal["improve", "worsen"] = "improve"
    """`improve`: the revision is chosen. `worsen`: the revision is rejected."""
    mode: Literal["rewrite", "edits"] = "rewrite"
    """`rewrite`: the reviser gives a rationale, then the whole corrected answer. `edits`: it gives a list
    of edits, all of which are made in the answer, or none."""
    edit_unit: Literal["auto", "text", "sentence"] = "auto"
    """What an edit replaces: `text` that it quotes, or a numbered `sentence`. `auto`: sentences in
    answers of 300 words and more."""
    pairs: Literal["whole", "chain"] = Field(default="whole", json_schema_extra=GATE | ADDED)
    """`whole`: one pair of the answer and its revision. `chain`: of edits each its own, the answer after it
    over the answer before it, in columns `step` and `steps`."""
    min_match_ratio: float = Field(default=0.85, ge=0.5, le=1, json_schema_extra=GATE)
    """Least likeness (0 to 1) between what an edit quotes and the answer's text; 1: no near matches."""
    constrain: bool = True
    """Hold edits to their JSON schema where the engine can; not for servers that ignore schemas."""
    template: str | None = None
    """Prompt template for the reviser: a name in `prompts/` or a .j2 file; default by direction. It can
    show any column of the row: `{{ row.reference }}`."""
    reply: Literal["marked", "bare"] = Field(default="marked", json_schema_extra=GATE)
    """`marked`: rationale and revision stand between markers. `bare`: the whole reply is the revision,
    for small models, which keep to no form; give a template that asks for that, as `revise_small`."""
    max_tokens: PositiveInt = 2048
    """Most tokens of a reviser's completion; one that is cut off there is dropped as `truncated`."""
    temperature: float = Field(default=0.7, ge=0, allow_inf_nan=False)
    """Softmax temperature of the reviser."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus of the reviser."""
    mirror: str | None = Field(default=None, json_schema_extra=GATE | ADDED)
    """Column of each row's other prompt, which does not ask for what is mended: a kept pair brings a second
    one, of the same answers under that prompt, with chosen and rejected swapped. Several, with commas
    between them, bring one each."""
    cross: str | None = Field(default=None, json_schema_extra=GATE | ADDED)
    """Column of what rows that ask for different things have in common, such as the task: the rejected
    answer of a kept pair is then the same answer, revised for another such row's prompt, and by `--verify`
    worse under this one. With `--mirror`, one of three such pairs brings its mirrors."""
    reverse_constraints: bool = Field(default=False, json_schema_extra=ADDED)
    """Have the reviser also write the prompt that the rejected answer is right for: what it fails is asked
    for the other way. Under that a second pair has the sides swapped; `reversal` says whether it came."""
    retry: bool = True
    """Ask once more, with feedback, when a gate or a verifier drops a revision."""
    tries: PositiveInt = Field(default=2, json_schema_extra=GATE | ADDED)
    """Most tries of each reviser for an answer, the first included; with `--no_retry` there is one."""


class ReviseConfig(ReviseSettings, TurnConfig, SharedStageConfig):
    """Revise answers minimally and keep each with its revision as a preference pair.

    Example: pairwright revise answers.jsonl --reviser hf:smollm2 --out runs/pairs
    """

    out: str = Field(default="", json_schema_extra=OPERATIONAL)
    """Run folder to write; `runs/NAME-revised` for an input NAME by default. If it holds an unfinished
    run of the same settings, that is resumed."""
    policy: NamedEngine | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Engine that first answers the prompts of rows that have no answer yet."""
    policy_max_tokens: PositiveInt = 512
    """Most tokens of an answer that the policy is asked for."""
    policy_temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """Softmax temperature of the policy."""

    @model_validator(mode="after")
    def _refuse_a_chain_without_edits(self) -> "ReviseConfig":
        if self.pairs == "chain" and self.mode != "edits":
            raise UsageError("--pairs chain: needs --mode edits, whose edits form the chain")
        return self

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        if isinstance(given, dict) and "out" not in given and "input" in given:
            return given | {"out": f"runs/{Path(str(given['input'])).stem}-revised"}
        return given


class GivenPairsConfig(VerifyConfig, GateConfig, SharedStageConfig):
    """Measure pairs that others made, and keep those that are minimal revisions by the gates of `revise`.

    Example: pairwright gate corrections.jsonl --chosen_column final --out runs/pairs
    """

    chosen_column: str | None = None
    """Column of the better answers, when it is not `chosen` or `edited`."""
    rejected_column: str | None = None
    """Column of the worse answers, when it is not `rejected` or `draft`."""
    direction: Literal["improve", "worsen"] = "improve"
    """`improve`: chosen was made from rejected. `worsen`: rejected was made from chosen."""

    @property
    def wanted_columns(self) -> Columns:
        """The columns to read, both sides of the pair among them."""
        sides = (self.chosen_column or "", self.rejected_column or "")
        return super().wanted_columns._replace(answer=None, answers=sides)
