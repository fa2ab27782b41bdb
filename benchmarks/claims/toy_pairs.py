"""Files of the letters toy for `reward_table.py`: enough test pairs that small effects would show

python benchmarks/claims/toy_pairs.py OUT     makes OUT/model, OUT/human.jsonl and OUT/golden.jsonl

Human pairs have at most three `a`, and a share of them is labelled the wrong way round, as people do.
Golden answers have three; what was sampled has fewer, as the toy's language model writes.
"""

import argparse
import json
import random
from pathlib import Path

from toy_games import golden_string, human_pairs, save_tiny_model, strings, write_jsonl


def main() -> None:
    """Write the three."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--human", type=int, default=2600)
    parser.add_argument("--golden", type=int, default=900)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--noise", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    chance = random.Random(args.seed)
    human = human_pairs(chance, args.human)
    for row in human:
        if chance.random() < args.noise:
            row["chosen"], row["rejected"] = row["rejected"], row["chosen"]
    golden = []
    for number in range(args.golden):
        sampled = strings(chance, args.samples, 0.22)
        row = {"prompt": f"g{number}", "golden": golden_string(chance)}
        golden.append(row | {f"sampled_{n}": text for n, text in enumerate(sampled)})
    args.out.mkdir(parents=True, exist_ok=True)
    paths = {
        "model": save_tiny_model(args.out / "model", hidden_size=32, intermediate_size=48),
        "human": write_jsonl(args.out / "human.jsonl", human),
        "golden": write_jsonl(args.out / "golden.jsonl", golden),
    }
    print(json.dumps(paths))


if __name__ == "__main__":
    main()
