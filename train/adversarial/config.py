"""Settings of `pairwright game`: its own, and in sections those of the commands that it runs.

Free of torch, so that `--help` answers at once.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import Field, PositiveInt, field_validator, model_validator

from judge.comparison.config import WinrateSettings
from pairwright.config import OPERATIONAL, PLUGINS, Config, split_commas
from pairwright.engines.kinds import is_engine
from pairwright.errors import UsageError
from pairwright.plugins import Named, NamedEngine
from pairwright.stages.config import SampleSettings
from train.config import ReadPairsConfig, SchedulerName, ScoredPairsConfig
from train.losses.facts import RANKED
from train.preference.config import LossName, TrainSettings
from train.reward_model.config import RewardSettings, ScoreSettings
from train.rounds.before import identity_before, is_flat, sections_before
from train.rounds.config import COMPARED, EVALUATED, STAGE, TRAINING, RoundsConfig, require_own_engine

_BOTH = (
    *("eval_share", "lora_r", "bf16", "seed"),
    *("micro_batch_tokens", "gradient_checkpointing", "use_cpu", "save_steps"),
)
"""Settings that stood once for the training of both models."""


class GameSampleConfig(SampleSettings):
    """How the language model answers; the paper's settings."""

    policy: NamedEngine = Field(default="hf", json_schema_extra=OPERATIONAL)
    """Engine for the round's model: `hf`, `vllm`, or `openai:{model}@URL`, a server that loads the folder
    it is asked for."""
    max_tokens: PositiveInt = 256
    """Most tokens an answer may have; one that is cut off there is left out."""
    temperature: float = Field(default=1.2, ge=0, allow_inf_nan=False)
    """Softmax temperature."""

    @field_validator("policy")
    @classmethod
    def _own(cls, value: str) -> str:
        return require_own_engine(value)


class GameRewardConfig(ReadPairsConfig, ScoredPairsConfig, RewardSettings):
    """How reward models are trained; the paper's settings."""

    model: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Pretrained base of every reward model; that of the language model by default."""
    lr_scheduler_type: SchedulerName = "linear"
    """Course of the learning rate after warm-up."""
    pairs_per_update: int = Field(default=64, gt=0)
    """Pairs behind each update, whatever the devices and micro-batches."""

    @model_validator(mode="after")
    def _refuse_a_blind_game(self) -> "GameRewardConfig":
        if not self.eval_share and not self.eval_data:
            raise UsageError("reward.eval_share 0 leaves no human pairs to measure reward models on")
        if not self.rm_kl and not self.apo_coeff:
            raise UsageError("--reward.rm_kl 0 and --reward.apo_coeff 0 leave nothing to learn from")
        if self.loss == "wgan" and not self.apo_coeff:
            raise UsageError(
                "--reward.loss wgan is a loss of golden pairs; give them a --reward.apo_coeff above 0"
            )
        return self


class GameScoreConfig(ScoreSettings):
    """How answers are scored."""

    max_length: int = Field(default=1024, gt=1)
    """Most tokens of prompt and answer together. Longer answers are left out, never cut."""


class GameTrainConfig(ScoredPairsConfig, TrainSettings):
    """How the language model is trained; the paper's settings."""

    loss: LossName | Named = Field(default="rejection_sampling", json_schema_extra=PLUGINS)
    """`rejection_sampling` (SFT on the best answer), `rrhf` (all), or a loss of best against worst."""
    learning_rate: tuple[float, ...] = (5e-6, 2e-6, 9e-7)  # type: ignore[assignment]
    """Peak step size of each round, the last one for all further rounds. The default is the paper's
    for 7B; models of 100M to 1B want about ten times that."""

    @field_validator("learning_rate", mode="before")
    @classmethod
    def _split_rates(cls, value: Any) -> Any:
        parts = [value] if isinstance(value, str | float) else value
        return tuple(
            rate for part in parts for rate in (part.split(",") if isinstance(part, str) else [part])
        )

    @model_validator(mode="after")
    def _refuse_no_rate(self) -> "GameTrainConfig":
        if not self.learning_rate or min(self.learning_rate) <= 0:
            raise UsageError("--train.learning_rate: give one or more rates above 0, with commas")
        return self

    @property
    def compares(self) -> bool:
        """Whether the loss compares answers to a prompt."""
        return self.loss not in RANKED or self.loss == "rrhf"


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


class GameConfig(LookConfig, RoundsConfig):
    """Play rounds of reward model against language model (Adversarial Preference Optimization).

    Example: pairwright game --model smollm2 --rm_prompts a --llm_prompts b --human c --output_dir game
    """

    moved: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {name: (f"train.{name}", f"reward.{name}") for name in _BOTH}
        | {name: (f"sample.{name}",) for name in ("temperature", "top_p", "max_tokens")}
        | {
            "samples": ("sample.n",),
            "max_length": ("train.max_length", "reward.max_length", "score.max_length"),
            "batch_size": ("sample.batch_size", "score.batch_size", "winrate.batch_size"),
            "judge": ("winrate.judge",),
            "rm_model": ("reward.model",),
            "rm_loss": ("reward.loss",),
            "rm_kl": ("reward.rm_kl",),
            "apo_coeff": ("reward.apo_coeff",),
            "rm_learning_rate": ("reward.learning_rate",),
            "rm_epochs": ("reward.num_train_epochs",),
            "rm_pairs_per_update": ("reward.pairs_per_update",),
            "bins": ("reward.bins",),
            "llm_loss": ("train.loss",),
            "beta": ("train.beta",),
            "sft_weight": ("train.sft_weight",),
            "learning_rates": ("train.learning_rate",),
            "llm_epochs": ("train.num_train_epochs",),
            "llm_pairs_per_update": ("train.pairs_per_update",),
        }
    )
    managed: ClassVar[Mapping[str, Iterable[str]]] = MappingProxyType(
        {
            "sample": STAGE,
            "reward": (*TRAINING, "golden_data", "apo_samples"),
            "score": (*STAGE, "reward_model", "columns"),
            "train": (
                *(*TRAINING, "split", "skip_bad_rows", "merge_adapter", "merge_scale", "merge_first"),
                *("form", "ref_model", "reference_store", "judge", "auto_prompts", "score_column"),
            ),
            "eval": EVALUATED,
            "winrate": (*STAGE, *COMPARED),
        }
    )

    rm_prompts: str = Field(json_schema_extra=OPERATIONAL)
    """Prompts with golden answers, from which the reward model learns what is lacking."""
    llm_prompts: str = Field(json_schema_extra=OPERATIONAL)
    """Prompts on which the language model is improved; none of them should be in `rm_prompts`."""
    human: tuple[str, ...] = Field(min_length=1, json_schema_extra=OPERATIONAL)
    """Human preference pairs, in the forms of `train --data`; several with commas."""
    golden: NamedEngine = "golden"
    """Column of the golden answers in `rm_prompts`, or the engine that writes them."""
    sequential: bool = False
    """Go on from the reward model of the round before, which the paper advises against."""
    sample: GameSampleConfig = Field(default_factory=GameSampleConfig)
    """How the language model answers, `n` times, for either model: settings of `pairwright sample`."""
    reward: GameRewardConfig = Field(default_factory=GameRewardConfig)
    """How reward models are trained: settings of `pairwright reward`."""
    score: GameScoreConfig = Field(default_factory=GameScoreConfig)
    """How answers are scored by them: settings of `pairwright score`."""
    train: GameTrainConfig = Field(default_factory=GameTrainConfig)
    """How the language model is trained: settings of `pairwright train`; `learning_rate` may have one value
    a round."""
    winrate: WinrateSettings = Field(default_factory=WinrateSettings)
    """How each round is compared with the start, where a judge is named: settings of `pairwright
    winrate`."""

    @field_validator("human", "evaluator_data", mode="before")
    @classmethod
    def _split_sources(cls, value: Any) -> Any:
        return split_commas(value)

    @model_validator(mode="after")
    def _refuse_bad_combinations(self) -> "GameConfig":
        loss = self.train.loss
        if loss == "auto":
            raise UsageError("--train.loss auto is for given pairs; in a game name the loss")
        if self.sample.n == 1 and self.train.compares:
            raise UsageError(
                f"--sample.n 1: {loss} compares two answers to a prompt; sample two or more, or use "
                "--train.loss rejection_sampling"
            )
        if self.score.best_of_n and self.train.compares:
            raise UsageError(
                f"--score.best_of_n leaves one answer to a prompt, and {loss} compares two; use "
                "--train.loss rejection_sampling with it"
            )
        return self

    @property
    def golden_engine(self) -> bool:
        """Whether golden answers are written by an engine; else they stand in a column."""
        return is_engine(self.golden)


def record_today(found: dict[str, Any], config: GameConfig, now: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a game's folder with settings in sections, whichever version wrote it.

    Judges were recorded by name and not by what stands behind it; the same name is the same judge.
    """
    if not is_flat(found, config):
        return found
    sections = sections_before(found, config)
    asked = {name: identity for name, identity in now.items() if name.startswith("win judge")}
    if found.get("judge") != config.winrate.judge:
        asked = dict.fromkeys(asked or ["win judge model"], found.get("judge"))
    asked["policy model"] = now["policy model"]  # the model itself was recorded
    return identity_before(found, config, sections) | asked
