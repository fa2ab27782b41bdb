"""Tournaments of models whose strengths are known: how often intervals hold them, and stopping errs.

    python benchmarks/tournaments.py --worlds 2000

In a world, K models have strengths drawn from a normal distribution; in half of the worlds two of them are
equal. On each prompt a model's answer is worth its strength and Gumbel noise, so that of two the first wins
with the odds of Bradley and Terry, and the pairs of one prompt depend on each other; ties come by odds of
Davidson. Told: the cover of the 95 % intervals of strengths and points, everybody meeting everybody; and
for `--until`, of either design: worlds in which anything told apart is wrong, pairs told apart among those
that differ, and comparisons as a share of all, beside sign tests (Bonferroni) on everything. With
`--spread 0` all models are equal, which is the worst case of errors.
"""

import argparse
from collections import defaultdict

import numpy as np

from judge.comparison.bradley_terry import all_pairs, counts_of, field_points, fit, resampled
from judge.comparison.design import Standing
from pairwright.figures.intervals import sign_test


class World:
    """Strengths, and the points of every pair on every prompt."""

    def __init__(self, draw, models, prompts, spread, tie):
        self.pairs = all_pairs(models)
        theta = draw.normal(0, spread, models)
        if draw.random() < 0.5:
            theta[1] = theta[0]
        self.theta = theta - theta.mean()
        self.truth = np.array([self.theta[a] - self.theta[b] for a, b in self.pairs])
        worth = self.theta + draw.gumbel(size=(prompts, models))
        first, second = np.array(self.pairs).T
        won = (worth[:, first] > worth[:, second]).astype(float)
        tied = np.exp(tie) / (2 * np.cosh(self.truth / 2) + np.exp(tie))
        self.points = np.where(draw.random(won.shape) < tied, 0.5, won)
        shares = tied / 2 + (1 - tied) / (1 + np.exp(-self.truth))
        field = np.zeros(models)
        for (a, b), share in zip(self.pairs, shares, strict=True):
            field[a] += share
            field[b] += 1 - share
        self.field = field / (models - 1)

    def judged(self, told):
        """Whether anything told is wrong, and how many pairs that differ are told apart."""
        signs = np.sign(np.round(self.truth, 12))
        wrong = any(side != signs[n] for n, pair in enumerate(self.pairs) if (side := told.get(pair)))
        return wrong, sum(1 for n, pair in enumerate(self.pairs) if pair in told and signs[n])


def covers(world, samples, seed):
    counts = counts_of(world.points)
    drawn = fit(resampled(counts, samples, seed), world.pairs, len(world.theta))
    low, high = np.quantile(drawn.theta_BK, [0.025, 0.975], axis=0)
    low_points, high_points = np.quantile(field_points(drawn), [0.025, 0.975], axis=0)
    strengths = (low <= world.theta) & (world.theta <= high)
    return strengths.mean(), ((low_points <= world.field) & (world.field <= high_points)).mean()


def played(world, until, sparse, per_round):
    """What is told apart by a tournament in rounds, and the comparisons it took."""
    standing, cost = Standing(len(world.theta), until), 0
    for start in range(0, len(world.points), per_round):
        asked = standing.to_ask(len(world.points) - start, sparse=sparse)
        if not asked:
            break
        block = world.points[start : start + per_round]
        cost += len(asked) * len(block)
        standing.add({pair: block[:, world.pairs.index(pair)].tolist() for pair in asked})
    return standing.better(direct=not sparse), cost


def tested(world):
    """The same by sign tests on all prompts."""
    told = {}
    for n, pair in enumerate(world.pairs):
        wins, losses = (world.points[:, n] == 1).sum(), (world.points[:, n] == 0).sum()
        if sign_test(int(wins), int(losses)) * len(world.pairs) < 0.05:
            told[pair] = 1 if wins > losses else -1
    return told, world.points.size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in (("worlds", 2000), ("models", 5), ("prompts", 400), ("samples", 200), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--per_round", type=int, default=25)
    parser.add_argument("--spread", type=float, default=0.7, help="standard deviation of strengths")
    parser.add_argument("--tie", type=float, default=0.0, help="log-weight of a tie between equals")
    args = parser.parse_args()
    draw = np.random.default_rng(args.seed)
    held, wrong, told, cost = [], defaultdict(list), defaultdict(list), defaultdict(list)
    for number in range(args.worlds):
        world = World(draw, args.models, args.prompts, args.spread, args.tie)
        if args.samples:
            held.append(covers(world, args.samples, number))
        ways = {f"--until {u} --design {d}": played(world, u, d == "sparse", args.per_round)
                for u in (0.02, 0.05) for d in ("all", "sparse")}  # fmt: skip
        for way, (found, used) in (ways | {"sign tests, all prompts": tested(world)}).items():
            bad, right = world.judged(found)
            wrong[way].append(bad)
            told[way].append(right / max(1, np.count_nonzero(np.round(world.truth, 12))))
            cost[way].append(used / world.points.size)
    print(f"{args.worlds} worlds of {args.models} models and {args.prompts} prompts")
    if held:
        strengths, points = np.mean(held, axis=0)
        print(f"95 % intervals hold strengths in {strengths:.1%}, points in {points:.1%}")
    for way in wrong:
        print(f"{way:32} wrong in {np.mean(wrong[way]):.2%} of worlds; tells apart {np.mean(told[way]):.1%}"
              f" of the pairs that differ; {np.mean(cost[way]):.1%} of the comparisons")  # fmt: skip


if __name__ == "__main__":
    main()
