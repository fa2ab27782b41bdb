"""Which models are told apart already, and which are compared next.

A tournament is analysed after every round and may end after any of them; its claims have to hold all the
same. So the evidence against "neither is better" is not a test at a fixed sample size but a wager, whose
capital exceeds 1/α with a probability of at most α however often it is looked at (Ville 1939).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import exp, log

from judge.comparison.bradley_terry import Pair, all_pairs


def log_evidence(wins: int, losses: int) -> float:
    """Return the log-capital of a wager against "neither of two is better", after these wins and losses.

    Each comparison multiplies it by 2p where the first wins, by 2(1 - p) where it loses, and by 1 at a tie;
    p is spread evenly over 0 to 1, so that the capital is 2^n B(wins + 1, losses + 1) (Robbins 1970, doi
    10.1214/aoms/1177696786). Its expectation never grows where both are equally likely to win, and the
    half that bets on a model does not where that model is the worse one: of either kind of error there
    are at most α.
    """
    from scipy.special import betaln

    return (wins + losses) * log(2) + float(betaln(wins + 1, losses + 1))


_OPTIMISM = 0.9
"""How sure we are that a pair is no more uneven than it is taken for, when it is given up."""


class Standing:
    """What is known after the rounds so far, of K models, at an error rate over the whole tournament."""

    def __init__(self, models: int, error_rate: float | None) -> None:
        self._models = models
        self._needed = None if error_rate is None else log(len(all_pairs(models)) / error_rate)
        self.wins: dict[Pair, int] = dict.fromkeys(all_pairs(models), 0)
        """Of the first of each pair."""
        self.losses = dict(self.wins)
        self._met = dict(self.wins)
        self._claims: dict[Pair, int] = {}

    def add(self, points: Mapping[Pair, Sequence[float]]) -> None:
        """Add the points of each pair's first model in one more round, and update which are told apart."""
        for pair, found in points.items():
            self._met[pair] += len(found)
            self.wins[pair] += sum(p == 1 for p in found)
            self.losses[pair] += sum(p == 0 for p in found)
        for pair in points:
            wins, losses = self.wins[pair], self.losses[pair]
            told = self._needed is not None and log_evidence(wins, losses) >= self._needed
            if told and pair not in self._claims:
                self._claims[pair] = 1 if wins > losses else -1

    def evidence(self, pair: Pair) -> float:
        """Return the capital against "neither is better", as a number above 0."""
        return exp(min(700.0, log_evidence(self.wins[pair], self.losses[pair])))

    def better(self, *, direct: bool = False) -> dict[Pair, int]:
        """Return 1 for each pair whose first model is the better one, -1 where the second is.

        Pairs that are not told apart are left out. Being better is transitive: what follows from other
        pairs is no further claim and costs no error. With `direct`, only what the pair's own comparisons
        have shown.
        """
        if direct:
            return dict(self._claims)
        above = {n: {b for b in range(self._models) if self._claimed(n, b)} for n in range(self._models)}
        for middle in above:
            for others in above.values():
                if middle in others:
                    others |= above[middle]
        found = {}
        for a, b in self.wins:
            if (b in above[a]) != (a in above[b]):
                found[a, b] = 1 if b in above[a] else -1
        return found

    def _claimed(self, a: int, b: int) -> bool:
        return self._claims.get((a, b)) == 1 or self._claims.get((b, a)) == -1

    def to_ask(self, prompts_left: int, *, sparse: bool) -> list[Pair]:
        """Return the pairs to compare in the next round: those that are not told apart yet.

        A sparse design leaves out those that the remaining prompts cannot tell apart either.
        """
        told = self.better(direct=not sparse)
        pairs = [pair for pair in self.wins if pair not in told]
        return [pair for pair in pairs if not (sparse and self._is_hopeless(pair, prompts_left))]

    def _is_hopeless(self, pair: Pair, prompts_left: int) -> bool:
        """Whether the prompts that are left will not tell a pair apart, were they as uneven as they may be.

        That is the upper end of a one-sided 90 % interval (Jeffreys) of the leader's share. Giving a pair
        up is no claim: it costs no error.
        """
        from scipy.stats import beta

        if self._needed is None or not self._met[pair]:
            return False
        less, more = sorted((self.wins[pair], self.losses[pair]))
        share = float(beta.ppf(_OPTIMISM, more + 0.5, less + 0.5))
        decided = prompts_left * min(1.0, (more + less + 1) / (self._met[pair] + 1))
        end = more + round(share * decided), less + round((1 - share) * decided)
        return log_evidence(*end) < self._needed


def groups(order: Sequence[int], better: Mapping[Pair, int]) -> list[list[int]]:
    """Return the models in order, cut where all above are told to be better than all below."""
    cuts = [
        place
        for place in range(1, len(order))
        if all(_is_better(a, b, better) for a in order[:place] for b in order[place:])
    ]
    return [list(order[start:end]) for start, end in pairwise([0, *cuts, len(order)])]


def _is_better(a: int, b: int, better: Mapping[Pair, int]) -> bool:
    return better.get((a, b)) == 1 if a < b else better.get((b, a)) == -1
