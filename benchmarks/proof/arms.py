"""What is compared in each table of the proof: which pairs, trained on with which loss."""

from typing import NamedTuple

_LOOSE = "--min_kept_share 0 --max_edit_distance 1 --min_length_ratio 0.02 --max_length_ratio 3"
"""A verified repair may change much: capitals change every word."""
_REPAIRED = f"revise {{answers}} --reviser python:{{repairs}}:repair --verify check:ifeval {_LOOSE}"
_ASKED = f"--template revise_small --reply bare --max_tokens {{max_tokens}} --temperature 0.5 {_LOOSE}"

PAIRS = {
    "verified": _REPAIRED,
    "mirrored_plain": f"{_REPAIRED} --mirror plain",
    "mirrored": f"{_REPAIRED} --mirror mirror",
    "unverified": f"revise {{answers}} --reviser {{policy}} {_ASKED}",
    "on_policy": "judge {answers} --judge check:ifeval",
    "off_policy": "judge {other_answers} --judge check:ifeval",
    "stronger": "judge {answers} --stronger {other}",
}
"""The command that makes each kind of pairs. `mirrored`: under the bare task, or under another request."""

NEEDS_OTHER = ("off_policy", "stronger")
"""Kinds of pairs for which another model is wanted."""

_STEPS = "--learning_rate 5e-5 --num_train_epochs 2 --pairs_per_update 8 --eval_share 0.1 --save_steps 0"
LOSSES = {
    "apo_zero": "--loss apo_zero",
    "apo_zero_sft_0.1": "--loss apo_zero --sft_weight 0.1",
    "apo_zero_sft_0.3": "--loss apo_zero --sft_weight 0.3",
    "apo_zero_sft_1": "--loss apo_zero --sft_weight 1",
    "apo_down": "--loss apo_down",
    "dpo": "--loss dpo",
    "rpo_sum": "--preset rpo_sum",
    "rpo_mean": "--preset rpo_mean",
    "sft": "--loss rejection_sampling",
}
"""`sft` trains on the chosen answers alone: the control."""
_DEFAULT = "apo_zero_sft_0.3"


class Arm(NamedTuple):
    """Pairs, of one or several kinds, and a loss."""

    pairs: tuple[str, ...]
    loss: str

    @property
    def name(self) -> str:
        """Name of its folder and row."""
        return f"{'+'.join(self.pairs)}-{self.loss}"

    @property
    def training(self) -> str:
        """The settings of `train` that make it what it is."""
        return f"{LOSSES[self.loss]} {_STEPS}"


def _of_pairs(*kinds: str) -> Arm:
    return Arm(kinds, _DEFAULT)


TABLES = {
    "which_pairs": (
        *(_of_pairs(kind) for kind in ("verified", "unverified", "on_policy", "off_policy", "stronger")),
    ),
    "which_loss": (*(Arm(("mirrored",), loss) for loss in LOSSES), Arm(("on_policy",), "sft")),
    "contrast": (
        _of_pairs("verified"),
        _of_pairs("mirrored_plain"),
        _of_pairs("mirrored"),
        _of_pairs("on_policy"),
        _of_pairs("verified", "on_policy"),
        _of_pairs("mirrored", "on_policy"),
    ),
}
"""`which_loss` ends with rejection sampling: SFT on the best of the model's own answers."""
