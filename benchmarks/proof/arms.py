"""What is compared in each table of the proof: which pairs, trained on with which loss."""

from typing import NamedTuple

from grounds import LORA

_LOOSE = "--min_kept_share 0 --max_edit_distance 1 --min_length_ratio 0.02 --max_length_ratio 4"
"""A verified repair may change much: capitals change every word."""
_REPAIRED = f"revise {{bare}} --reviser python:{{repair}} --verify {{verify}} {_LOOSE}"
_ASKED = f"--template revise_small --reply bare --max_tokens {{max_tokens}} --temperature 0.5 {_LOOSE}"

PAIRS = {
    "verified": _REPAIRED,
    "mirrored_plain": f"{_REPAIRED} --mirror {{plain}}",
    "mirrored_another": f"{_REPAIRED} --mirror another",
    "mirrored_either": f"{_REPAIRED} --mirror mirror",
    "mirrored_both": f"{_REPAIRED} --mirror {{plain}},another",
    "crossed": f"{_REPAIRED} --cross {{plain}} --mirror {{plain}}",
    "unverified": f"revise {{bare}} --reviser {{policy}} {_ASKED}",
    "repaired": f"revise {{asked}} --reviser python:{{repair}} --verify {{verify}} {_LOOSE}",
    "on_policy": "judge {asked} --judge {verify}",
    "off_policy": "judge {other_asked} --judge {verify}",
    "stronger": "judge {asked} --stronger {other}",
}
"""The command that makes each kind of pairs. An answer to the bare question is repaired so that it follows
its row's request; `mirrored`: and the sides swapped under the bare question, another request, both, or now
the one and now the other. `crossed`: a repair over that of the same answer for another request, one of
three with a mirror under the bare question. `repaired`: repairs of answers to the whole prompt.
`on_policy`: an answer to it that is right over one that is not."""

NEEDS_OTHER = ("off_policy", "stronger")
"""Kinds of pairs for which another model is wanted."""

LOSSES = {
    "sft": "--loss rejection_sampling",
    "apo_zero": "--loss apo_zero",
    "apo_zero_sft_0.1": "--loss apo_zero --sft_weight 0.1",
    "apo_zero_sft_0.3": "--loss apo_zero --sft_weight 0.3",
    "apo_zero_sft_1": "--loss apo_zero --sft_weight 1",
    "apo_zero_sft_1_changed": "--loss apo_zero --sft_weight 1 --token_weight changed:4",
    "apo_down": "--loss apo_down",
    "dpo": "--loss dpo",
    "dpo_changed": "--loss dpo --token_weight changed:4",
    "dpo_sft_1": "--loss dpo --sft_weight 1",
    "rpo_sum": "--preset rpo_sum",
    "rpo_mean": "--preset rpo_mean",
}
"""`sft` trains on the chosen answers alone: the control, which the first line of a table is."""
_DEFAULT = "apo_zero_sft_1"


class Arm(NamedTuple):
    """Pairs, of one or several kinds, those of them that are trained on, and a loss."""

    pairs: tuple[str, ...]
    loss: str = _DEFAULT
    ordered_by: str = ""
    """A measure of `select`; without, the first pairs are trained on, or drawn ones."""
    end: str = ""
    """Which part of its order: `least`, `middle` or `most`."""
    shares: tuple[float, ...] = ()
    """How much of what it trains on is of each kind; equally much where nothing is said."""
    unquoted: bool = False
    """Whether pairs whose chosen answer opens with a quotation mark are left out."""
    training: str = ""
    """Settings of its training, where they are not the ground's."""
    merged: float = 1.0
    """The share of what its adapter learned that is merged."""
    model: str = "model"
    """Where in the arm's folder it lies."""

    @property
    def mixed(self) -> dict[str, float]:
        """The share of each kind of pairs."""
        return dict(zip(self.pairs, self.shares or (1 / len(self.pairs),) * len(self.pairs), strict=True))

    @property
    def data(self) -> str:
        """What it trains on, as its row says it."""
        part = f", {self.end} {self.measure}" if self.end else ""
        return " + ".join(self.pairs) + part + (f", {self.merged:g} merged" if self.merged != 1 else "")

    @property
    def name(self) -> str:
        """Name of its folder and its point in a plot."""
        place = f"-{self.end}_{self.measure}" if self.end else ""
        share = f"-{self.merged:g}" if self.merged != 1 else ""
        return f"{'+'.join(self.pairs)}{place}-{self.loss}{share}"

    @property
    def order(self) -> str:
        """The order that `select` is asked for: the largest first where the arm trains on these."""
        return f"{self.ordered_by}:desc" if self.end == "most" else self.ordered_by

    @property
    def measure(self) -> str:
        """What its order is called in names."""
        return MEASURES[self.ordered_by]


MEASURES = {"edit_distance": "changed", "ches_normalized": "CHES"}
"""By what pairs are put in order, and what that is called in an arm's name."""
ENDS = ("least", "middle", "most")

_MIXED = Arm(
    ("on_policy", "repaired", "crossed"),
    "apo_zero_sft_0.3",
    shares=(0.21, 0.33, 0.46),
    unquoted=True,
    training="--save_steps 0 --pairs_per_update 8 --learning_rate 1e-4 --eval_share 0.02",
)
"""It gains most by IFEval's checks, and its answers say least: see docs/proof.md."""

_BOTH = Arm(
    ("crossed", "verified"),
    "apo_zero_sft_0.3",
    shares=(0.6, 0.4),
    training=f"{LORA} --num_train_epochs 1 --eval_share 0.02",
)
"""Crossed pairs say which form, repairs over the bare answer say that there is to be one."""

TABLES = {
    "which_pairs": tuple(Arm((kind,)) for kind in ("verified", "unverified", "on_policy", *NEEDS_OTHER)),
    "which_loss": (
        *(Arm(("mirrored_plain",), loss) for loss in LOSSES if not loss.endswith("_changed")),
        Arm(("on_policy",), "sft"),
    ),
    "contrast": (
        Arm(("mirrored_plain",)),
        Arm(("verified",)),
        Arm(("mirrored_another",)),
        Arm(("mirrored_both",)),
        Arm(("crossed",)),
        Arm(("on_policy",)),
        Arm(("verified", "on_policy")),
        Arm(("mirrored_plain", "on_policy")),
    ),
    "recipe": (Arm(("crossed",), "sft"), Arm(("crossed",), "apo_zero_sft_0.3"), _MIXED),
    "recipe_both": (_BOTH._replace(loss="sft"), _BOTH, _BOTH._replace(merged=0.7)),
    "minimality": tuple(
        Arm(("mirrored_plain",), loss, measure, end)
        for measure in MEASURES
        for end in ENDS
        for loss in ("apo_zero", "dpo")
    ),
    "token_weight": tuple(
        Arm(("mirrored_plain",), loss)
        for loss in ("apo_zero_sft_1", "apo_zero_sft_1_changed", "dpo", "dpo_changed")
    ),
}
"""`which_loss` ends with rejection sampling: SFT on the best of the model's own answers."""
