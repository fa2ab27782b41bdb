"""Where probability goes when answers share what they are made of: a model of three answers

Three answers to one prompt, logits = features · weights. Chosen and rejected share a feature; the
third answer is like what the chosen has and the rejected has not, only more so. Two things can be
read off it with no noise at all:

- T3: at the same gap Δ_w − Δ_l the losses leave the chosen answer in very different places;
- T7: where logits are independent, APO-down comes to rest on Δ_l = 2 Δ_w.

python benchmarks/claims/displacement_toy.py
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from train.losses.anchored import apo_down
from train.preference.config import TrainConfig
from train.preference.objective import objective_of
from train.preference.pair_logprobs import PairLogprobs

FEATURES = torch.tensor([[4.0, 0.0], [4.0, -1.0], [0.0, 2.85]], dtype=torch.float64)
"""Of the chosen answer, the rejected one and the third."""
GAP = 1.0
SETTINGS = {
    "RPO (η 0.5)": {"loss": "dpo", "sft_weight": 0.5},
    "RPO (η 0.05)": {"loss": "dpo", "sft_weight": 0.05},
    "RPO (η 0.005)": {"loss": "dpo", "sft_weight": 0.005},
    "APO-zero": {"loss": "apo_zero"},
    "DPO": {"loss": "dpo"},
    "APO-down": {"loss": "apo_down"},
}


def displacement(loss: str, sft_weight: float = 0.0, *, gap: float = GAP, beta: float = 0.1) -> float:
    """Δ_w in nats when gradient descent from equal probabilities has opened the gap."""
    config = TrainConfig(
        model="none",
        data=("none",),
        output_dir="none",
        loss=loss,  # type: ignore[arg-type]
        beta=beta,
        sft_weight=sft_weight,
        sft_reduction="sum",
        sft_times_beta=sft_weight > 0,
    )
    objective, one = objective_of(config), torch.ones(1, dtype=torch.float64)
    weights = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    before = (FEATURES @ weights).log_softmax(0).detach()
    while True:
        logps = (FEATURES @ weights).log_softmax(0)
        delta = (logps - before).detach()
        if delta[0] - delta[1] >= gap:
            return float(delta[0])
        pair = PairLogprobs(logps[:1], logps[1:2], before[:1], before[1:2], one, one)
        [slope] = torch.autograd.grad(objective(pair).total_B.sum(), weights)
        with torch.no_grad():
            weights -= 0.2 * slope


def slow_manifold(
    updates: int = 4000, *, beta: float = 0.1, every: int = 500
) -> Iterator[tuple[int, float]]:
    """Δ_l / Δ_w under APO-down, each log-ratio free to move by itself, after every so many updates."""
    deltas = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    for update in range(1, updates + 1):
        [slope] = torch.autograd.grad(apo_down(deltas[:1], deltas[1:], beta=beta).sum(), deltas)
        with torch.no_grad():
            deltas -= 5.0 * slope
        if update % every == 0:
            yield update, ratio(deltas)


def ratio(deltas: Tensor) -> float:
    """Δ_l / Δ_w."""
    return float(deltas[1].detach() / deltas[0].detach())


def main() -> None:
    """Print both tables."""
    print(f"| loss | Δ_w at a gap of {GAP:g} nat |\n|---|---|")
    for name, settings in SETTINGS.items():
        print(f"| {name} | {displacement(**settings):+.2f} |")
    print("\n| updates of APO-down, independent logits | Δ_l / Δ_w |\n|---|---|")
    for update, found in slow_manifold():
        print(f"| {update} | {found:.2f} |")


if __name__ == "__main__":
    main()
