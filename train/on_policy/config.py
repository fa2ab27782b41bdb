"""Settings of `pairwright loop`. Free of torch, so that `--help` answers at once."""

from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from pairwright.config import OPERATIONAL, Config
from pairwright.engines import EngineOptions
from pairwright.errors import UsageError
from train.config import AdapterConfig, PairsConfig, UpdateConfig, WorkConfig
from train.preference.config import RANKED_LOSSES, ObjectiveConfig, TrainConfig

OWN_OF_TRAIN = (
    "model",
    "data",
    "output_dir",
    "judge",
    "pairs",
    "limit",
    "ref_model",
    "reference_store",
    "merge_adapter",
)
"""Settings of a training that the loop decides by itself."""


class LoopPairsConfig(Config):
    """How answers become pairs."""

    group: ClassVar[str] = "Answers and pairs"

    pairs: Literal["judge", "revise", "both"] = "judge"
    """`judge`: better against worse of the answers to a prompt. `revise`: an answer and its revision."""
    n: PositiveInt = 4
    """Answers to each prompt in each round."""
    max_tokens: PositiveInt = 512
    """Most tokens an answer may have; one that is cut off there is left out."""
    temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """Softmax temperature of answers."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus of answers."""
    policy: Literal["hf", "vllm"] = "hf"
    """Kind of engine in which the loop's own models answer."""
    judge: str | None = None
    """Engine that judges (`vllm:MODEL`, `hf:MODEL`, `openai:MODEL@URL`, `reward:MODEL` …), or several with
    commas; win rates are by the same unless `win_judge` is given."""
    protocol: Literal["logprob", "choice", "text", "score"] | None = None
    """How judges are asked, as for `judge`."""
    agree: Literal["majority", "all", "mean"] = "majority"
    """How several judges decide, as for `judge`."""
    min_margin: float = Field(default=0.1, ge=0, le=1)
    """Least margin of a judged pair."""
    judge_pairs: Literal["best_worst", "all"] = "best_worst"
    """`best_worst`: one pair a prompt. `all`: every two answers that are told apart."""
    aspects: str = "correctness:2,helpfulness:2,clarity:1"
    """What the protocol `score` rates, with weights."""
    max_failed: float = Field(default=0.1, ge=0, le=1, json_schema_extra=OPERATIONAL)
    """Most prompts without a verdict in a round, as a share; with more the loop stops."""
    judge_template: str | None = None
    """Prompt template for judges: a name in `prompts/` or a .j2 file."""
    reviser: str | None = None
    """Engine that revises (`vllm:MODEL`, `hf:MODEL`, `openai:MODEL@URL` …)."""
    direction: Literal["improve", "worsen"] = "improve"
    """`improve`: the revision is chosen. `worsen`: the revision is rejected."""
    mode: Literal["rewrite", "edits"] = "rewrite"
    """How it revises, as for `revise`: the whole answer, or a list of edits."""
    reply: Literal["marked", "bare"] = "marked"
    """Form of a revision, as for `revise`; `bare` suits small models."""
    revise_template: str | None = None
    """Prompt template for the reviser: a name in `prompts/` or a .j2 file."""
    revise_max_tokens: PositiveInt = 2048
    """Most tokens of a reviser's completion."""
    min_kept_share: float = Field(default=0.5, ge=0, le=1)
    """Least share of the answer's words that a revision keeps, as for `revise`."""
    max_edit_distance: float = Field(default=0.6, ge=0, le=1)
    """Largest edit distance of a revision, as for `revise`."""


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
    win_judge: str | None = None
    """Engine that says whether a round's answers beat the start's; `judge` by default."""
    stop_win_rate: float = Field(default=0.05, ge=0, le=1, json_schema_extra=OPERATIONAL)
    """Stop when the win rate is by more than this below that of the best round (the start's is 1/2);
    1 never stops."""
    stop_contradictions: float = Field(default=0.15, ge=0, le=1, json_schema_extra=OPERATIONAL)
    """Stop when the share of verdicts that turn round with the order is by more than this above the
    first round's; 1 never stops."""


class LoopConfig(
    LoopLookConfig,
    LoopPairsConfig,
    ObjectiveConfig,
    UpdateConfig,
    AdapterConfig,
    PairsConfig,
    EngineOptions,
    WorkConfig,
):
    """Go through rounds of sampling, judging or revising, and training.

    Example: pairwright loop --model smollm2 --prompts p.jsonl --judge hf:smollm2 --output_dir runs/loop
    """

    model: str = Field(json_schema_extra=OPERATIONAL)
    """The model at the start: a folder, a model of the hub, or `smollm2`."""
    prompts: str = Field(json_schema_extra=OPERATIONAL)
    """Prompts to answer in every round."""
    output_dir: str = Field(json_schema_extra=OPERATIONAL)
    """Folder of the loop. An unfinished loop in it is taken up where it stopped."""
    rounds: PositiveInt = Field(default=3, json_schema_extra=OPERATIONAL)
    """Rounds in all; a finished loop goes on when there are more."""
    reference: Literal["initial", "previous"] = "previous"
    """Model that log-ratios are taken against: the start of the whole loop, or of the round."""
    limit: int | None = Field(default=None, gt=0)
    """Use the first N prompts only."""

    @model_validator(mode="after")
    def _refuse_bad_combinations(self) -> "LoopConfig":
        if self.judges and self.judge is None:
            raise UsageError(f"--pairs {self.pairs}: give --judge, the engine that compares")
        if self.revises and self.reviser is None:
            raise UsageError(f"--pairs {self.pairs}: give --reviser, the engine that revises")
        if self.pairs == "revise" and self.judge is not None and self.win_judge is None:
            raise UsageError("--pairs revise asks no --judge for pairs; for win rates name it --win_judge")
        if self.pairs == "judge" and self.n < 2:
            raise UsageError("--n 1: one answer to a prompt is nothing to compare; ask for two or more")
        if self.pairs == "judge" and not self.temperature:
            raise UsageError("--temperature 0 makes all answers to a prompt equal; nothing to compare")
        if self.loss == "auto":
            raise UsageError("--loss auto is for pairs of others; in a loop take dpo or apo_zero")
        if self.loss in RANKED_LOSSES:
            raise UsageError(
                f"--loss {self.loss} learns from scored answers, and a loop makes pairs: take dpo or "
                "apo_zero, or let `pairwright game` score"
            )
        self.training("model", ("data",), "out", None)
        return self

    @property
    def judges(self) -> bool:
        """Whether pairs come from comparing answers."""
        return self.pairs != "revise"

    @property
    def revises(self) -> bool:
        """Whether pairs come from revising answers."""
        return self.pairs != "judge"

    @property
    def compares(self) -> str | None:
        """Who says how often a round beats the start, if anybody."""
        return self.win_judge or self.judge

    def training(self, model: str, data: tuple[str, ...], out: str, reference: str | None) -> TrainConfig:
        """Settings of a round's training: what was given here, and the defaults of `train`."""
        names = self.model_fields_set & TrainConfig.model_fields.keys() - set(OWN_OF_TRAIN)
        given: dict[str, Any] = {name: getattr(self, name) for name in names}
        return TrainConfig(
            **given,
            model=model,
            data=data,
            output_dir=out,
            merge_adapter=bool(self.lora_r),
            ref_model=reference,
            reference_store="none",  # the pairs of a round are asked about once
        )
