"""Settings of `pairwright loop`: its own, and in sections those of the commands that it runs.

Free of torch, so that `--help` answers at once.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from judge.comparison.config import WinrateSettings
from judge.config import JudgeSettings
from pairwright.config import ADDED, OPERATIONAL, Config
from pairwright.errors import UsageError
from pairwright.plugins import NamedEngine
from pairwright.stages.config import SampleSettings
from revise.config import ReviseSettings
from train.losses.facts import RANKED
from train.preference.config import PRESETS, ObjectiveConfig, TrainSettings
from train.rounds.before import identity_before, is_flat, sections_before
from train.rounds.config import (
    COMPARED,
    EVALUATED,
    STAGE,
    TRAINING,
    RoundsConfig,
    given_in,
    require_own_engine,
)

_ENGINES = ("batch_size", "max_concurrency", "deadline", "dtype", "device", "engine")
_ANSWERED = ("policy", "policy_max_tokens", "policy_temperature")
_MOVED: Mapping[str, Iterable[str]] = {
    "sample": ("policy", "n", "max_tokens", "temperature", "top_p"),
    "judge": ("judge", "protocol", "agree", "min_margin", "aspects", "max_failed", "judge_template"),
    "revise": ("reviser", "direction", "mode", "reply", "min_kept_share", "max_edit_distance"),
    "train": (
        *("preset", "loss", "beta", "label_smoothing", "sft_weight", "sft_reduction", "sft_times_beta"),
        *("learning_rate", "num_train_epochs", "max_steps", "pairs_per_update", "lr_scheduler_type"),
        *("warmup_ratio", "max_grad_norm", "weight_decay", "bf16", "seed"),
        *("lora_r", "lora_alpha", "lora_target_modules", "load_in_4bit"),
        *("max_length", "eval_share", "eval_data", "micro_batch_tokens", "gradient_checkpointing"),
        *("use_cpu", "eval_steps", "logging_steps", "save_steps", "save_total_limit", "report_to"),
    ),
}
"""What stood beside the loop's own settings before there were sections."""


class LoopSampleConfig(SampleSettings):
    """How the loop's own models answer."""

    policy: NamedEngine = Field(default="hf", json_schema_extra=OPERATIONAL)
    """Engine for the round's model: `hf`, `vllm`, or `openai:{model}@URL`, a server that loads the folder
    it is asked for."""

    @field_validator("policy")
    @classmethod
    def _own(cls, value: str) -> str:
        return require_own_engine(value)


class LoopReviseConfig(ReviseSettings):
    """How answers are revised, where `pairs` says so."""

    reviser: NamedEngine = Field(default="", json_schema_extra=OPERATIONAL)
    """Engine that revises, as for `revise`."""


class LoopLookConfig(Config):
    """What is measured after every round, and what ends the loop before its time."""

    group: ClassVar[str] = "Evaluation and early stop"

    eval_prompts: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Prompts for win rates; without them `eval_prompt_share` of `prompts` is held out for that."""
    eval_prompt_share: float = Field(default=0.1, gt=0, lt=1)
    """Share of `prompts` that is held out."""
    eval_limit: int | None = Field(default=200, gt=0)
    """Most prompts for win rates."""
    eval_temperature: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Softmax temperature of the answers that are compared."""
    stop_win_rate: float = Field(default=0.05, ge=0, le=1, json_schema_extra=OPERATIONAL)
    """Stop when the win rate is by more than this below that of the best round (the start's is 1/2), and
    prompt by prompt the 95 % interval of the difference is below 0; 1 never stops."""
    stop_below_best: bool = Field(default=True, json_schema_extra=OPERATIONAL)
    """Stop when a round passes less often than the best one, prompt by prompt and with its 95 % interval
    below 0 (`eval`)."""
    stop_contradictions: float = Field(default=0.15, ge=0, le=1, json_schema_extra=OPERATIONAL)
    """Stop when the share of verdicts that turn round with the order is by more than this above the
    first round's, and the 95 % interval of the rise is above 0; 1 never stops."""


class LoopConfig(LoopLookConfig, RoundsConfig):
    """Go through rounds of sampling, judging or revising, and training.

    Example: pairwright loop --model smollm2 --prompts p.jsonl --judge.judge hf:smollm2 --output_dir loop
    """

    moved: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {name: (f"{section}.{name}",) for section, names in _MOVED.items() for name in names}
        | {name: tuple(f"{s}.{name}" for s in ("sample", "judge", "revise")) for name in _ENGINES}
        | {
            "judge_pairs": ("judge.pairs",),
            "revise_template": ("revise.template",),
            "revise_max_tokens": ("revise.max_tokens",),
            "win_judge": ("winrate.judge",),
        }
    )
    managed: ClassVar[Mapping[str, Iterable[str]]] = MappingProxyType(
        {
            "sample": STAGE,
            "judge": (*STAGE, *_ANSWERED, "columns", "policies", "n", "stronger"),
            "revise": (*STAGE, *_ANSWERED),
            "eval": EVALUATED,
            "winrate": (*STAGE, *COMPARED),
            "train": (
                *(
                    *TRAINING,
                    "split",
                    "skip_bad_rows",
                    "pairs",
                    "merge_adapter",
                    "merge_scale",
                    "merge_first",
                    "form",
                    "ref_model",
                ),
                *("reference_store", "judge", "auto_prompts", "score_column"),
            ),
        }
    )

    prompts: str = Field(json_schema_extra=OPERATIONAL)
    """Prompts to answer in every round; their other columns go along, for templates and verifiers."""
    pairs: Literal["judge", "revise", "both"] = "judge"
    """`judge`: better against worse of the answers to a prompt. `revise`: an answer and its revision."""
    reference: Literal["initial", "previous"] = "previous"
    """Model that log-ratios are taken against: the start of the whole loop, or of the round."""
    prompts_per_round: PositiveInt | None = Field(default=None, json_schema_extra=ADDED)
    """Prompts of a round: the next so many, from the first again where they are used up; default all."""
    sync_every: PositiveInt = Field(default=1, json_schema_extra=ADDED)
    """Rounds that are sampled from one model before the newest takes its place; 1: each from the newest."""
    overlap: bool = Field(default=False, json_schema_extra=ADDED)
    """Sample the next round's answers while this one is trained, from the model that it began with: one
    round stale. With an engine on another device: `vllm`, or a server."""
    replay_share: float = Field(default=0.0, ge=0, lt=1, json_schema_extra=ADDED)
    """Share of a round's pairs that come from the rounds before it, as far as there are enough."""
    carry_optimizer: bool = Field(default=False, json_schema_extra=ADDED)
    """Train all rounds with one optimizer, whose moments go on from round to round, and one course of the
    learning rate over `rounds`; adapters are trained on and not merged."""
    sample: LoopSampleConfig = Field(default_factory=LoopSampleConfig)
    """How the round's model answers the prompts: settings of `pairwright sample`."""
    judge: JudgeSettings = Field(default_factory=JudgeSettings)
    """How its answers are compared into pairs: settings of `pairwright judge`."""
    revise: LoopReviseConfig = Field(default_factory=LoopReviseConfig)
    """How its answers are revised into pairs: settings of `pairwright revise`."""
    train: TrainSettings = Field(default_factory=TrainSettings)
    """How it is trained on the pairs: settings of `pairwright train`."""
    winrate: WinrateSettings = Field(default_factory=WinrateSettings)
    """How a round is compared with the start: settings of `pairwright winrate`, those of `judge` where
    nothing else is said."""

    @model_validator(mode="before")
    @classmethod
    def _compare_as_judged(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("winrate", {}), dict | Config):
            return values
        sections = {name: given_in(values.get(name)) for name in ("judge", "winrate")}
        return values | {"winrate": _as_judged(**sections)}

    @model_validator(mode="after")
    def _refuse_bad_combinations(self) -> "LoopConfig":
        if self.judges and self.judge.judge is None:
            raise UsageError(f"--pairs {self.pairs}: give --judge.judge, the engine that compares")
        if self.revises and not self.revise.reviser:
            raise UsageError(f"--pairs {self.pairs}: give --revise.reviser, the engine that revises")
        if self.pairs == "judge" and self.sample.n < 2:
            raise UsageError(
                "--sample.n 1: a comparison needs two answers to a prompt; give --sample.n 2 or more"
            )
        if self.pairs == "judge" and not self.sample.temperature:
            raise UsageError("--sample.temperature 0 makes all answers to a prompt equal; give one above 0")
        if self.carry_optimizer and self.train.load_in_4bit:
            raise UsageError(
                "--carry_optimizer: adapters on four bits are merged after every round, which ends their "
                "optimizer; leave out --train.load_in_4bit"
            )
        if self.train.loss == "auto":
            raise UsageError("--train.loss auto is for given pairs; in a loop take dpo or apo_zero")
        if self.train.loss in RANKED:
            raise UsageError(
                f"--train.loss {self.train.loss} learns from scored answers, and a loop makes pairs: take "
                "dpo or apo_zero, or let `pairwright game` score"
            )
        return self

    @property
    def course(self) -> dict[str, int]:
        """Whatever else decides the learning rate: how many rounds share one schedule."""
        moves = self.train.lr_scheduler_type != "constant" or self.train.warmup_ratio > 0
        return {"rounds": self.rounds} if self.carry_optimizer and moves else {}

    @property
    def judges(self) -> bool:
        """Whether pairs come from comparing answers."""
        return self.pairs != "revise"

    @property
    def revises(self) -> bool:
        """Whether pairs come from revising answers."""
        return self.pairs != "judge"

    @property
    def compares(self) -> bool:
        """Whether a judge measures how often a round beats the start."""
        return self.winrate.judge is not None

    @property
    def samples_held_out(self) -> bool:
        """Whether `sample` answers held-out prompts: for comparing, or since no `eval` does."""
        return self.compares or not self.evaluates


def _as_judged(judge: dict[str, Any], winrate: dict[str, Any]) -> dict[str, Any]:
    """Settings of `winrate`: what is said of it, else what is said of `judge`, as far as it is meant."""
    shared = {name: value for name, value in judge.items() if name in WinrateSettings.model_fields}
    specs = [spec.strip() for spec in str((shared | winrate).get("judge")).split(",")]
    if all(spec.startswith("reward:") for spec in specs):  # which is not asked in words
        shared.pop("protocol", None)
    if not any(spec.startswith("vllm:") for spec in specs):
        shared.pop("engine", None)
    return shared | winrate


def record_today(found: dict[str, Any], config: LoopConfig) -> dict[str, Any]:
    """Return the record of a loop's folder with settings in sections, whichever version wrote it."""
    if not is_flat(found, config):
        return found
    sections = sections_before(found, config)
    judges = str(sections["judge"].get("judge", "")).split(",")
    if all(spec.strip().startswith("reward:") for spec in judges):  # it was not used then
        sections["judge"].pop("protocol", None)
    preset = config.train.preset
    if preset is not None:  # what it stands for was filled in where a round trained, and not recorded
        fields = ObjectiveConfig.model_fields
        left = {n for n in PRESETS[preset] if sections["train"].get(n) == fields[n].default}
        kept = {name: value for name, value in sections["train"].items() if name not in left}
        sections["train"] = kept | {"preset": preset}
    return identity_before(found, config, sections)
