"""Claim T14: whether reward models go stale on samples of later language models

Cheng et al. 2024 (arXiv 2311.08045): a reward model that is not trained again loses accuracy on samples
of later language models; those that are trained in every round do not.

python benchmarks/claims/stale_reward.py GAME     of a finished game, on its golden pairs
python benchmarks/claims/stale_reward.py          of toy games, against a gold scorer too

Only prompts that a reward model was not trained on count. In brackets the same without length: what is
left when differences of rewards are regressed on differences of length. Of the toy: `human` has seen
human pairs alone, `first` is the first round's, `own` the one that was trained on samples of the same
language model, which is asked anew, on other prompts.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from toy_games import apart_in_gold, golden_over, markdown, parser_of, play, rewards_of, seeds_of, toy_of

from pairwright.models.loading import load_for_scoring, load_tokenizer
from train.data.split import without_prompts_of
from train.reward_model.config import RewardConfig
from train.reward_model.pairs import encode_reward_pairs, load_reward_pairs
from train.reward_model.report import assess, score_pairs

KINDS = {"golden over samples": golden_over, "the gold scorer's": apart_in_gold}
MODELS = ("human", "first", "own")


def main() -> None:
    """Look at one game, or play the toy's."""
    parser = parser_of(__doc__)
    parser.add_argument("game", nargs="?", type=Path)
    parser.add_argument("--temperatures", default="0.7,1.2", help="of the toy's samples")
    args = parser.parse_args()
    if args.game is not None:
        print(of_game(args.game))
        return
    for temperature in map(float, args.temperatures.split(",")):
        games = [
            play(toy_of(args, seed), "game", "rejection_sampling", temperature) for seed in seeds_of(args)
        ]
        print(f"temperature {temperature:g}, seeds {args.seeds}\n")
        print(of_toys(games, args.rounds) + "\n")


def of_game(game: Path) -> str:
    """One row a reward model, one column a round."""
    runs = sorted(game.glob("round-*/golden_pairs"), key=lambda p: int(p.parent.name[6:]))
    models = [p for p in (game / "evaluator", *(run.parent / "reward" for run in runs)) if p.exists()]
    rows, found = [], []
    for model in models:
        found = [on_golden_pairs(model, run) for run in runs]
        rows.append([str(model.relative_to(game)), *map(both, found)])
    return (
        markdown(["reward model", *(run.parent.name for run in runs)], rows)
        + f"\n\nPairs: {', '.join(str(a['pairs']) for a in found)}. "
        + f"The golden answer is longer than {found[-1]['longer_accuracy']:.3f} of the last samples."
    )


def on_golden_pairs(model: Path, run: Path) -> dict[str, Any]:
    """Of a reward model on a run of golden pairs whose prompts it was not trained on."""
    config = RewardConfig(**json.loads((model / "train.json").read_text())["config"])
    tokenizer = load_tokenizer(str(model))
    training = load_reward_pairs(config, tokenizer).training
    golden = encode_reward_pairs([str(run)], config, tokenizer, golden=True).kept
    pairs, _ = without_prompts_of(training, golden)
    scores = score_pairs(
        load_for_scoring(str(model), "float32", "cpu").model, pairs, budget=config.micro_batch_tokens
    )
    return assess(scores, bins=config.bins)


def of_toys(games: Sequence[Path], rounds: int) -> str:
    """One row a reward model, one column the round that its judged answers are of; means over seeds."""
    rows, notes = [], []
    for what, made in KINDS.items():
        found = [[looks(game, number, made) for number in range(rounds)] for game in games]
        for model in MODELS:
            cells = [[seed[number][model] for seed in found] for number in range(rounds)]
            rows.append([what, model, *(both(mean_of(cell)) for cell in cells)])
        last = [seed[-1] for seed in found]
        falls = [sum(f[-1][m]["accuracy"] < f[0][m]["accuracy"] for f in found) for m in MODELS]
        leads = [sum(one["own"]["accuracy"] > one[m]["accuracy"] for one in last) for m in MODELS[:-1]]
        notes.append(
            f"{what}: {falls[0]}, {falls[1]} and {falls[2]} of {len(games)} fall from the first answers "
            f"to the last (human, first, own); at last own leads human in {leads[0]}, first in {leads[1]}"
        )
    head = ["pairs", "reward model", *(f"answers of round {number}" for number in range(rounds))]
    return markdown(head, rows) + "\n\n" + "\n".join(notes)


def looks(game: Path, number: int, made: Callable[[Path, int], Any]) -> dict[str, dict[str, Any]]:
    """What each reward model makes of a round's answers; `own` is the one that was trained on such."""
    places = (game / "evaluator", game / "round-1" / "reward", game / f"round-{number + 1}" / "reward")
    pairs = made(game, number)
    return {
        model: assess(rewards_of(place, pairs), bins=10)
        for model, place in zip(MODELS, places, strict=True)
    }


def mean_of(seeds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds that have pairs."""
    some = [one for one in seeds if one["pairs"]]
    names = ("accuracy", "accuracy_without_length")
    return {"pairs": len(some)} | ({n: mean(one[n] for one in some) for n in names} if some else {})


def both(found: dict[str, Any]) -> str:
    """Accuracy, and without length."""
    if not found["pairs"]:
        return "–"
    return f"{found['accuracy']:.3f} ({found['accuracy_without_length']:.3f})"


if __name__ == "__main__":
    main()
