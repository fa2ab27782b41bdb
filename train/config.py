"""Settings of every training, of `train` and of `reward`. Free of torch: `--help` answers at once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from pairwright.config import ADDED, OPERATIONAL, Config, split_commas
from pairwright.errors import UsageError
from pairwright.inputs.columns import PairsName
from pairwright.inputs.config import SourceConfig
from pairwright.models.names import is_adapter

OptimizerName = Literal["adamw_torch", "adamw_8bit"]
SaveDtype = Literal["float32", "bfloat16", "float16", "auto"]
SchedulerName = Literal["cosine", "linear", "constant"]


class UpdateConfig(Config):
    """How weights are changed."""

    group: ClassVar[str] = "Updates"

    learning_rate: float = Field(default=1e-6, gt=0)
    """Peak step size of AdamW."""
    optim: OptimizerName = Field(default="adamw_torch", json_schema_extra=ADDED)
    """`adamw_8bit` keeps AdamW's moments in eight bits (bitsandbytes): a quarter of their memory."""
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
    seed: int = Field(default=42, ge=0, lt=2**63)
    """Decides the order of pairs and how adapters begin."""
    keep_order: bool = Field(default=False, json_schema_extra=ADDED)
    """Take pairs in the order in which they are read, in every epoch, and not shuffled."""


class AdapterConfig(Config):
    """Which weights are changed."""

    group: ClassVar[str] = "Adapters"

    lora_r: int = Field(default=0, ge=0)
    """Rank of LoRA adapters; 0 trains all weights."""
    lora_alpha: float = Field(default=32, gt=0)
    """LoRA updates are scaled by alpha / r."""
    lora_target_modules: tuple[str, ...] = ()
    """Layers that get an adapter, by name ending; all linear layers when empty."""
    use_rslora: bool = Field(default=False, json_schema_extra=ADDED)
    """Scale updates by alpha / sqrt(r) instead (rsLoRA: Kalajdzievski 2023), for high ranks."""
    use_dora: bool = Field(default=False, json_schema_extra=ADDED)
    """Train the length of each weight vector apart from its direction (DoRA: Liu et al. 2024)."""
    load_in_4bit: bool = False
    """Keep the weights under the adapters in four bits (QLoRA: NF4, scales quantized too)."""

    @model_validator(mode="after")
    def _refuse_to_train_four_bits(self) -> "AdapterConfig":
        of_adapters = ("lora_alpha", "lora_target_modules", "use_rslora", "use_dora")
        for name in () if self.lora_r else of_adapters:
            if getattr(self, name) != AdapterConfig.model_fields[name].default:
                raise UsageError(f"--{name} is a setting of new adapters: give --lora_r 16 too")
        whole = not self.lora_r and not is_adapter(getattr(self, "model", None) or "")
        if self.load_in_4bit and whole:
            raise UsageError("--load_in_4bit leaves nothing to train: give --lora_r 16 for adapters on top")
        return self


class CodeConfig(Config):
    """What of a model is used."""

    group: ClassVar[str] = "Model"

    trust_remote_code: bool = Field(default=False, json_schema_extra=ADDED)
    """Run the Python code that comes with a model, where it has its own."""


class PairsConfig(Config):
    """Which pairs are used, and for what."""

    group: ClassVar[str] = "Pairs"

    max_length: int = Field(default=1024, gt=1)
    """Most tokens of prompt and answer together. Longer pairs are dropped and named, never cut."""
    reasoning: Literal["drop", "keep"] = Field(default="drop", json_schema_extra=ADDED)
    """Whether what was thought before an answer is trained on with it, as the chat template writes it."""
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


class TrainingSettings(CodeConfig, PairsConfig, UpdateConfig, AdapterConfig, WorkConfig):
    """How weights are trained on pairs: of every training, alone or as a step of something larger."""

    @model_validator(mode="before")
    @classmethod
    def _hold_out_one_way(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("eval_data"):
            return {"eval_share": 0.0, **values}
        return values

    @field_validator("eval_data", "report_to", "lora_target_modules", mode="before")
    @classmethod
    def _split_lists(cls, value: Any) -> Any:
        return split_commas(value)

    @model_validator(mode="after")
    def _refuse_two_ways_of_holding_out(self) -> "TrainingSettings":
        if self.eval_data and self.eval_share:
            raise UsageError("give eval_share or eval_data, not both: pairs are held out one way")
        return self


class ScoredPairsConfig(Config):
    """How scored answers become pairs."""

    group: ClassVar[str] = "Pairs"

    pairs: PairsName = "best_worst"
    """Pairs that scored answers to a prompt make: best over worst, `all` of different scores, each over the
    next (`adjacent`), or best over the one nearest to mean − 2σ of the scores (`mean_minus_2sd`). All pairs
    of a prompt come from one forward pass, in one update. `chain` is for pairs whose revision came of
    `edits`: the answer after each edit over the answer before it; `eval_data` are whole pairs then."""

    @property
    def eval_pairs(self) -> PairsName:
        """Which pairs data that are only measured make: the same, but for steps of a chain."""
        return "best_worst" if self.pairs == "chain" else self.pairs


class ReadPairsConfig(SourceConfig):
    """How the rows of pairs are read."""

    group: ClassVar[str] = "Pairs"

    skip_bad_rows: int = Field(default=0, ge=0, json_schema_extra=OPERATIONAL)
    """Pass over up to N rows that are no pairs; they are counted and named as `bad_row`."""


class TrainingConfig(ReadPairsConfig, ScoredPairsConfig, TrainingSettings):
    """What every kind of training needs to know."""

    elsewhere: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "lr": "learning_rate",
            "epochs": "num_train_epochs",
            "batch_size": "pairs_per_update",
            "per_device_train_batch_size": "pairs_per_update",
            "gradient_accumulation_steps": "micro_batch_tokens",
            "model_name_or_path": "model",
            "dataset_name": "data",
            "loss_type": "loss",
            "rpo_alpha": "sft_weight",
        }
    )

    model: str = Field(json_schema_extra=OPERATIONAL)
    """What to train: a folder, a model of the hub, an adapter of `peft` in a folder, or `smollm2`, the
    embedded one."""
    data: tuple[str, ...] = Field(min_length=1, json_schema_extra=OPERATIONAL)
    """Pairs, or scored or ranked answers, which make `pairs`: run folders, Parquet or JSON files,
    data sets on disk or of the hub; several with commas."""
    output_dir: str = Field(json_schema_extra=OPERATIONAL)
    """Folder for the model, its checkpoints and metrics. An unfinished run in it is resumed."""
    preview: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Show the first pairs as the model will see them; train nothing, write nothing."""
    dry_run: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Count pairs, tokens and updates and estimate the time; train nothing, write nothing."""
    fresh: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Start over, throwing away what an earlier run left in the output folder."""
    save_optimizer: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Leave the optimizer's state in the output folder, for a training that goes on with it."""
    optimizer_from: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Output folder of a training with `save_optimizer` whose optimizer goes on here, moments and steps."""
    schedule_part: str = Field(default="1/1", pattern=r"^[1-9]\d*/[1-9]\d*$", json_schema_extra=ADDED)
    """Which part of one course of the learning rate this training is: `2/4`, the second of four."""

    save_dtype: SaveDtype = Field(default="float32", json_schema_extra=ADDED)
    """Number format of the weights that are written; `auto` is that of `model`. Training is in float32,
    and so are checkpoints."""

    @field_validator("schedule_part")
    @classmethod
    def _is_part(cls, value: str) -> str:
        part, parts = map(int, value.split("/"))
        if part > parts:
            raise ValueError(
                f"{value}: 2/4 is the second of four parts; the first number may not be the larger"
            )
        return value

    @property
    def parts(self) -> tuple[int, int]:
        """Which part of its schedule this is, from 1, and of how many."""
        part, parts = map(int, self.schedule_part.split("/"))
        return part, parts

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of what is read as `data`, split and all."""
        return tuple(map(self.split_of, self.data))

    @field_validator("data", mode="before")
    @classmethod
    def _split_data(cls, value: Any) -> Any:
        return split_commas(value)
