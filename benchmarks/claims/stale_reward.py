"""Whether reward models go stale: each round's on golden answers over every round's samples

Claim T14 of Cheng et al. 2024 (arXiv 2311.08045): a reward model that is not trained again loses
accuracy on samples of later language models; those of later rounds do not. Works on the folder of a
finished game and trains nothing; only prompts that a reward model was not trained on count. The
evaluator has seen human pairs alone, so it is the static reward model here.

python benchmarks/claims/stale_reward.py GAME
"""

import json
import sys
from pathlib import Path
from typing import Any

from train.game_measures import score_pairs
from train.model import load_tokenizer
from train.pairs import without_prompts_of
from train.reward_config import RewardConfig
from train.reward_model import load_reward_model
from train.reward_pairs import encode_reward_pairs, load_reward_pairs
from train.reward_report import assess


def main(game: Path) -> None:
    """Print one row a reward model, one column a round: accuracy, and the same without length."""
    runs = sorted(game.glob("round-*/golden_pairs"), key=lambda p: int(p.parent.name[6:]))
    models = [p for p in (game / "evaluator", *(run.parent / "reward" for run in runs)) if p.exists()]
    print(f"| reward model | pairs | {' | '.join(run.parent.name for run in runs)} |")
    print("|---" * (2 + len(runs)) + "|")
    for model in models:
        found = [accuracies(model, run) for run in runs]
        cells = [f"{a['accuracy']:.3f} ({a['accuracy_without_length']:.3f})" for a in found]
        print(f"| {model.relative_to(game)} | {found[0]['pairs']} | {' | '.join(cells)} |")
    print(f"\nOf the golden answers {found[-1]['longer_accuracy']:.3f} are longer than the last samples.")


def accuracies(model: Path, run: Path) -> dict[str, Any]:
    """Of a reward model on a run of golden pairs whose prompts it was not trained on."""
    config = RewardConfig(**json.loads((model / "train.json").read_text())["config"])
    tokenizer = load_tokenizer(str(model))
    training = load_reward_pairs(config, tokenizer).training
    golden = encode_reward_pairs([str(run)], config, tokenizer, golden=True).kept
    pairs, _ = without_prompts_of(training, golden)
    return assess(
        score_pairs(load_reward_model(str(model)), pairs, budget=config.micro_batch_tokens),
        bins=config.bins,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
