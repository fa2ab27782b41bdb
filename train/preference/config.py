"""Settings of `pairwright train`: the objective, its presets, and how a loss is chosen."""

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, ClassVar, Literal, get_args

from pydantic import Field, field_validator, model_validator

from pairwright.config import ADDED, OPERATIONAL, PLUGINS, Config
from pairwright.errors import UsageError
from pairwright.plugins import Named, NamedEngine, is_plugin
from train.config import TrainingConfig, TrainingSettings
from train.data.token_weights import TokenWeights
from train.losses.facts import FACTS, RANKED, TRL_NAMES, defaults_of, facts_of

LossName = Literal[
    "auto",
    "dpo",
    "dpo_norm",
    "robust",
    "ipo",
    "hinge",
    "exo",
    "discopop",
    "apo_zero",
    "apo_down",
    "apo_hinge_zero",
    "apo_zero_unpaired",
    "kto",
    "nca",
    "bco",
    "sppo",
    "simpo",
    "simper",
    "cpo",
    "orpo",
    "rejection_sampling",
    "rrhf",
]
SftReduction = Literal["sum", "mean"]
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
OPTIONS = (
    *("label_smoothing", "simpo_gamma", "alpha", "discopop_tau"),
    *("desirable_weight", "undesirable_weight"),
)
"""Settings that some losses take and others do not."""


class ObjectiveConfig(Config):
    """What is minimised."""

    group: ClassVar[str] = "Objective"

    preset: PresetName | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Published settings of loss, beta and SFT term. What you name beside it wins."""

    loss: LossName | Named = Field(default="apo_zero", json_schema_extra=PLUGINS)
    """`apo_zero` if chosen answers beat the model's own, `apo_down` if not, else `dpo`, or one of its kin;
    `auto` asks a judge which. `simpo`, `simper`, `cpo` and `orpo` have no reference. Of scored answers also
    `rejection_sampling` (SFT on the best) and `rrhf` (all in their order). A loss of your own is
    `FILE.py:NAME`, a function `(delta_w, delta_l, *, beta)`."""

    @field_validator("loss")
    @classmethod
    def _known(cls, value: str) -> str:
        names = get_args(LossName)
        if value not in names and not is_plugin(value):
            close = get_close_matches(value, names, n=1)
            hint = f"did you mean {close[0]}?" if close else f"losses are {', '.join(names)}, FILE.py:NAME"
            if value in TRL_NAMES:
                hint = f"what TRL calls {value} is {TRL_NAMES[value]} here"
            raise ValueError(f"no loss of this name; {hint}")
        return value

    beta: float = Field(default=0.1, gt=0)
    """Reward per nat of log-ratio. Smaller lets the model leave its start further behind. Unless given, 5
    for `dpo_norm` and 2 for `simpo`, which take it per token."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """Share of pairs assumed to be labelled the wrong way round: `dpo`, `dpo_norm`, `simpo`, `cpo`,
    `robust` (0.1 unless given) and `exo` (0.001)."""
    simpo_gamma: float = Field(default=0.5, ge=0, json_schema_extra=ADDED)
    """Margin of reward that `simpo` wants between chosen and rejected."""
    alpha: float = Field(default=0.0, json_schema_extra=ADDED)
    """Shape of the reward of `simpo`: AlphaPO's, where it is not 0."""
    discopop_tau: float = Field(default=0.05, gt=0, json_schema_extra=ADDED)
    """How softly `discopop` passes from its logistic to its exponential part."""
    sft_weight: float = Field(default=0.0, ge=0)
    """Weight of the chosen answer's negative log-likelihood, added to the loss (RPO's eta)."""
    sft_reduction: SftReduction = "mean"
    """That term per answer: `sum` over its tokens, or `mean` over its own tokens."""
    desirable_weight: float = Field(default=1.0, ge=0, json_schema_extra=ADDED)
    """Weight of chosen answers in `kto`."""
    undesirable_weight: float = Field(default=1.0, ge=0, json_schema_extra=ADDED)
    """Weight of rejected answers in `kto`."""
    use_weighting: bool = Field(default=False, json_schema_extra=ADDED)
    """Multiply the loss of a pair with how likely the model would be to say both its answers (WPO)."""
    token_weight: str | None = Field(default=None, json_schema_extra=ADDED)
    """What tokens count, in the loss and in the SFT term: `changed:W` those in which the answers of a pair
    differ, `changed:W,common:V` those that they share too (1 unless given). `COLUMN` has W of each row."""
    router_aux_loss_coef: float | None = Field(default=None, ge=0, json_schema_extra=ADDED)
    """Weight of the load-balancing loss of a mixture of experts, added to a loss of pairs. Unless given,
    the model's own where its `config.json` asks for it (`output_router_logits`), else none."""
    sft_times_beta: bool = False
    """Multiply the SFT weight by beta, as RPO's theory and its first implementation do."""


class TrainSettings(ObjectiveConfig, TrainingSettings):
    """How a model is trained: of `train`, and wherever it is a step of something larger."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        preset = PRESETS.get(values.get("preset") or "", {})
        loss = values.get("loss") or preset.get("loss") or cls.model_fields["loss"].default
        return {**defaults_of(loss), **preset, **values}

    @model_validator(mode="after")
    def _refuse_bad_objectives(self) -> "TrainSettings":
        self._refuse_options_of_others()
        facts = facts_of(self.loss)
        if facts and facts.smoothed and not self.label_smoothing:
            raise UsageError(f"--label_smoothing 0: {self.loss} needs a share above 0, or take --loss dpo")
        if self.token_weight is not None:
            TokenWeights.parse(self.token_weight)
            if self.loss in RANKED:
                raise UsageError(f"{self.loss} takes answers, not pairs: leave out token_weight")
        if self.loss in RANKED and self.use_weighting:
            raise UsageError(f"{self.loss} takes answers, not pairs: leave out use_weighting")
        if self.loss in RANKED and (self.sft_times_beta or self.preset):
            raise UsageError(f"{self.loss} has no beta: leave out preset and sft_times_beta")
        if self.loss == "rejection_sampling" and not self.sft_weight:
            raise UsageError("rejection_sampling is nothing but its SFT term: give sft_weight above 0")
        if self.loss == "kto" and not (self.desirable_weight or self.undesirable_weight or self.sft_weight):
            raise UsageError("desirable_weight and undesirable_weight are both 0: give one above 0")
        if self.sft_times_beta and not self.sft_weight:
            raise UsageError("sft_times_beta has nothing to multiply: give sft_weight too")
        return self

    def _refuse_options_of_others(self) -> None:
        """Raise `UsageError` for a setting that the loss does not take."""
        facts = facts_of(self.loss)
        taken = facts.options if facts else ()
        for name in (name for name in OPTIONS if name not in taken):
            if getattr(self, name) != ObjectiveConfig.model_fields[name].default:
                takers = ", ".join(loss for loss, facts in FACTS.items() if name in facts.options)
                why = self._why_unsmoothed() if name == "label_smoothing" else ""
                raise UsageError(f"{name} is for {takers} only, not for {self.loss}{why and f': {why}'}")
        given = self.beta != ObjectiveConfig.model_fields["beta"].default or self.sft_times_beta
        if self.loss in FACTS and not FACTS[self.loss].beta and given:
            raise UsageError(f"{self.loss} has no beta: leave out beta and sft_times_beta")

    def _why_unsmoothed(self) -> str:
        if self.loss == "auto":
            return "it may choose a loss that has none"
        facts = facts_of(self.loss)
        return facts.unsmoothed if facts else "a loss of your own smooths itself"


class LossChoiceConfig(Config):
    """Who says which loss fits, for `--loss auto`."""

    group: ClassVar[str] = "Loss auto"

    judge: NamedEngine | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Engines that compare chosen answers with the model's own: `hf:MODEL`, `vllm:MODEL`,
    `openai:MODEL@URL`, `reward:MODEL`; several with commas."""
    auto_prompts: int = Field(default=200, gt=0, json_schema_extra=OPERATIONAL)
    """Prompts to compare on."""
    score_column: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Instead of a judge: column of numbers, how much better chosen is than the model's own answer."""


class TrainConfig(LossChoiceConfig, TrainSettings, TrainingConfig):
    """Train a model on preference pairs.

    Example: pairwright train --model smollm2 --data runs/pairs --output_dir runs/model
    """

    merge_adapter: bool = False
    """Write the whole model, adapters merged into it."""
    merge_scale: float = Field(default=1.0, gt=0, le=1, json_schema_extra=ADDED)
    """Share of what the adapter learned that is merged: with less, the model stays nearer to what it was
    (WiSE-FT: Wortsman et al. 2022). What training measures is all of it."""
    merge_first: bool = Field(default=False, json_schema_extra=ADDED)
    """Where `model` is an adapter: merge it into its base, and train all weights or, with `lora_r`, a new
    adapter. Unless given, the adapter itself is trained on, and as it is it is the reference."""
    ref_model: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Reference of the log-ratios, when it is not the model at its start."""
    reference_store: str = Field(default="", json_schema_extra=OPERATIONAL)
    """Folder of reference log-probabilities that runs share; the user's cache when empty, or `none`."""

    @model_validator(mode="after")
    def _refuse_bad_combinations(self) -> "TrainConfig":
        if self.loss == "auto" and (self.judge is None) == (self.score_column is None):
            raise UsageError(
                "--loss auto needs evidence: give it --judge ENGINE, which compares chosen answers with "
                "the model's own, or --score_column NAME"
            )
        if self.loss in RANKED and self.pairs != "best_worst":
            raise UsageError(f"--pairs {self.pairs}: {self.loss} takes answers, not pairs; leave it out")
        if self.merge_scale != 1 and (not self.merge_adapter or not self.lora_r or self.use_dora):
            raise UsageError(
                "--merge_scale is of a new LoRA adapter that is merged: give --lora_r 16 and "
                "--merge_adapter too, without --use_dora"
            )
        facts = facts_of(self.loss)
        if facts and not facts.reference and self.ref_model is not None:
            raise UsageError(f"{self.loss} has no reference: leave out ref_model")
        return self
