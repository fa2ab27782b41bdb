"""The columns of a pair."""

from typing import Any

from pairwright.inputs.row import Candidate
from pairwright.pairs.minimality import measure


def pair_columns(chosen: Candidate, rejected: Candidate) -> dict[str, Any]:
    """Return the columns of a pair: both sides, the models behind them, and the pair's measures.

    The kept share is that of rejected.
    """
    measures = measure(chosen.text, rejected.text, original=rejected.text)
    return {
        **sides(chosen, rejected),
        **measures._asdict(),
        "attempts": 1,
    }


def sides(chosen: Candidate, rejected: Candidate) -> dict[str, Any]:
    """Return the columns of both sides: the answers, the models behind them, and their thoughts."""
    return {
        "chosen": [{"role": "assistant", "content": chosen.text}],
        "rejected": [{"role": "assistant", "content": rejected.text}],
        "chosen_model": chosen.model,
        "rejected_model": rejected.model,
        "chosen_reasoning": chosen.reasoning,
        "rejected_reasoning": rejected.reasoning,
    }
