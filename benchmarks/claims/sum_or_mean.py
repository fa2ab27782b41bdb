"""The SFT term as a sum favours long answers, as a mean it does not (T9)

Half of the prompts are three in one, with answers three times as long. DPO with both forms of the term, the
sum at η and the mean at η · β · (mean tokens of an answer), which for answers of one length are the same
loss: the first table is arithmetic. Expected of a model: with the sum, long answers gain more a token than
short ones do; with the mean less so.

python benchmarks/claims/sum_or_mean.py [--eta 0.4] [--seeds 3] [--plots docs/claims]
"""

from collections.abc import Sequence

import numpy as np
import torch
from matched import Array, draw, estimate
from trained import Curves, Setting, over_seeds, pairs_of, parser_of

from train.losses.sft import nll_mean, nll_sum

JOIN = 3


def per_token(runs: Sequence[Curves], *, long: bool) -> Array:
    """Log-ratios of chosen answers a token at the end, of the long answers or of the short ones."""
    tokens_P = runs[0].tokens_P
    wanted = (tokens_P > np.median(tokens_P)) == long
    return np.stack([(run.chosen_TP[-1] / tokens_P)[wanted] for run in runs])


def mean_tokens(model: str, updates: int, pairs_per_update: int) -> float:
    """Mean tokens of a chosen answer that is trained on."""
    from pairwright.inputs.pairs import parse_pair
    from pairwright.models.loading import load_tokenizer
    from train.data.pairs import encode_pair

    setting = Setting(join=JOIN, updates=updates, pairs_per_update=pairs_per_update)
    tokenizer = load_tokenizer(model)
    pairs = [encode_pair(parse_pair(row, "made"), tokenizer) for row in pairs_of(setting)[0]]
    return sum(len(pair.chosen_ids) for pair in pairs) / len(pairs)


def pulls(tokens: Sequence[int], eta: float = 0.4, beta: float = Setting.beta) -> tuple[Array, Array]:
    """What either form pulls on each token of answers so long, where their mean length makes η equal."""
    tokens_B = torch.tensor(tokens, dtype=torch.float64)
    logps_B = torch.zeros_like(tokens_B, requires_grad=True)
    equal = eta * beta * float(tokens_B.mean())
    terms = eta * beta * nll_sum(logps_B, tokens_B), equal * nll_mean(logps_B, tokens_B)
    total, mean = (-torch.autograd.grad(term.sum(), logps_B)[0].numpy() for term in terms)
    return total, mean


def main() -> None:
    """Train what is not in the cache, then print both forms by length of answer."""
    parser = parser_of(__doc__)
    parser.add_argument("--eta", type=float, default=0.4)
    args = parser.parse_args()
    tokens = mean_tokens(args.model, args.updates, args.pairs_per_update)
    equal = round(args.eta * Setting.beta * tokens, 2)
    total = {"sft_weight": args.eta, "sft_reduction": "sum", "sft_times_beta": True}
    terms = {
        f"sum, η {args.eta:g}, times beta": total,
        f"mean, η {equal:g}": {"sft_weight": equal, "sft_reduction": "mean"},
    }
    print("| answers of | pull of the sum on each token | of the mean |\n|---|---|---|")
    for lengths in ([14, 14], [14, 42]):
        total, mean = (", ".join(f"{pull:.3f}" for pull in form) for form in pulls(lengths))
        print(f"| {' and '.join(map(str, lengths))} tokens | {total} | {mean} |")
    print()
    groups = {name: over_seeds(args, join=JOIN, **term) for name, term in terms.items()}
    print(f"{tokens:.1f} tokens a chosen answer; log-ratios of chosen answers a token, nats\n")
    print("| | long answers | short answers | long − short, each seed |\n|---|---|---|---|")
    for name, runs in groups.items():
        long, short = per_token(runs, long=True), per_token(runs, long=False)
        apart = ", ".join(f"{value:+.3f}" for value in long.mean(1) - short.mean(1))
        print(f"| {name} | {estimate(long):.3f} | {estimate(short):.3f} | {apart} |")
    if args.plots:
        draw(
            groups,
            args.plots / "sum_or_mean.png",
            "The SFT term as sum and as mean, answers of two lengths",
        )


if __name__ == "__main__":
    main()
