"""Wrong labels hurt APO-zero less than DPO (T11)

A share of the training pairs is labelled the wrong way round; accuracy is of held-out pairs, labelled
rightly. Expected: it falls less with APO-zero, whose loss is bounded and symmetric. That smoothing its
labels is a smaller learning rate and nothing else needs no model: the last line says how exactly.

python benchmarks/claims/noise.py [--shares 0,0.3] [--seeds 3] [--plots docs/claims]
"""

import torch
from matched import at_end, draw, estimate
from trained import numbers, over_seeds, parser_of

from train.losses.anchored import apo_zero

BETA = 0.1


def smoothing_error(smoothing: float = 0.2, beta: float = BETA) -> float:
    """Largest difference between smoothed APO-zero's gradient and (1 − 2 ε) times the plain one."""
    torch.manual_seed(0)
    deltas = (4 * torch.randn(2, 1000, dtype=torch.float64)).requires_grad_()
    plain = apo_zero(deltas[0], deltas[1], beta=beta).sum()
    swapped = apo_zero(deltas[1], deltas[0], beta=beta).sum()
    [slope] = torch.autograd.grad(plain, deltas, retain_graph=True)
    [smoothed] = torch.autograd.grad((1 - smoothing) * plain + smoothing * swapped, deltas)
    return float((smoothed - (1 - 2 * smoothing) * slope).abs().max())


def main() -> None:
    """Train what is not in the cache, then print the table and the contrast."""
    parser = parser_of(__doc__)
    parser.add_argument("--shares", type=numbers, default="0,0.3", help="of pairs, labelled wrongly")
    args = parser.parse_args()
    groups = {
        f"{loss}, {share:.0%} flipped": over_seeds(args, loss=loss, beta=BETA, flipped=share)
        for loss in ("dpo", "apo_zero")
        for share in args.shares
    }
    print("| | accuracy, held out | gap | chosen |\n|---|---|---|---|")
    for name, runs in groups.items():
        right, gap = at_end(runs, "right_TP"), [run.gap_T[-1] for run in runs]
        print(f"| {name} | {estimate(right)} | {sum(gap) / len(gap):.2f} | {estimate(at_end(runs))} |")
    print()
    for share in args.shares[1:]:
        drops = [
            at_end(groups[f"{loss}, {args.shares[0]:.0%} flipped"], "right_TP")
            - at_end(groups[f"{loss}, {share:.0%} flipped"], "right_TP")
            for loss in ("dpo", "apo_zero")
        ]
        found = estimate(100 * (drops[0] - drops[1]))
        print(f"points that {share:.0%} cost DPO more than APO-zero: {found}, {found.sign} seeds")
    print(f"smoothed APO-zero against a rescaled one: gradients differ by {smoothing_error():.1e} at most")
    if args.plots:
        draw(groups, args.plots / "noise.png", f"Labels flipped, similar pairs, beta {BETA}")


if __name__ == "__main__":
    main()
