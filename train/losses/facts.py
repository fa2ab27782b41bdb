"""What the command line must know of each loss. Free of torch, so that `--help` answers at once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class LossFacts(NamedTuple):
    """What a loss takes, and what it is trained with unless something else is asked for."""

    options: tuple[str, ...] = ()
    """Settings that belong to it, besides beta."""
    defaults: Mapping[str, Any] = MappingProxyType({})
    """Published settings, where the common default would be wrong for it."""
    per_token: bool = False
    """Whether it takes log-ratios, or log-probabilities, per token instead of sums."""
    reference: bool = True
    """Whether it takes log-ratios to a reference; else log-probabilities, and nobody asks one."""
    beta: bool = True
    """Whether beta means anything to it."""


_SFT = {"sft_weight": 1.0, "sft_reduction": "mean"}
FACTS: Mapping[str, LossFacts] = MappingProxyType(
    {
        "dpo": LossFacts(("label_smoothing",)),
        "dpo_norm": LossFacts(("label_smoothing",), {"beta": 5.0}, per_token=True),
        "robust": LossFacts(("label_smoothing",), {"label_smoothing": 0.1}),
        "ipo": LossFacts(per_token=True),
        "hinge": LossFacts(),
        "exo": LossFacts(("label_smoothing",), {"label_smoothing": 1e-3}),
        "discopop": LossFacts(("discopop_tau",)),
        "apo_zero": LossFacts(),
        "apo_down": LossFacts(),
        "apo_hinge_zero": LossFacts(),
        "apo_zero_unpaired": LossFacts(),
        "kto": LossFacts(("desirable_weight", "undesirable_weight")),
        "nca": LossFacts(),
        "bco": LossFacts(),
        "sppo": LossFacts(),
        "simpo": LossFacts(
            ("simpo_gamma", "alpha", "label_smoothing"), {"beta": 2.0}, per_token=True, reference=False
        ),
        "simper": LossFacts(per_token=True, reference=False, beta=False),
        "cpo": LossFacts(("label_smoothing",), _SFT, reference=False),
        "orpo": LossFacts((), _SFT, per_token=True, reference=False),
    }
)
"""Losses of pairs by their names on the command line."""
TRL_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "sigmoid": "dpo",
        "sigmoid_norm": "dpo_norm",
        "exo_pair": "exo",
        "nca_pair": "nca",
        "bco_pair": "bco",
        "sppo_hard": "sppo",
    }
)
"""What TRL calls some of them."""
