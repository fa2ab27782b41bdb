"""Settings of `pairwright train`. Free of torch, so that `--help` answers at once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from pairwright.config import OPERATIONAL, Config
from pairwright.errors import UsageError

LossName = Literal[
    "auto", "dpo", "ipo", "apo_zero", "apo_down", "apo_zero_unpaired", "rejection_sampling", "rrhf"
]
SftReduction = Literal["sum", "mean"]
SchedulerName = Literal["cosine", "linear", "constant"]
PairsName = Literal["best_worst", "all", "adjacent"]
PresetName = Literal["rpo_sum", "rpo_mean", "irpo"]

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "rpo_sum": {
            "loss": "dpo",
            "beta": 0.01,
            "sft_weight": 0.005,
            "sft_reduction": "sum",
            "sft_times_beta": True,
        },
        "rpo_mean": {"loss": "dpo", "beta": 0.5, "sft_weight": 0.2, "sft_reduction": "mean"},
        "irpo": {"loss": "dpo", "sft_weight": 1.0, "sft_reduction": "mean"},
    }
)
"""Published settings. `rpo_*` are the two official implementations of Liu et al. 2024
(https://arxiv.org/abs/2405.16436), which are not the same loss; `irpo` is the SFT weight of Pang et
al. 2024 (https://arxiv.org/abs/2404.19733)."""

RANKED_LOSSES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "rejection_sampling": {"sft_weight": 1.0, "sft_reduction": "mean"},
        "rrhf": {"sft_weight": 1.0, "sft_reduction": "sum"},
    }
)
"""Losses of scored answers, with the SFT term that is part of them unless you name another."""

_RESCALES = (
    "the loss of a pair and of its swap add up to a constant, so smoothing is a smaller learning rate"
)
_NO_SMOOTHING = {
    "auto": "it may come to a loss that has none",
    "apo_zero": _RESCALES,
    "apo_zero_unpaired": _RESCALES,
    "apo_down": "smoothing it changes its anchor and gives a loss that nobody has studied",
    "ipo": "its squared loss already keeps the margin finite",
    "rejection_sampling": "it has no rejected answers",
    "rrhf": "it is a hinge, not a likelihood of labels",
}


class ObjectiveConfig(Config):
    """What is minimised."""

    group: ClassVar[str] = "Objective"

    preset: PresetName | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Published settings of loss, beta and SFT term. What you name beside it wins."""

    loss: LossName = "apo_zero"
    """`apo_zero` if chosen answers beat the model's own, `apo_down` if not, else `dpo` or `ipo`; `auto`
    asks a judge which. Of scored answers also `rejection_sampling` (SFT on the best) and `rrhf` (all in
    their order)."""
    beta: float = Field(default=0.1, gt=0)
    """Reward per nat of log-ratio. Smaller lets the model leave its start further behind."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """Share of pairs assumed to be labelled the wrong way round (`dpo` only)."""
    sft_weight: float = Field(default=0.0, ge=0)
    """Weight of the chosen answer's negative log-likelihood, added to the loss (RPO's eta)."""
    sft_reduction: SftReduction = "mean"
    """That term per answer: `sum` over its tokens, or `mean` over its own tokens."""
    sft_times_beta: bool = False
    """Multiply the SFT weight by beta, as RPO's theory and its first implementation do."""


class UpdateConfig(Config):
    """How weights are changed."""

    group: ClassVar[str] = "Updates"

    learning_rate: float = Field(default=1e-6, gt=0)
    """Peak step size of AdamW."""
    num_train_epochs: float = Field(default=1.0, gt=0)
    """Passes over the pairs."""
    max_steps: int = Field(default=0, ge=0)
    """Stop after this many updates, whatever the epochs; 0 goes by epochs."""
    pairs_per_update: int = Field(default=16, gt=0)
    """Pairs behind each update, whatever the devices and micro-batches."""
    lr_scheduler_type: SchedulerName = "cosine"
    """Course of the learning rate after warm-up."""
    warmup_ratio: float = Field(default=0.1, ge=0, lt=1)
    """Share of the updates in which the learning rate rises to its peak."""
    max_grad_norm: float = Field(default=1.0, ge=0)
    """Gradients longer than this are scaled down to it; 0 leaves them."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled decay of matrices (vectors are spared)."""
    bf16: bool | None = None
    """Compute in bfloat16 over float32 weights; by default where the hardware does so."""
    seed: int = Field(default=42, ge=0)
    """Decides the order of pairs and how adapters begin."""


class AdapterConfig(Config):
    """Which weights are changed."""

    group: ClassVar[str] = "Adapters"

    lora_r: int = Field(default=0, ge=0)
    """Rank of LoRA adapters; 0 trains all weights."""
    lora_alpha: float = Field(default=32, gt=0)
    """LoRA updates are scaled by alpha / r."""
    lora_target_modules: tuple[str, ...] = ()
    """Layers that get an adapter, by name ending; all linear layers when empty."""
    load_in_4bit: bool = False
    """Keep the weights under the adapters in four bits (QLoRA: NF4, scales quantized too)."""

    @model_validator(mode="after")
    def _refuse_to_train_four_bits(self) -> "AdapterConfig":
        if self.load_in_4bit and not self.lora_r:
            raise UsageError("--load_in_4bit leaves nothing to train: give --lora_r 16 for adapters on top")
        return self


class PairsConfig(Config):
    """Which pairs are used, and for what."""

    group: ClassVar[str] = "Pairs"

    max_length: int = Field(default=1024, gt=1)
    """Most tokens of prompt and answer together. Longer pairs are dropped and named, never cut."""
    limit: int | None = Field(default=None, gt=0)
    """Read the first N pairs only."""
    eval_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of prompts held out for evaluation when `eval_data` is not given."""
    eval_data: tuple[str, ...] = Field(default=(), json_schema_extra=OPERATIONAL)
    """Pairs to evaluate on, in the forms of `data`. Those with a prompt to train on are left out."""


class WorkConfig(Config):
    """How the work is done, and how often it is looked at and saved; nothing that comes of it."""

    group: ClassVar[str] = "Work"

    micro_batch_tokens: int = Field(default=2048, gt=0, json_schema_extra=OPERATIONAL)
    """Most tokens in one forward pass on one device. Changes memory and speed, not the loss."""
    gradient_checkpointing: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Recompute activations in the backward pass: less memory, about a third more time."""
    use_cpu: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Train on the CPU even where there is a GPU."""
    eval_steps: int = Field(default=0, ge=0, json_schema_extra=OPERATIONAL)
    """Updates between evaluations; 0 makes two, before the first update and after the last."""
    logging_steps: int = Field(default=1, gt=0, json_schema_extra=OPERATIONAL)
    """Updates behind each line of metrics."""
    save_steps: int = Field(default=100, ge=0, json_schema_extra=OPERATIONAL)
    """Updates between checkpoints; 0 makes none."""
    save_total_limit: int = Field(default=2, gt=0, json_schema_extra=OPERATIONAL)
    """Checkpoints to keep, the newest ones."""
    report_to: tuple[str, ...] = Field(default=(), json_schema_extra=OPERATIONAL)
    """Trackers that get the metrics too: `tensorboard`, `wandb`, `trackio`."""


class TrainingConfig(PairsConfig, UpdateConfig, AdapterConfig, WorkConfig):
    """What every kind of training needs to know."""

    model: str = Field(json_schema_extra=OPERATIONAL)
    """What to train: a folder, a model of the hub, or `smollm2`, the embedded one."""
    data: tuple[str, ...] = Field(min_length=1, json_schema_extra=OPERATIONAL)
    """Pairs, or scored or ranked answers, which make `pairs`: run folders, Parquet or JSONL files,
    folders of Parquet; several with commas."""
    pairs: PairsName = "best_worst"
    """Pairs that scored answers to a prompt make: best over worst, `all` of different scores, or each
    over the next (`adjacent`). All pairs of a prompt come from one forward pass, in one update."""
    output_dir: str = Field(json_schema_extra=OPERATIONAL)
    """Folder for the model, its checkpoints and metrics. An unfinished run in it is resumed."""
    preview: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Show the first pairs as the model will see them; train nothing, write nothing."""
    dry_run: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Count pairs, tokens and updates and estimate the time; train nothing, write nothing."""
    fresh: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Start over, throwing away what an earlier run left in the output folder."""

    @model_validator(mode="before")
    @classmethod
    def _hold_out_one_way(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("eval_data"):
            return {"eval_share": 0.0, **values}
        return values

    @field_validator("data", "eval_data", "report_to", "lora_target_modules", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        return split_commas(value)

    @model_validator(mode="after")
    def _refuse_two_ways_of_holding_out(self) -> "TrainingConfig":
        if self.eval_data and self.eval_share:
            raise UsageError("give eval_share or eval_data, not both: pairs are held out one way")
        return self


def split_commas(value: Any) -> Any:
    """Names from a list of names, each of which may be several with commas."""
    parts = [value] if isinstance(value, str) else value
    if not all(isinstance(p, str) for p in parts):
        return parts
    return tuple(name.strip() for p in parts for name in p.split(",") if name.strip())


class AutoConfig(Config):
    """Who says which loss fits, for `--loss auto`."""

    group: ClassVar[str] = "Loss auto"

    judge: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Engines that compare chosen answers with the model's own: `hf:MODEL`, `vllm:MODEL`,
    `openai:MODEL@URL`, `reward:MODEL`; several with commas."""
    auto_prompts: int = Field(default=200, gt=0, json_schema_extra=OPERATIONAL)
    """Prompts to compare on."""
    score_column: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Instead of a judge: column of numbers, how much better chosen is than the model's own answer."""


class TrainConfig(AutoConfig, ObjectiveConfig, TrainingConfig):
    """Train a model on preference pairs.

    Example: pairwright train --model smollm2 --data runs/pairs --output_dir runs/model
    """

    merge_adapter: bool = False
    """Write the whole model, adapters merged into it."""
    ref_model: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Reference of the log-ratios, when it is not the model at its start."""
    reference_store: str = Field(default="", json_schema_extra=OPERATIONAL)
    """Folder of reference log-probabilities that runs share; the user's cache when empty, or `none`."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        ranked = RANKED_LOSSES.get(values.get("loss") or "", {})
        return {**ranked, **PRESETS.get(values.get("preset") or "", {}), **values}

    @model_validator(mode="after")
    def _refuse_bad_combinations(self) -> "TrainConfig":
        if self.loss == "auto" and (self.judge is None) == (self.score_column is None):
            raise UsageError(
                "--loss auto does not guess: give it --judge ENGINE, which compares chosen answers with "
                "the model's own, or --score_column NAME"
            )
        if self.label_smoothing and self.loss != "dpo":
            raise UsageError(
                f"label_smoothing is for dpo only, not for {self.loss}: {_NO_SMOOTHING[self.loss]}"
            )
        if self.loss in RANKED_LOSSES and (self.sft_times_beta or self.preset):
            raise UsageError(f"{self.loss} has no beta, so no preset and no sft_times_beta goes with it")
        if self.loss in RANKED_LOSSES and self.pairs != "best_worst":
            raise UsageError(f"--pairs {self.pairs}: {self.loss} takes answers, not pairs; leave it away")
        if self.loss in RANKED_LOSSES and self.ref_model is not None:
            raise UsageError(f"{self.loss} has no reference, so no ref_model goes with it")
        if self.loss == "rejection_sampling" and not self.sft_weight:
            raise UsageError("rejection_sampling is nothing but its SFT term: give sft_weight above 0")
        if self.sft_times_beta and not self.sft_weight:
            raise UsageError("sft_times_beta has nothing to multiply: give sft_weight too")
        return self
