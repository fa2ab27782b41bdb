"""The objective of reward models, beside the official code and by hand."""

import math

import numpy as np
import pytest
import torch
from tiny_model import TinyRun, numbered_pairs, write_jsonl

from pairwright.models.loading import load_tokenizer
from train.data.pairs import Pair
from train.losses.rewards import centring, ranking, wgan
from train.reward_model.config import RewardConfig
from train.reward_model.pairs import RewardPair
from train.reward_model.task import RewardTask


def item(*, golden: bool = False, weight: float = 1.0, margin: float = 0.0) -> RewardPair:
    ids = np.array([1], dtype=np.int32)
    return RewardPair(Pair("row", "prompt", ids, ids, ids), golden, weight, margin)


def official(
    rewards: list[list[float]], scores: list[list[float]], apo: list[bool], *, apo_type: str = "ranking"
) -> float:
    """The objective as the authors' trainer computes it of one micro-batch, item by item.

    `scores` are those of the data: -1 fills a slot without an answer, equal ones tie. Every ordered
    pair counts, in the numerator of its own loss and in the one denominator that both share.
    """
    rm_kl, apo_coeff, apo_samples = 1.0, 0.1, 4
    sums, pairs = {False: 0.0, True: 0.0}, 0
    for r, s, is_apo in zip(rewards, scores, apo, strict=True):
        for i in range(len(s)):
            for j in range(len(s)):
                if s[i] == s[j] or -1 in (s[i], s[j]):
                    continue
                ahead = (r[i] - r[j]) * (1 if s[i] > s[j] else -1)
                sums[is_apo] += -ahead if is_apo and apo_type == "diff" else math.log1p(math.exp(-ahead))
                pairs += 1
    if not pairs:
        return 0.0
    return (rm_kl * sums[False] + apo_coeff / apo_samples * sums[True]) / pairs


def ours(
    rewards: list[list[float]], scores: list[list[float]], apo: list[bool], loss: str = "ranking"
) -> float:
    """The same from pairs, as runs are made of them: each once, ties and empty slots never written."""
    config = RewardConfig(model="m", data="d", golden_data="g", output_dir="o", loss=loss)
    weights = {False: config.rm_kl, True: config.apo_coeff / config.apo_samples}
    items, chosen, rejected = [], [], []
    for r, s, is_apo in zip(rewards, scores, apo, strict=True):
        for i in range(len(s)):
            for j in range(len(s)):
                if s[i] > s[j] and -1 not in (s[i], s[j]):
                    items.append(item(golden=is_apo, weight=weights[is_apo]))
                    chosen.append(r[i])
                    rejected.append(r[j])
    losses = RewardTask(config).losses(torch.tensor(chosen), torch.tensor(rejected), items)
    return losses.mean().item()


@pytest.mark.parametrize(
    ("rewards", "scores", "apo", "by_hand"),
    [
        ([[2.0, 0.0]], [[1, 0]], [False], math.log1p(math.exp(-2))),
        ([[0.0, 2.0, 9.0]], [[1, 0, -1]], [False], 2 + math.log1p(math.exp(-2))),
        ([[1.0, 0.0, 5.0]], [[1, 0, 0]], [False], (0.3132617 + 4.0181500) / 2),
        ([[1.0, 0.0], [3.0, 0.0]], [[1, 0], [1, 0]], [False, True], (0.3132617 + 0.025 * 0.0485874) / 2),
        (
            [[0.0, 1.0, 7.0, 7.0, 7.0], [2.0, 0.0, 0.0, 1.0, 2.0]],
            [[1, 0, -1, -1, -1], [1, 0, 0, 0, 0]],
            [False, True],
            (1.3132617 + 0.025 * (0.1269280 * 2 + 0.3132617 + 0.6931472)) / 5,
        ),
    ],
)
def test_the_objective_is_the_official_one(rewards, scores, apo, by_hand):
    """By hand, with s(x) = ln(1 + e^-x): s(1) = .3132617, s(2) = .1269280, s(3) = .0485874,
    s(-1) = 1.3132617, s(-4) = 4.0181500, s(0) = .6931472.

    1. One human pair, 2 ahead, in both orders: (s(2) + s(2)) / 2 = s(2).
    2. The wrong way round, beside a padded slot (score -1, whatever its reward): s(-2) = 2 + s(2).
    3. Three answers, the last two tied: only 1 > 2 and 1 > 3 count: (s(1) + s(-4)) / 2. Orders: 4
       of the 6 are counted, twice each, above and below the line.
    4. Human and golden mixed: both divide by all pairs: (1 * s(1) + .1/4 * s(3)) / 2.
    5. A human item padded from 2 to 5 slots, and a golden answer against 4 samples, which tie with
       each other: one human pair and four golden ones, 5 in all:
       (s(-1) + .1/4 * (s(2) + s(2) + s(1) + s(0))) / 5.
    """
    assert official(rewards, scores, apo) == pytest.approx(by_hand, abs=1e-6)
    assert ours(rewards, scores, apo) == pytest.approx(by_hand, abs=1e-6)


def test_the_wgan_objective_is_the_official_one_and_leaves_human_pairs_alone():
    """(s(1) + .1/4 * -(3 - 0)) / 2 = (.3132617 - .075) / 2: golden pairs by difference only."""
    batch = ([[1.0, 0.0], [3.0, 0.0]], [[1, 0], [1, 0]], [False, True])
    assert official(*batch, apo_type="diff") == pytest.approx(0.1191309, abs=1e-6)
    assert ours(*batch, loss="wgan") == pytest.approx(0.1191309, abs=1e-6)


def test_gradients_are_those_of_the_paper_and_a_margin_is_taken_off():
    """Golden 1 ahead: ranking -+sigma(r_s - r_g) = -+.2689414, wgan -+1. A margin of 1 makes it even."""
    r = torch.tensor([1.0, 0.0], requires_grad=True)
    zero = torch.zeros(1)
    for loss, expected in (
        (ranking(r[:1], r[1:], zero), [-0.2689414, 0.2689414]),
        (wgan(r[:1], r[1:]), [-1.0, 1.0]),
        (ranking(r[:1], r[1:], zero + 1), [-0.5, 0.5]),
    ):
        [gradient] = torch.autograd.grad(loss.sum(), r)
        assert gradient.tolist() == pytest.approx(expected, abs=1e-6)
    assert ranking(r[:1], r[1:], zero + 1).item() == pytest.approx(math.log(2))


def test_centring_is_added_to_every_pair_before_its_weight():
    """Rewards 3 and 1, margin 2, weight 0.5: 0.5 (ln 2 + 0.01 * 16), gradients 0.5 (-+0.5 + 0.08)."""
    config = RewardConfig(model="m", data="d", output_dir="o", center_rewards=0.01)
    rewards = torch.tensor([[3.0], [1.0]], requires_grad=True)
    losses = RewardTask(config).losses(*rewards, [item(weight=0.5, margin=2.0)])
    assert losses.item() == pytest.approx(0.5 * (math.log(2) + 0.16), abs=1e-6)
    [gradient] = torch.autograd.grad(losses.sum(), rewards)
    assert gradient.flatten().tolist() == pytest.approx([-0.25 + 0.04, 0.25 + 0.04], abs=1e-6)


def test_centring_agrees_with_numerical_gradients():
    rewards = torch.tensor([[3.0, -1.0], [1.0, 0.5]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda r: centring(*r), rewards)


def test_a_row_counts_its_weight(tmp_path):
    """Weights of rows are multiplied with those of their kind, and zero leaves a pair out of training."""
    tiny = TinyRun(tmp_path)
    rows = [row | {"weight": weight} for row, weight in zip(numbered_pairs(4), (2, 1, 0, 0.5), strict=True)]
    config = tiny.reward(data=write_jsonl(tmp_path / "w.jsonl", rows), rm_kl=0.5, eval_share=0.0)
    pairs = RewardTask(config).read(load_tokenizer(config.model)).training
    assert {pair.row_id: pair.weight for pair in pairs} == {"row0": 1.0, "row1": 0.5, "row3": 0.25}
