"""Pairs of ranked answers: which there are, one pass for all of a prompt, and what cannot be used."""

import itertools
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from tiny_model import TinyRun, write_jsonl

from pairwright.errors import UsageError
from pairwright.inputs.pairs import read_pairs
from pairwright.models.loading import load_tokenizer
from train.data.pairs import load_pairs
from train.devices.replicated import Replicated
from train.models.language import load_model, trained
from train.output.metrics import MetricSums
from train.preference.config import TrainConfig
from train.preference.task import PreferenceTask
from train.trainer.gradient import add_gradient
from train.trainer.task import Run
from train.training import train

SCORES = {"no": -1.0, "yes": 2.0, "nay!": -1.0, "perhaps": 0.5}
BEST_FIRST = ["yes", "perhaps", "no", "nay!"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("ranked-pairs"))


def lists(prompts: int, **columns: Any) -> list[dict[str, Any]]:
    given = {"completions": list(SCORES), "scores": list(SCORES.values())} | columns
    return [{"row_id": f"r{n}", "prompt": f"ask {n}", **given} for n in range(prompts)]


ROWS = {
    "scores": lists(1),
    "ranks": lists(1, scores=None, ranks=[3, 1, 3, 2]),
    "score": [
        {"row_id": "r0", "prompt": "ask 0", "completion": text, "score": score}
        for text, score in SCORES.items()
    ],
    "rank": [
        {"row_id": "r0", "prompt": "ask 0", "completion": text, "rank": rank}
        for text, rank in zip(SCORES, (3, 1, 3, 2), strict=True)
    ],
}


@pytest.mark.parametrize("way", ROWS)
@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ("best_worst", ["yes>nay!"]),
        ("adjacent", ["yes>perhaps", "perhaps>no", "no=nay!"]),
        ("all", ["yes>perhaps", "yes>no", "yes>nay!", "perhaps>no", "perhaps>nay!", "no=nay!"]),
    ],
)
def test_the_same_pairs_from_scores_and_ranks_in_rows_and_in_lists(tmp_path, way, pairs, expected):
    path = write_jsonl(tmp_path / "rows.jsonl", ROWS[way])
    found = [
        f"{p.chosen.content}{'>='[p.tied]}{p.rejected.content}" for p in read_pairs([path], None, pairs)
    ]
    assert found == expected


def test_a_list_alone_is_best_first(tmp_path):
    path = write_jsonl(tmp_path / "rows.jsonl", lists(1, scores=None))
    found = list(read_pairs([path], None, "adjacent"))
    assert [(p.chosen.content, p.rejected.content) for p in found] == list(itertools.pairwise(SCORES))
    assert [p.row_id for p in found] == ["r0 1>2", "r0 2>3", "r0 3>4"]


def one_update(config: TrainConfig) -> tuple[list[int], torch.Tensor, dict[str, torch.Tensor]]:
    """Tokens the model saw in each forward pass, the mean loss, and the gradient, of all pairs."""
    accelerator = Accelerator(cpu=True)
    task = PreferenceTask(config)
    pairs = task.read(load_tokenizer(config.model)).training
    model = load_model(config, bf16=False)
    data = task.prepare(accelerator, model, pairs)
    sums = MetricSums(accelerator.device, task.metrics)
    seen: list[int] = []

    def look(module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        seen.append(kwargs["input_ids"].numel())

    with torch.no_grad():  # moved away from its reference, so that no gradient is that of a start
        for weight in trained(model).values():
            weight.mul_(1.1)
    run = Run(Replicated(accelerator, model), task, config.micro_batch_tokens)
    handle = model.model.register_forward_pre_hook(look, with_kwargs=True)
    add_gradient(run, data, range(len(pairs)), sums)
    handle.remove()
    gradient = {name: weight.grad for name, weight in trained(model).items()}
    return seen, sums.means(accelerator)["loss"], gradient


@pytest.mark.parametrize("loss", ["dpo", "apo_zero", "ipo"])
def test_all_pairs_of_a_row_come_from_one_pass_and_teach_what_ordinary_pairs_teach(tiny, tmp_path, loss):
    ranked = write_jsonl(tmp_path / "ranked.jsonl", lists(1))
    pairs = [
        {"row_id": f"{better}>{worse}", "prompt": "ask 0", "chosen": better, "rejected": worse}
        for better, worse in itertools.combinations(BEST_FIRST, 2)
        if SCORES[better] > SCORES[worse]
    ]
    ordinary = write_jsonl(tmp_path / "ordinary.jsonl", pairs)
    settings = {"loss": loss, "eval_share": 0.0, "pairs_per_update": 5}
    seen, mean, gradient = one_update(tiny.config(data=ranked, pairs="all", **settings))
    prompt = load_pairs(tiny.config(data=ranked, **settings), load_tokenizer(tiny.settings["model"]))
    # A token a letter, and one that ends each answer; `no` and `nay!` share nothing with the others.
    answers = sum(len(text) + 1 for text in SCORES)
    assert seen == [len(prompt.training[0].prompt_tokens) + answers]
    _, same, as_ordinary = one_update(tiny.config(data=ordinary, **settings))
    assert mean == pytest.approx(same, abs=1e-5)
    assert any(grad.abs().max() > 1e-3 for grad in gradient.values())
    for name, grad in gradient.items():
        torch.testing.assert_close(grad, as_ordinary[name], atol=1e-5, rtol=0)


def test_a_run_on_all_pairs_counts_ties_and_learns(tiny, tmp_path):
    data = write_jsonl(tmp_path / "ranked.jsonl", lists(6))
    settings = {"data": data, "pairs": "all", "pairs_per_update": 8}
    result = train(tiny.config("all", **settings, loss="dpo", max_steps=8, learning_rate=1e-2))
    assert (result.pairs, result.held_out_pairs, result.dropped) == (25, 5, {"tied": 6})
    assert result.metrics["eval_loss"] < result.start_metrics["eval_loss"]
    reward = train(tiny.reward("all-reward", **settings, max_steps=1))
    assert (reward.pairs, reward.dropped) == (25, {"tied": 6})


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"scores": [1.0]}, r"bad.jsonl line 1: `scores` has 1 entries and `completions` has 4"),
        ({"scores": "high"}, r"line 1: `scores` is not a list"),
        ({"scores": [1, 2, None, 3]}, r"line 1: `scores` is None; it must be a finite number"),
        ({"completions": ["a", None, "b", "c"]}, r"line 1: `completions` has no answer at place 2"),
        ({"completions": ["a"], "scores": [1]}, r"no pair is left .*1 tied: r0 1>1"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(tiny, tmp_path, row, sentence):
    data = write_jsonl(tmp_path / "bad.jsonl", lists(1, **row))
    with pytest.raises(UsageError, match=sentence):
        train(tiny.config("never", data=data, pairs="all"))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"pairs_per_update": 4}, r"row r\d 1>2: its prompt has 5 pairs.*pairs_per_update is 4"),
        ({"loss": "rrhf"}, r"--pairs all: rrhf takes answers, not pairs"),
    ],
)
def test_settings_that_leave_no_room_are_refused(tiny, tmp_path, settings, sentence):
    data = write_jsonl(tmp_path / "ranked.jsonl", lists(2))
    with pytest.raises(UsageError, match=sentence):
        train(tiny.config("never", data=data, pairs="all", **settings))
