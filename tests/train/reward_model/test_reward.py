"""Reward models: the official objective, the same scores in `transformers`, one loop with preferences."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from in_process import run
from tiny_model import TinyRun, numbered_pairs, read_metrics, write_jsonl
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from pairwright.errors import PairwrightError, UsageError
from pairwright.models.loading import load_for_scoring, load_tokenizer
from train.data.pairs import Pair
from train.devices.replicated import Replicated
from train.forward.answers import Answer
from train.forward.logprobs import answers_of
from train.forward.rewards import answer_scores
from train.losses import ranking, wgan
from train.models.language import trained
from train.output.metrics import MetricSums
from train.reward_model.config import RewardConfig
from train.reward_model.pairs import RewardPair, pairs_of
from train.reward_model.report import PairScores, assess, calibration, wilson, without_length
from train.reward_model.task import RewardSet, RewardTask
from train.trainer.gradient import add_gradient
from train.trainer.task import Run
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("reward"))


def golden_pairs(folder: Path, count: int = 10) -> str:
    """Golden answers that end in a full stop, over samples of noise."""
    rows = [
        {"prompt": f"ask {n}", "chosen": f"well {n}.", "rejected": f"?{n * 7}", "row_id": f"golden{n}"}
        for n in range(count)
    ]
    return write_jsonl(folder / "golden.jsonl", rows)


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


def test_calibration_by_hand():
    """Two pairs, rewards apart by ln 3 the right way (p = .75) and by ln 3 the wrong way (p = .25).

    Both orders: p = .75 twice, labels 1 and 0; p = .25 twice, labels 0 and 1. Each bin is .25 off:
    ECE = (|1.5 - 1| + |.5 - 1|) / 4 = .25, ACE = MCE = .25. With the first pair alone: p = .75 with
    label 1 and .25 with label 0: the same gaps. A third pair 3 ln 3 ahead (p = 27/28, 1/28):
    ECE = (.5 + .5 + 1/28 + 1/28) / 6, ACE = (.25 + .25 + 1/28 + 1/28) / 4, MCE = .25.
    """
    apart = math.log(3)
    found = calibration(np.array([apart, 0.0]), np.array([0.0, apart]), 10)
    assert (found.ece, found.ace, found.mce) == pytest.approx((0.25, 0.25, 0.25))
    found = calibration(np.array([apart, 0.0, 3 * apart]), np.array([0.0, apart, 0.0]), 10)
    assert found.ece == pytest.approx((1 + 2 / 28) / 6)
    assert found.ace == pytest.approx((0.5 + 2 / 28) / 4)
    assert found.mce == pytest.approx(0.25)
    assert found.counts == [1, 2, 2, 1]


def test_bins_are_closed_on_the_right_and_a_tie_is_in_the_lower_middle_bin():
    """p = .5 is the right edge of (.4, .5]; saturated p = 0 and p = 1 are in the outer bins."""
    assert calibration(np.array([1.0]), np.array([1.0]), 10).predicted == [0.5]
    found = calibration(np.array([1e3]), np.array([0.0]), 2)
    assert (found.predicted, found.observed, found.counts) == ([0.0, 1.0], [0.0, 1.0], [1, 1])
    assert calibration(np.array([0.0]), np.array([0.0]), 2).counts == [2]


@pytest.mark.parametrize("seed", range(5))
def test_an_even_number_of_bins_is_confidence_calibration_with_half_of_them(seed):
    """Recomputed from confidences max(p, 1 - p) on [1/2, 1], of pairs counted once."""
    chance = np.random.default_rng(seed)
    chosen, rejected = chance.normal(0.3, 1, 200), chance.normal(0, 1, 200)
    p = 1 / (1 + np.exp(-np.abs(chosen - rejected)))
    right = (chosen > rejected).astype(float)
    places = np.minimum(((p - 0.5) / 0.1).astype(int), 4)
    by_confidence = sum(abs(p[places == b].sum() - right[places == b].sum()) for b in range(5)) / 200
    assert calibration(chosen, rejected, 10).ece == pytest.approx(by_confidence)


def test_ties_are_wrong_and_counted_and_length_can_be_taken_out():
    """Rewards that are nothing but half the length leave margins of 0; a bonus of 3 for the second
    pair's chosen answer, shorter by 4, gives the slope (1*.5 + ... ) worked out below.

    Differences: reward 2, 1; tokens 4, -2 -> slope (8 - 2) / 20 = .3; left: 2 - 1.2 = .8, 1 + .6 = 1.6.
    """
    even = PairScores(
        np.array([3.0, 1.0]), np.array([1.0, 2.0]), np.array([6.0, 2.0]), np.array([2.0, 4.0])
    )
    slope, left = without_length(even)
    assert (slope, left.tolist()) == (0.5, [0.0, 0.0])
    assert assess(even, bins=10)["accuracy_without_length"] == 0
    bonus = PairScores(
        np.array([3.0, 2.0]), np.array([1.0, 1.0]), np.array([6.0, 2.0]), np.array([2.0, 4.0])
    )
    slope, left = without_length(bonus)
    assert slope == pytest.approx(0.3)
    assert left.tolist() == pytest.approx([0.8, 1.6])
    tied = even._replace(chosen=np.array([1.0, 3.0]))
    found = assess(tied, bins=10)
    assert (found["accuracy"], found["ties"], found["longer_accuracy"]) == (0.5, 1, 0.5)
    low, high = wilson(8, 10)  # Wilson 1927, as printed in every table: .490 to .943
    assert (low, high) == pytest.approx((0.490, 0.943), abs=5e-4)


def reward_texts(folder: str, pairs: Sequence[Pair], side: str, *, batch: int) -> list[float]:
    """Scores as a user of `transformers` gets them: padded by the folder's own tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side=side)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1).eval()
    sequences = [[*a.prompt_tokens.tolist(), *a.answer_ids.tolist()] for a in answers_of(pairs)]
    found: list[float] = []
    for start in range(0, len(sequences), batch):
        inputs = tokenizer.pad({"input_ids": sequences[start : start + batch]}, return_tensors="pt")
        with torch.no_grad():
            found += model(**inputs).logits[:, 0].tolist()
    return found


@pytest.mark.parametrize("lora_r", [0, 2])
@pytest.mark.parametrize("side", ["left", "right"])
def test_transformers_gives_the_same_scores(tiny, lora_r, side):
    """The base pads with the token that ends answers; scores are read there all the same."""
    config = tiny.reward(f"same-{lora_r}-{side}", lora_r=lora_r, max_steps=2, eval_share=0.0)
    train(config)
    model = load_for_scoring(config.output_dir, "float32", "cpu").model
    pairs = pairs_of(RewardTask(config).read(load_tokenizer(config.model)).training)
    assert len({pair.longest for pair in pairs}) > 3
    mine = answer_scores(model, answers_of(pairs)).tolist()
    assert len(set(mine)) > 5
    for batch in (1, len(mine)):
        assert reward_texts(config.output_dir, pairs, side, batch=batch) == pytest.approx(mine, abs=1e-5)


def test_a_score_does_not_depend_on_what_else_is_in_the_batch(tiny):
    config = tiny.reward("alone", max_steps=1)
    train(config)
    model = load_for_scoring(config.output_dir, "float32", "cpu").model
    answers = answers_of(pairs_of(RewardTask(config).read(load_tokenizer(config.model)).training))
    together = answer_scores(model, answers)
    alone = torch.cat([answer_scores(model, [answer]) for answer in answers])
    assert torch.allclose(together, alone, atol=1e-6)
    end = int(answers[0].answer_ids[-1])
    twice = Answer(answers[0].prompt_tokens, np.append(answers[0].answer_ids, end).astype(np.int32))
    assert answer_scores(model, [twice]).item() != pytest.approx(together[0].item(), abs=1e-6)


def gradient_of(config: RewardConfig) -> dict[str, torch.Tensor]:
    accelerator = Accelerator(cpu=True)
    task = RewardTask(config)
    pairs = task.read(load_tokenizer(config.model)).training
    model = task.load_model(bf16=False)
    run = Run(Replicated(accelerator, model), task, config.micro_batch_tokens)
    sums = MetricSums(accelerator.device, task.metrics)
    add_gradient(run, RewardSet(pairs), range(len(pairs)), sums)
    return {name: parameter.grad for name, parameter in trained(model).items()}


@pytest.mark.parametrize("changes", [{}, {"lora_r": 2}, {"golden": True}, {"golden": True, "loss": "wgan"}])
def test_the_gradient_does_not_depend_on_the_cut(tiny, changes):
    """Human and golden pairs are weighed over the whole update, however micro-batches mix them."""
    changes = dict(changes)
    if changes.pop("golden", False):
        changes["golden_data"] = golden_pairs(tiny.folder)
    settings = {"eval_share": 0.0, "limit": 6} | changes
    whole, *cut = (
        gradient_of(tiny.reward(micro_batch_tokens=size, **settings)) for size in (2000, 50, 140)
    )
    assert max(g.abs().max() for g in whole.values()) > 1e-4
    for gradients in cut:
        for name, expected in whole.items():
            assert torch.allclose(gradients[name], expected, atol=1e-6, rtol=1e-4), name


def weights_of(config: RewardConfig) -> bytes:
    return (Path(config.output_dir) / "model.safetensors").read_bytes()


@pytest.mark.parametrize("lora_r", [0, 2])
def test_a_run_cut_short_resumes_to_the_bit(tiny, monkeypatch, lora_r):
    settings: dict[str, Any] = {"max_steps": 4, "save_steps": 1, "lora_r": lora_r}
    whole = tiny.reward(f"whole-{lora_r}", **settings)
    train(whole)
    cut = tiny.reward(f"cut-{lora_r}", **settings)
    calls = []
    measure = RewardTask.measure

    def failing(self: RewardTask, *args: Any) -> Any:
        calls.append(args)
        if len(calls) == 4:
            raise PairwrightError("the lights went out")
        return measure(self, *args)

    monkeypatch.setattr(RewardTask, "measure", failing)
    with pytest.raises(PairwrightError, match="the lights went out"):
        train(cut)
    monkeypatch.undo()
    assert list(Path(cut.output_dir).glob("checkpoint-*"))
    assert train(cut).status == "trained"
    assert weights_of(cut) == weights_of(whole)
    assert read_metrics(cut.output_dir) == read_metrics(whole.output_dir)


def test_settings_are_felt(tiny):
    golden = golden_pairs(tiny.folder)
    changes: list[dict[str, Any]] = [
        {},
        {"golden_data": golden},
        {"golden_data": golden, "loss": "wgan"},
        {"golden_data": golden, "rm_kl": 0.0},
        {"golden_data": golden, "apo_coeff": 0.9},
        {"golden_data": golden, "apo_samples": 1},
        {"seed": 1},
        {"lora_r": 2},
    ]
    weights = []
    for number, change in enumerate(changes):
        config = tiny.reward(f"felt-{number}", max_steps=2, **change)
        train(config)
        weights.append(weights_of(config))
    assert len(set(weights)) == len(weights)


def test_it_learns_what_people_prefer_and_says_how_well(tiny, tmp_path):
    rows = [
        {"prompt": f"{word} {n}?", "chosen": f"yes {n}", "rejected": f"no {n}"}
        for n in range(8)
        for word in ("sky", "tree", "stone", "river")
    ]
    data = write_jsonl(tmp_path / "human.jsonl", rows)
    golden = golden_pairs(tmp_path, 20)
    config = tiny.reward("learnt", data=data, golden_data=golden, apo_coeff=4.0, learning_rate=1e-2)
    result = train(config.model_copy(update={"max_steps": 16}))
    assert result.metrics["eval_rewards/accuracies"] == 1.0
    report = json.loads((tiny.folder / "learnt" / "reward.json").read_text())
    assert report["human"]["accuracy"] == report["golden"]["accuracy"] == 1.0
    assert report["human"]["bins"] == 10
    assert report["human"]["longer_accuracy"] == 1.0
    assert sum(report["human"]["histogram"]["chosen"]) == report["human"]["pairs"] > 2
    for picture in ("reliability.png", "rewards.png"):
        assert (tiny.folder / "learnt" / picture).read_bytes().startswith(b"\x89PNG")


def test_the_human_pairs_held_out_do_not_depend_on_golden_ones(tiny, tmp_path):
    rows = [{"prompt": f"say {n}", "chosen": "x", "rejected": f"y{n}"} for n in range(20)]
    rows += [{"prompt": "say sky 0", "chosen": "x", "rejected": "y"}]  # a prompt of the human pairs too
    data = write_jsonl(tmp_path / "golden.jsonl", rows)
    found = [
        RewardTask(tiny.reward(**golden)).read(load_tokenizer(tiny.settings["model"]))
        for golden in ({}, {"golden_data": data})
    ]
    human = [{pair.row_id for pair in pairs.held_out if not pair.golden} for pairs in found]
    assert human[0]
    assert human[0] == human[1]
    for pairs in found:
        trained_on = {pair.prompt_key for pair in pairs.training}
        assert not trained_on & {pair.prompt_key for pair in pairs.held_out}


def test_a_margin_is_read_from_pairs_and_changes_what_is_learnt(tiny, tmp_path):
    rows = numbered_pairs(10)
    first = write_jsonl(tmp_path / "a.jsonl", rows)
    second = write_jsonl(tmp_path / "b.jsonl", [row | {"margin": 0.5} for row in rows])
    for name, data in (("plain", first), ("margins", second)):
        train(tiny.reward(name, data=data, max_steps=2))
    assert weights_of(tiny.reward("plain")) != weights_of(tiny.reward("margins"))
    with pytest.raises(UsageError, match="`data` was"):
        train(tiny.reward("plain", data=second, max_steps=2))


def test_a_reward_model_can_go_on_from_a_reward_model(tiny):
    """The paper's sequential ablation: head and all are kept, whatever the seed."""
    first = tiny.reward("first", max_steps=2)
    train(first)
    second = tiny.reward("second", model=first.output_dir, max_steps=1, seed=5, data=first.data[0])
    train(second)
    ended, began = read_metrics(first.output_dir)[-1], read_metrics(second.output_dir)[0]
    assert began["eval_rewards/chosen"] == pytest.approx(ended["eval_rewards/chosen"], abs=1e-5)


def test_adapters_over_bfloat16_keep_a_float32_head(tiny):
    config = tiny.reward("half", lora_r=2, bf16=True, max_steps=2)
    result = train(config)
    model = AutoModelForSequenceClassification.from_pretrained(config.output_dir)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert math.isfinite(result.metrics["eval_loss"])


@pytest.mark.slow
def test_the_embedded_model_becomes_a_reward_model_with_the_same_scores_everywhere(tiny):
    """SmolLM2 pads with the token that ends its turns."""
    config = tiny.reward("embedded", model="smollm2", limit=4, eval_share=0.0, max_steps=1)
    train(config)
    pairs = pairs_of(RewardTask(config).read(load_tokenizer("smollm2")).training)
    mine = answer_scores(
        load_for_scoring(config.output_dir, "float32", "cpu").model, answers_of(pairs)
    ).tolist()
    for side in ("left", "right"):
        theirs = reward_texts(config.output_dir, pairs, side, batch=8)
        assert theirs == pytest.approx(mine, abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"loss": "wgan"}, "--loss wgan is a loss of golden pairs; name them with --golden_data"),
        ({"rm_kl": 0}, "--rm_kl 0 leaves the human pairs out"),
        ({"eval_data": "a.jsonl", "eval_share": 0.2}, "not both"),
    ],
)
def test_settings_that_mean_nothing_are_refused(tiny, changes, sentence):
    with pytest.raises(UsageError, match=sentence):
        tiny.reward(**changes)


def test_what_cannot_be_used_is_a_sentence(tiny, tmp_path):
    with pytest.raises(UsageError, match="holds LlamaForCausalLM, which gives no scores"):
        load_for_scoring(tiny.settings["model"])
    bad = write_jsonl(tmp_path / "m.jsonl", [numbered_pairs(1)[0] | {"margin": "wide"}])
    with pytest.raises(UsageError, match=r"m\.jsonl line 1: `margin` must be a number"):
        train(tiny.reward("never", data=bad))
    bad = write_jsonl(tmp_path / "n.jsonl", [r | {"margin": math.nan} for r in numbered_pairs(3)])
    with pytest.raises(UsageError, match="row row0: `margin` is nan"):
        train(tiny.reward("never", data=bad))
    adapter = tiny.config("adapter", lora_r=2, max_steps=1)
    train(adapter)
    with pytest.raises(UsageError, match="is an adapter; merge it"):
        train(tiny.reward("never", model=adapter.output_dir))


def test_the_command_trains_previews_and_counts(tiny, capfd):
    argv = ["reward", "--model", tiny.settings["model"], "--data", tiny.settings["data"], "--use_cpu"]
    argv += ["--output_dir", str(tiny.folder / "commanded"), "--no-bf16", "--max_steps", "1"]
    code, out, _ = run(capfd, *argv, "--preview")
    assert (code, "⟦sky<|end|>⟧" in out) == (0, True)
    code, _, err = run(capfd, *argv, "--dry_run")
    assert (code, "1 updates" in err) == (0, True)
    assert not (tiny.folder / "commanded").exists()
    assert run(capfd, *argv)[0] == 0
    code, _, err = run(capfd, *argv)
    assert (code, "finished already" in err) == (0, True)
