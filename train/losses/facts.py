"""Facts about each loss for the command line. Free of torch, so that `--help` answers at once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class LossFacts(NamedTuple):
    """The settings that a loss takes, and its defaults."""

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
    smoothed: bool = False
    """Whether it is nothing, or another loss, without label smoothing."""
    unsmoothed: str = ""
    """Why no label smoothing goes with it, where that is not plain."""


_RESCALED = LossFacts(
    unsmoothed="the loss of a pair and of its swap add up to a constant, so smoothing is a smaller "
    "learning rate"
)
_SFT = {"sft_weight": 1.0, "sft_reduction": "mean"}
FACTS: Mapping[str, LossFacts] = MappingProxyType(
    {
        "dpo": LossFacts(("label_smoothing",)),
        "dpo_norm": LossFacts(("label_smoothing",), {"beta": 5.0}, per_token=True),
        "robust": LossFacts(("label_smoothing",), {"label_smoothing": 0.1}, smoothed=True),
        "ipo": LossFacts(per_token=True, unsmoothed="its squared loss already keeps the margin finite"),
        "hinge": LossFacts(),
        "exo": LossFacts(("label_smoothing",), {"label_smoothing": 1e-3}, smoothed=True),
        "discopop": LossFacts(("discopop_tau",)),
        "apo_zero": _RESCALED,
        "apo_down": LossFacts(
            unsmoothed="smoothing it changes its anchor and gives a loss that nobody has studied"
        ),
        "apo_hinge_zero": LossFacts(),
        "apo_zero_unpaired": _RESCALED,
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
RANKED: Mapping[str, LossFacts] = MappingProxyType(
    {
        "rejection_sampling": LossFacts(
            (), _SFT, reference=False, beta=False, unsmoothed="it has no rejected answers"
        ),
        "rrhf": LossFacts(
            (),
            {"sft_weight": 1.0, "sft_reduction": "sum"},
            reference=False,
            beta=False,
            unsmoothed="it is a hinge, not a likelihood of labels",
        ),
    }
)
"""Losses of scored answers, with the SFT term that is part of them unless another is named."""
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


def facts_of(loss: str) -> LossFacts | None:
    """Return the facts of a loss; None for `auto` and for a user's own."""
    return FACTS.get(loss) or RANKED.get(loss)


def defaults_of(loss: str) -> Mapping[str, Any]:
    """Return the defaults of a loss's settings."""
    return facts.defaults if (facts := facts_of(loss)) else {}
