"""From votes to a decision about a pair: over both orders, over all judges."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pairwright.figures.verdicts import EVEN
from pairwright.records import INCONSISTENT, KEPT, TIE, UNPARSED, Ending

Agree = Literal["majority", "all", "mean"]


def side(probability: float) -> int:
    """Return 1 if a probability favours the answer it is of, -1 if it favours the other one, else 0."""
    return 0 if abs(probability - 0.5) < EVEN else (1 if probability > 0.5 else -1)


class Vote(NamedTuple):
    """What one judge said of the pair (a, b), once."""

    judge: str
    a_first: bool | None
    """Whether a stood first; None where each was rated alone."""
    label: str
    """The label it prefers; empty when unparsed or by score."""
    probability: float | None
    """That a is better. None: unparsed."""
    outside_mass: float | None = None
    aspect: str = ""
    weight: float = 1.0
    scores: tuple[float | None, float | None] = (None, None)
    """Of a and of b, where each was rated alone."""
    reply: str = ""
    problem: str = ""
    """Why it could not be read, where there is more to say than that."""


class Opinion(NamedTuple):
    """One judge's view of a pair, over all its votes."""

    probability: float | None
    """That a is better; None unless every vote could be read: one order alone is no opinion."""
    consistent: bool
    """Whether every order favours the same side."""

    @property
    def favours(self) -> int:
        """1 for a, -1 for b, 0 for neither."""
        if self.probability is None or not self.consistent:
            return 0
        return side(self.probability)


class Decision(NamedTuple):
    """How a pair ends."""

    status: str
    reason: str
    preference: float | None
    """Probability that a is better, the mean over orders and judges; None when nothing could be read."""
    consistent: bool
    votes: tuple[Vote, ...]

    @property
    def margin(self) -> float:
        """|2 p - 1|: 0 undecided, 1 certain."""
        return 0.0 if self.preference is None else abs(2 * self.preference - 1)

    def verdict(self, *, a_chosen: bool) -> dict[str, Any]:
        """Return the `verdict` column, told from the side of the chosen answer."""
        p = self.preference
        return {
            "preference": p if p is None or a_chosen else 1 - p,
            "consistent": self.consistent,
            "votes": [_vote_column(vote, a_chosen) for vote in self.votes],
        }


def opinion(votes: Sequence[Vote]) -> Opinion:
    """Return one judge's opinion: the weighted mean of its votes.

    It is consistent when no two orders favour different sides.
    """
    if any(v.probability is None for v in votes) or not votes:
        return Opinion(None, False)
    total = sum(v.weight for v in votes)
    mean = sum(v.weight * v.probability for v in votes if v.probability is not None) / total
    sides = {side(v.probability) for v in votes if v.probability is not None and v.a_first is not None}
    return Opinion(mean, len(sides) < 2)


def decide(votes: Sequence[Vote], agree: Agree, min_margin: float) -> Decision:
    """Decide whether the judges prefer one of two answers clearly enough for a pair.

    `mean` takes the jury for one judge, whose vote in an order is the mean of theirs; `all` and
    `majority` count the judges who favour the same side in both orders.
    """
    votes = tuple(votes)
    if agree == "mean":
        votes_by_judge = [_averaged(votes)]
    else:
        judges = dict.fromkeys(v.judge for v in votes)
        votes_by_judge = [[v for v in votes if v.judge == judge] for judge in judges]
    opinions = [opinion(of_one) for of_one in votes_by_judge]
    read = [o.probability for o in opinions if o.probability is not None]
    preference = sum(read) / len(read) if read else None
    consistent = bool(read) and all(o.consistent for o in opinions if o.probability is not None)
    status, reason = _ending(opinions, preference, agree, min_margin)
    if status == UNPARSED and (problem := next((vote.problem for vote in votes if vote.problem), "")):
        reason += f": {problem}"
    return Decision(status, reason, preference, consistent, votes)


def _ending(
    opinions: Sequence[Opinion], preference: float | None, agree: Agree, min_margin: float
) -> Ending:
    if preference is None:
        return Ending(UNPARSED, "no judge gave a verdict that can be read, in both orders")
    sides = [o.favours for o in opinions]
    needed = len(sides) if agree == "all" else len(sides) // 2 + 1
    winner = next((side for side in (1, -1) if sides.count(side) >= needed), 0)
    margin = abs(2 * preference - 1)
    if winner and side(preference) == winner:
        if margin >= min_margin - EVEN:  # 0.55 is 0.1 apart and a little more, 0.45 a little less
            return Ending(KEPT)
        return Ending(TIE, f"a margin of {margin:.3f}; at least {min_margin:g} is wanted")
    if winner:
        return Ending("disagreement", "most judges prefer one answer, and the mean probability the other")
    unread = sum(o.probability is None for o in opinions)
    if unread > len(opinions) - needed:
        return Ending(UNPARSED, f"{unread} of {len(opinions)} judges gave no verdict that can be read")
    if not all(o.consistent for o in opinions if o.probability is not None):
        return Ending(INCONSISTENT, "a judge prefers another answer when the order is turned round")
    if 1 in sides and -1 in sides:
        return Ending("disagreement", "the judges prefer different answers")
    return Ending(TIE, "no answer is preferred")


def _averaged(votes: Sequence[Vote]) -> list[Vote]:
    """The votes of judges who could be read, as those of one judge: per order and aspect, the mean."""
    judges = dict.fromkeys(v.judge for v in votes)
    unread = {v.judge for v in votes if v.probability is None}
    readable = [v for v in votes if v.judge not in unread]
    places = dict.fromkeys((v.a_first, v.aspect, v.weight) for v in readable)
    averaged = []
    for a_first, aspect, weight in places:
        here = [v.probability for v in readable if (v.a_first, v.aspect) == (a_first, aspect)]
        mean = sum(p for p in here if p is not None) / len(here)
        averaged.append(Vote("+".join(judges), a_first, "", mean, aspect=aspect, weight=weight))
    return averaged


def _vote_column(vote: Vote, a_chosen: bool) -> dict[str, Any]:
    a, b = vote.scores
    p, first = vote.probability, vote.a_first
    return {
        "judge": vote.judge,
        "chosen_first": first if first is None or a_chosen else not first,
        "label": vote.label,
        "probability": p if p is None or a_chosen else 1 - p,
        "outside_mass": vote.outside_mass,
        "aspect": vote.aspect or None,
        "chosen_score": a if a_chosen else b,
        "rejected_score": b if a_chosen else a,
        "reply": vote.reply,
    }
