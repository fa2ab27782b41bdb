"""Settings of `pairwright select`. Free of torch, so that `--help` answers at once."""

from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from pairwright.config import ADDED, OPERATIONAL, POSITIONAL, Config, split_commas
from pairwright.errors import UsageError
from pairwright.sift.folder import SiftConfig
from train.config import CodeConfig, ScoredPairsConfig


class MeasuresConfig(CodeConfig):
    """What is measured of pairs, and under which model."""

    group: ClassVar[str] = "Measures"

    model: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Model that the pairs are measured under: a folder, a model of the hub, or `smollm2`."""
    ref_model: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Reference of the implicit margin, beside `model`: what that was trained from."""
    tokenizer: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Whose tokens are counted where no `model` is given; no model is asked then."""
    beta: float = Field(default=0.1, gt=0)
    """Implicit margin per nat of difference in log-ratio."""
    max_length: int = Field(default=1024, gt=1)
    """Most tokens of prompt and answer together. Longer pairs are dropped as `too_long`, never cut."""
    reasoning: Literal["drop", "keep"] = Field(default="drop", json_schema_extra=ADDED)
    """Whether what was thought before an answer counts, as `train` takes it with the same setting."""
    bf16: bool | None = None
    """Compute in bfloat16; by default where the hardware does so."""
    micro_batch_tokens: int = Field(default=2048, gt=0, json_schema_extra=OPERATIONAL)
    """Most tokens in one forward pass. Changes memory and speed, not the measures."""
    use_cpu: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Measure on the CPU even where there is a GPU."""
    reference_store: str = Field(default="", json_schema_extra=OPERATIONAL)
    """Folder in which measures and reference log-probabilities are kept and found again; the user's cache
    when empty, or `none`."""


class RulesConfig(Config):
    """Rules about one pair's measures. A pair that breaks several is dropped for the first."""

    group: ClassVar[str] = "Rules"

    max_ches_quantile: float | None = Field(default=None, gt=0, lt=1)
    """Keep the pairs whose CHES is at most this quantile: DPO pushes both answers down on those above."""
    ches: Literal["normalized", "plain"] = "normalized"
    """Which CHES: of mean hidden states, or of sums, which long answers have large ones of."""
    min_implicit_quantile: float | None = Field(default=None, gt=0, lt=1)
    """Keep the pairs whose implicit margin is at least this quantile (0.9: the largest tenth)."""
    max_implicit_quantile: float | None = Field(default=None, gt=0, lt=1)
    """Keep the pairs whose implicit margin is at most this quantile (0.1: the smallest tenth)."""
    min_dcrm_quantile: float | None = Field(default=None, gt=0, lt=1)
    """Keep the pairs whose `margin` for their distance (DCRM) is at least this quantile."""
    min_margin: float | None = None
    """Keep the pairs whose column `margin` is at least this."""
    max_margin: float | None = None
    """Keep the pairs whose column `margin` is at most this."""
    max_margin_sd_quantile: float | None = Field(default=None, gt=0, lt=1)
    """Keep the pairs about whose margin several reward models disagree by at most this quantile
    (`margin_sd`, of answers that `score DIR+DIR` scored)."""
    max_length_difference: int | None = Field(default=None, ge=0)
    """Keep the pairs whose answers differ in length by at most this many tokens."""
    weight: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Drop nothing by the rules above: what they would drop has this in a column `weight`, the rest 1."""


class QuotasConfig(Config):
    """Rules about how many pairs, and of which kinds. They take the first in the order of `rank_by`."""

    group: ClassVar[str] = "How many"

    rank_by: str | None = None
    """Measure or column of numbers by which quotas take pairs, least first; `NAME:desc` greatest first.
    As `order_by` when not given, else as the rows come."""
    near: float | None = Field(default=None, gt=0, le=1)
    """Drop pairs that share this many of their runs of three words with one that ranks before."""
    max_per: tuple[str, ...] = ()
    """`COLUMN:N`: at most N pairs of each value of a column; several with commas."""
    shares: str | None = None
    """`COLUMN:VALUE=SHARE,VALUE=SHARE`: as many pairs as there can be with these shares of them; what is
    left of 1 is for all other values."""
    stratify: str | None = None
    """Column whose values take turns in `top` and `budget_tokens`, so that all have a part."""
    top: int | None = Field(default=None, gt=0)
    """Keep the first N pairs."""
    budget_tokens: int | None = Field(default=None, gt=0)
    """Keep the first pairs whose prompts and answers together have at most this many tokens."""
    order_by: str | None = None
    """Write pairs in the order of a measure or column, least first; `NAME:desc` greatest first.
    `train --keep_order` trains on them in it."""

    @field_validator("max_per", mode="before")
    @classmethod
    def _split_caps(cls, value: object) -> object:
        return split_commas(value)

    @property
    def caps(self) -> dict[str, int]:
        """The most pairs of each value, by column."""
        found = {}
        for part in self.max_per:
            column, _, number = part.rpartition(":")
            if not column or not number.isdigit() or int(number) == 0:
                raise UsageError(f"--max_per {part}: say COLUMN:N, such as source:500, with N above 0")
            found[column] = int(number)
        return found

    @property
    def mixture(self) -> tuple[str, dict[str, float]]:
        """A column, and the share of the pairs that each of its values has; "" where none is asked for."""
        if self.shares is None:
            return "", {}
        column, _, parts = self.shares.partition(":")
        found = {}
        for part in parts.split(","):
            value, _, share = part.rpartition("=")
            try:
                found[value.strip()] = float(share)
            except ValueError:
                found[value.strip()] = 0.0
        if not column or not all(found) or not all(0 < share <= 1 for share in found.values()):
            raise UsageError(
                f"--shares {self.shares}: say COLUMN:VALUE=SHARE,VALUE=SHARE, such as source:web=0.7, with "
                "shares above 0 and at most 1"
            )
        if sum(found.values()) > 1 + 1e-9:
            raise UsageError(f"--shares {self.shares}: the shares add up to more than 1")
        return column, found

    @model_validator(mode="after")
    def _refuse_bad_quotas(self) -> "QuotasConfig":
        _ = self.caps, self.mixture
        if self.stratify is not None and self.top is None and self.budget_tokens is None:
            raise UsageError("--stratify needs a limit to share out: give --top N or --budget_tokens N too")
        return self


class SelectConfig(ScoredPairsConfig, QuotasConfig, RulesConfig, MeasuresConfig, SiftConfig):
    """Keep the pairs that are worth training on, by what a model makes of each, and say what was dropped.

    Example: pairwright select runs/pairs --model smollm2 --max_ches_quantile 0.5 --out runs/selected
    """

    inputs: tuple[str, ...] = Field(default=(), json_schema_extra=POSITIONAL)
    """Pairs: run folders, JSONL or Parquet files, or data sets of the hub; their kept rows count."""
    out: str = Field(default="", json_schema_extra=OPERATIONAL)
    """Run folder to write."""
    explain: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Say in words what the rules that you give are for and where they come from (all of them, if you give
    none); select nothing, write nothing."""

    @model_validator(mode="after")
    def _refuse_what_cannot_be_done(self) -> "SelectConfig":
        if self.pairs == "chain":
            raise UsageError(
                "--pairs chain: select takes pairs as they are; pairwright revise --mode edits --pairs "
                "chain writes one for each edit, and train --pairs chain reads them so"
            )
        if self.ref_model is not None and self.model is None:
            raise UsageError("--ref_model is the reference of a model: name that too, with --model")
        if self.tokenizer is not None and self.model is not None:
            raise UsageError("--tokenizer is for selecting without --model, which has its own")
        if (low := self.min_margin) is not None and (high := self.max_margin) is not None and low > high:
            raise UsageError(f"--min_margin {low:g} is above --max_margin {high:g}: no pair is between")
        return self
