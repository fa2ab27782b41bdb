"""A row's columns after a person's decision: swapped, edited, or unchanged."""

from collections.abc import Mapping
from typing import Any

from pairwright.pairs.minimality import measure
from pairwright.people.decisions import Decision
from pairwright.schema import GATED, MEASURES, VERIFIED

_SIDES = ("", "_model", "_template", "_reasoning", "_score")
"""What the columns of a side are called after `chosen` and `rejected`."""


def as_decided(row: Mapping[str, Any], decision: Decision) -> dict[str, Any]:
    """Return the columns of a decided row, null where new text has not been measured or judged."""
    if decision.kind == "swap":
        return _swapped(row)
    if decision.kind == "edit" and decision.text is not None:
        return _edited(row, decision.text)
    return dict(row)


def _swapped(row: Mapping[str, Any]) -> dict[str, Any]:
    """The pair turned round: sides, measures, and the judges' verdict on it."""
    found = dict(row)
    for end in _SIDES:
        chosen, rejected = f"chosen{end}", f"rejected{end}"
        if chosen in row and rejected in row:
            found[chosen], found[rejected] = row[rejected], row[chosen]
    if row.get("margin") is not None:
        found["margin"] = -row["margin"]
    if row.get("verdict") is not None:
        found["verdict"] = _turned(row["verdict"])
    return found | _measures(found)


def _turned(verdict: Mapping[str, Any]) -> dict[str, Any]:
    votes = [
        vote
        | {
            "chosen_first": None if vote["chosen_first"] is None else not vote["chosen_first"],
            "probability": _rest(vote["probability"]),
            "chosen_score": vote["rejected_score"],
            "rejected_score": vote["chosen_score"],
        }
        for vote in verdict["votes"] or ()
    ]
    return {**verdict, "preference": _rest(verdict["preference"]), "votes": votes}


def _rest(probability: float | None) -> float | None:
    return None if probability is None else 1 - probability


def _edited(row: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The pair with the chosen answer that a person wrote; nobody has judged, verified or thought it."""
    judged = ("verdict", "margin", "chosen_reasoning", *(name for name, _ in (*VERIFIED, *GATED)))
    found = dict(row) | {name: None for name in judged if name in row}
    found["chosen"] = [{"role": "assistant", "content": text}]
    if "chosen_model" in row and row["chosen"] is None:
        found["chosen_model"] = None
    return found | _measures(found)


def _measures(row: Mapping[str, Any]) -> dict[str, Any]:
    """The measures that the run has, of the pair as it is now; the share kept is that of rejected."""
    if not row.get("chosen") or not row.get("rejected"):
        return {}
    chosen, rejected = (row[side][-1]["content"] for side in ("chosen", "rejected"))
    found = measure(chosen, rejected, original=rejected)._asdict()
    found["changed_spans"] = [span._asdict() for span in found["changed_spans"]]
    return {name: found[name] for name, _ in MEASURES if name in row}
