"""Settings of `pairwright game`. Free of torch, so that `--help` answers at once."""

from typing import Any, ClassVar

from pydantic import Field, PositiveInt, field_validator, model_validator

from pairwright.config import OPERATIONAL, Config
from pairwright.engines.kinds import is_engine
from pairwright.errors import UsageError
from train.config import split_commas
from train.preference.config import RANKED_LOSSES, LossName
from train.reward_model.config import RewardLossName


class PlayersConfig(Config):
    """How both models are trained."""

    group: ClassVar[str] = "Both models"

    max_length: int = Field(default=1024, gt=1)
    """Most tokens of prompt and answer together. Longer ones are left out, never cut."""
    eval_share: float = Field(default=0.1, gt=0, lt=1)
    """Share of prompts held out: of human and golden pairs, and of scored answers."""
    lora_r: int = Field(default=0, ge=0)
    """Rank of LoRA adapters, which are merged after each training; 0 trains all weights."""
    bf16: bool | None = None
    """Compute in bfloat16 over float32 weights; by default where the hardware does so."""
    seed: int = Field(default=42, ge=0)
    """Decides the order of pairs and how heads and adapters begin."""
    micro_batch_tokens: int = Field(default=2048, gt=0, json_schema_extra=OPERATIONAL)
    """Most tokens in one forward pass of training."""
    gradient_checkpointing: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Recompute activations in the backward pass: less memory, about a third more time."""
    use_cpu: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Stay on the CPU even where there is a GPU."""
    save_steps: int = Field(default=100, ge=0, json_schema_extra=OPERATIONAL)
    """Updates between checkpoints; 0 makes none."""
    batch_size: int = Field(default=32, gt=0, json_schema_extra=OPERATIONAL)
    """Sequences generated, or answers scored, at once."""


class RewardPlayerConfig(Config):
    """How reward models are trained."""

    group: ClassVar[str] = "Reward model"

    rm_model: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Pretrained base of every reward model; `model` by default."""
    sequential: bool = False
    """Go on from the reward model of the round before, which the paper advises against."""
    rm_loss: RewardLossName = "ranking"
    """Loss of golden pairs: `ranking`, or `wgan`, their difference."""
    rm_kl: float = Field(default=1.0, ge=0)
    """Weight of human pairs; 0 leaves them out (GAIL)."""
    apo_coeff: float = Field(default=0.1, ge=0)
    """Weight of golden pairs, shared by the `samples` pairs of an answer; 0 plays without them."""
    rm_learning_rate: float = Field(default=1e-6, gt=0)
    """Peak step size; 1e-6 is the paper's for 7B, models of 100M to 1B want 1e-5 to 3e-5."""
    rm_epochs: float = Field(default=1.0, gt=0)
    """Passes over the pairs."""
    rm_pairs_per_update: int = Field(default=64, gt=0)
    """Pairs behind each update."""
    bins: int = Field(default=10, gt=1)
    """Bins of the calibration error over probabilities from 0 to 1."""


class PolicyPlayerConfig(Config):
    """How the language model is trained."""

    group: ClassVar[str] = "Language model"

    llm_loss: LossName = "rejection_sampling"
    """`rejection_sampling` (SFT on the best answer), `rrhf` (all), or a loss of best against worst."""
    beta: float = Field(default=0.1, gt=0)
    """Reward per nat of log-ratio in losses of pairs; the paper does not say which it used."""
    sft_weight: float | None = Field(default=None, ge=0)
    """Weight of the SFT term; by default the one that belongs to the loss (`train --help`)."""
    learning_rates: tuple[float, ...] = (5e-6, 2e-6, 9e-7)
    """Peak step size of each round, the last one for all further rounds. The default is the paper's
    for 7B; models of 100M to 1B want about ten times that."""
    llm_epochs: float = Field(default=1.0, gt=0)
    """Passes over the scored prompts."""
    llm_pairs_per_update: int = Field(default=16, gt=0)
    """Prompts behind each update; the paper does not say how many it used."""


class LookConfig(Config):
    """What is measured after every round, and what is warned of."""

    group: ClassVar[str] = "Evaluation"

    eval_prompts: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Prompts on which language models are compared; those of the language model by default."""
    eval_limit: int | None = Field(default=200, gt=0)
    """Most such prompts."""
    eval_n: PositiveInt = 1
    """Answers to each."""
    eval_temperature: float = Field(default=1.0, ge=0)
    """Softmax temperature of these answers; at 1 the KL divergence is estimated without bias."""
    evaluator: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Reward model that scores language models and trains none; trained on human pairs by default."""
    evaluator_data: tuple[str, ...] = Field(default=(), json_schema_extra=OPERATIONAL)
    """Human pairs to train it on; `human` by default, with another seed."""
    judge: str | None = None
    """Engine that compares the answers of each round with those of the start."""
    warn_ece: float = Field(default=0.05, gt=0, json_schema_extra=OPERATIONAL)
    """Warn when the calibration error on human pairs grows by more from round to round."""
    warn_distinct: float = Field(default=0.7, gt=0, json_schema_extra=OPERATIONAL)
    """Warn when answers have a smaller share of distinct bigrams than this times the start's."""
    warn_length: float = Field(default=0.5, gt=0, json_schema_extra=OPERATIONAL)
    """Warn when answers have fewer words than this times the start's."""
    warn_oscillation: float = Field(default=2.0, gt=0, json_schema_extra=OPERATIONAL)
    """Warn when the reward turns round twice, each time by more standard errors than this."""
    warn_gap: float = Field(default=0.1, gt=0, json_schema_extra=OPERATIONAL)
    """Warn when training accuracy of the reward model runs ahead of held-out by so much more."""


class GameConfig(LookConfig, PolicyPlayerConfig, RewardPlayerConfig, PlayersConfig):
    """Play rounds of reward model against language model (Adversarial Preference Optimization).

    Example: pairwright game --model smollm2 --rm_prompts a --llm_prompts b --human c --output_dir game
    """

    model: str = Field(json_schema_extra=OPERATIONAL)
    """The language model at the start: a folder, a model of the hub, or `smollm2`."""
    rm_prompts: str = Field(json_schema_extra=OPERATIONAL)
    """Prompts with golden answers, from which the reward model learns what is lacking."""
    llm_prompts: str = Field(json_schema_extra=OPERATIONAL)
    """Prompts on which the language model is improved; none of them should be in `rm_prompts`."""
    human: tuple[str, ...] = Field(min_length=1, json_schema_extra=OPERATIONAL)
    """Human preference pairs, in the forms of `train --data`; several with commas."""
    output_dir: str = Field(json_schema_extra=OPERATIONAL)
    """Folder of the game. An unfinished game in it is taken up where it stopped."""
    golden: str = "golden"
    """Column of the golden answers in `rm_prompts`, or the engine that writes them."""
    rounds: PositiveInt = Field(default=3, json_schema_extra=OPERATIONAL)
    """Rounds to play; a game that is over goes on when there are more."""
    samples: PositiveInt = 4
    """Answers sampled to each prompt, for either model."""
    temperature: float = Field(default=1.2, ge=0)
    """Softmax temperature of these."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus of these."""
    max_tokens: PositiveInt = 256
    """Most tokens an answer may have; one that is cut off there is left out."""
    limit: int | None = Field(default=None, gt=0)
    """Use the first N prompts of either half only."""

    @field_validator("human", "evaluator_data", mode="before")
    @classmethod
    def _split_sources(cls, value: Any) -> Any:
        return split_commas(value)

    @field_validator("learning_rates", mode="before")
    @classmethod
    def _split_rates(cls, value: Any) -> Any:
        parts = [value] if isinstance(value, str | float) else value
        return tuple(
            rate for part in parts for rate in (part.split(",") if isinstance(part, str) else [part])
        )

    @model_validator(mode="after")
    def _refuse_bad_combinations(self) -> "GameConfig":
        if not self.learning_rates or min(self.learning_rates) <= 0:
            raise UsageError("--learning_rates: give one or more rates above 0, with commas")
        if self.llm_loss == "auto":
            raise UsageError("--llm_loss auto is for pairs of others; in a game name the loss")
        if self.samples == 1 and self.llm_loss != "rejection_sampling":
            raise UsageError(
                f"--samples 1: {self.llm_loss} compares two answers to a prompt; sample two or more, or "
                "use --llm_loss rejection_sampling"
            )
        if self.rm_loss == "wgan" and not self.apo_coeff:
            raise UsageError("--rm_loss wgan is a loss of golden pairs; give them an --apo_coeff above 0")
        if not self.rm_kl and not self.apo_coeff:
            raise UsageError("--rm_kl 0 and --apo_coeff 0 leave the reward model nothing to learn from")
        if self.llm_loss == "rejection_sampling" and self.sft_weight == 0:
            raise UsageError("rejection_sampling is nothing but its SFT term: give sft_weight above 0")
        return self

    @property
    def golden_engine(self) -> bool:
        """Whether golden answers are written by an engine; else they stand in a column."""
        return is_engine(self.golden)

    @property
    def compares(self) -> bool:
        """Whether the loss of the language model compares answers."""
        return self.llm_loss not in RANKED_LOSSES or self.llm_loss == "rrhf"
