"""Claim T17: whether the game beats a fixed reward model under a separate gold scorer

Cheng et al. 2024 (arXiv 2311.08045): with the same language model's loss, a reward model that is
trained anew on golden over sampled answers leads further than one trained once on human pairs.

python benchmarks/claims/fixed_reward.py

On the letters toy: the same settings with `apo_coeff 0` are the fixed reward model. Shown is the mean
gold score of fresh answers, 0 at best, by round: its mean over seeds, least and most. The gold scorer
minds length itself; letters an answer are shown beside it.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from toy_games import LOSSES, answers_of, gold_of, markdown, over_seeds, parser_of, play, seeds_of, toy_of


def main() -> None:
    """Play both games of each loss under each seed."""
    parser = parser_of(__doc__)
    parser.add_argument("--temperature", type=float, default=1.2, help="of samples")
    parser.add_argument("--losses", default=",".join(LOSSES))
    args = parser.parse_args()
    seeds = seeds_of(args)
    rows, notes = [], []
    for loss in args.losses.split(","):
        last = {}
        for name, changes in (("game", {}), ("fixed", {"reward": {"apo_coeff": 0.0}})):
            games = [play(toy_of(args, seed), name, loss, args.temperature, **changes) for seed in seeds]
            rounds = [over_seeds(gold_of(game, n) for game in games) for n in range(args.rounds + 1)]
            rows.append([loss, name, *rounds, letters(games, args.rounds)])
            last[name] = [gold_of(game, args.rounds) for game in games]
        start = [gold_of(game, 0) for game in games]
        ahead = [a - b for a, b in zip(last["game"], last["fixed"], strict=True)]
        notes.append(
            f"{loss}: the game ends ahead of the fixed model in {sum(a > 0 for a in ahead)} of "
            f"{len(ahead)} seeds, by {over_seeds(ahead)}; "
            f"above its start in {above(last['game'], start)}, "
            f"the fixed one in {above(last['fixed'], start)}"
        )
    head = ["loss", "reward model", *(f"round {n}" for n in range(args.rounds + 1)), "letters at last"]
    print(markdown(head, rows) + "\n\n" + "\n".join(notes))


def letters(games: Sequence[Path], number: int) -> str:
    """Mean length of a round's answers."""
    return over_seeds(mean(map(len, answers_of(game, [number])[0])) for game in games)


def above(some: Sequence[float], others: Sequence[float]) -> int:
    """In how many seeds one is above the other."""
    return sum(a > b for a, b in zip(some, others, strict=True))


if __name__ == "__main__":
    main()
