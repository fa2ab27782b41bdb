"""Training on scored answers: RRHF by hand, SFT on the best, best against worst."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from tiny_model import TinyRun, read_metrics, write_jsonl

from pairwright.errors import UsageError
from pairwright.inputs.pairs import read_pairs
from pairwright.inputs.scored import read_ranked
from pairwright.models.loading import load_tokenizer
from train.data.ranked import Ranked
from train.devices.replicated import Replicated
from train.models.language import load_model, trained
from train.output.metrics import MetricSums
from train.preference.config import TrainConfig
from train.preference.ranked import RankedSet, RankedTask, orders_of
from train.trainer.gradient import add_gradient
from train.trainer.task import Run
from train.training import train

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    own = TinyRun(tmp_path_factory.mktemp("ranked"))
    own.settings["data"] = write_jsonl(own.folder / "scored.jsonl", scored(8))
    return own


def scored(prompts: int) -> list[dict[str, Any]]:
    """Three answers to each prompt, not in the order of their scores, and two of them tied."""
    texts = {"no": -1.0, "yes": 2.0, "nay!": -1.0, "perhaps": 0.5}
    return [
        {"prompt": f"ask {n}", "completion": text * (1 + n % 2), "score": score, "row_id": f"{n}{text}"}
        for n in range(prompts)
        for text, score in texts.items()
    ]


def item(scores: tuple[float, ...], *tokens: int) -> Ranked:
    """A prompt whose answers have these scores, and these numbers of tokens."""
    prompt, *answers = (np.ones(count, dtype=np.int32) for count in (1, *(tokens or (1,) * len(scores))))
    return Ranked("row", "prompt", prompt, tuple(answers), scores)


def test_rrhf_by_hand(tiny):
    """Two prompts. Log-probabilities, tokens, so p per token:

    scores 3 > 1 = 1:  -6/2 = -3,  -4/4 = -1,  -2/1 = -2    hinges: (-1 + 3) + (-2 + 3) = 3; the tie none
    scores 5 > 4:      -1/1 = -1,  -9/3 = -3                 hinge: max(0, -3 + 1) = 0

    SFT on the best, summed over its tokens: 6 and 1. Losses with weight 1: 9 and 1; with weight 0: 3, 0.
    Ordered pairs right: 0 of 2, and 1 of 1.
    """
    items = [item((3, 1, 1), 2, 4, 1), item((5, 4), 1, 3)]
    sums = torch.tensor([-6.0, -4, -2, -1, -9])
    for weight, expected in ((1.0, [9.0, 1.0]), (0.0, [3.0, 0.0])):
        config = tiny.config(loss="rrhf", sft_weight=weight)
        measured = RankedTask(config).measured(sums, RankedSet(items), [0, 1])
        assert measured.losses_B.tolist() == expected
        metrics = dict(zip(RankedTask(config).metrics, measured.metrics_KB.tolist(), strict=True))
        assert metrics["sft_loss"] == [6, 1]
        assert metrics["ranking/accuracies"] == [0, 1]
        assert metrics["logps/rejected_per_token"] == [-2, -3]
    mean = RankedTask(tiny.config(loss="rejection_sampling"))
    best = RankedSet([item((3,), 2), item((5,), 1)])
    assert mean.measured(torch.tensor([-6.0, -1]), best, [0, 1]).losses_B.tolist() == [3, 1]


def test_ties_have_no_order():
    orders = orders_of([item((3, 1, 1)), item((2, 2)), item((5, 4))], CPU)
    assert [t.tolist() for t in orders] == [[0, 0, 5], [1, 2, 6], [0, 0, 2]]


def test_the_published_sft_terms_are_there_unless_another_is_named(tiny):
    found = [tiny.config(loss=loss) for loss in ("rejection_sampling", "rrhf", "apo_zero")]
    assert [(c.sft_weight, c.sft_reduction) for c in found] == [(1, "mean"), (1, "sum"), (0, "mean")]
    assert tiny.config(loss="rrhf", sft_weight=0.2).sft_weight == 0.2


def test_rejection_sampling_is_the_sft_of_an_ordinary_model(tiny):
    """The mean over prompts of the mean over the best answer's tokens, from `transformers` itself."""
    from transformers import AutoModelForCausalLM

    config = tiny.config("sft", loss="rejection_sampling", max_steps=1, pairs_per_update=8, eval_share=0.0)
    train(config)
    model = AutoModelForCausalLM.from_pretrained(config.model)
    items = RankedTask(config).read(load_tokenizer(config.model)).training
    losses = []
    for one in items:
        assert len(one.answers) == 1
        ids = torch.tensor(np.concatenate([one.prompt_tokens, one.answers[0]]))[None].long()
        labels = ids.clone()
        labels[0, : len(one.prompt_tokens)] = -100
        losses.append(model(input_ids=ids, labels=labels).loss.item())
    [record] = read_metrics(config.output_dir)
    assert record["loss"] == pytest.approx(np.mean(losses), rel=1e-5)


def gradient_of(config: TrainConfig) -> dict[str, torch.Tensor]:
    accelerator = Accelerator(cpu=True)
    task = RankedTask(config)
    items = task.read(load_tokenizer(config.model)).training
    model = load_model(config, bf16=False)
    run = Run(Replicated(accelerator, model), task, config.micro_batch_tokens)
    sums = MetricSums(accelerator.device, task.metrics)
    add_gradient(run, RankedSet(items), range(len(items)), sums)
    return {name: parameter.grad for name, parameter in trained(model).items()}


@pytest.mark.parametrize("loss", ["rejection_sampling", "rrhf"])
def test_the_gradient_does_not_depend_on_the_cut(tiny, loss):
    whole, *cut = (
        gradient_of(tiny.config(loss=loss, eval_share=0.0, micro_batch_tokens=size))
        for size in (2000, 60, 140)
    )
    assert max(g.abs().max() for g in whole.values()) > 1e-4
    for gradients in cut:
        for name, expected in whole.items():
            assert torch.allclose(gradients[name], expected, atol=1e-6, rtol=1e-4), name


@pytest.mark.parametrize("loss", ["rejection_sampling", "rrhf", "dpo", "apo_zero"])
def test_the_best_answer_becomes_likelier_than_the_worst(tiny, loss):
    config = tiny.config(f"learnt-{loss}", loss=loss, max_steps=8, learning_rate=1e-2)
    train(config)
    first, last = read_metrics(config.output_dir)[0], read_metrics(config.output_dir)[-1]
    assert last["eval_loss"] < first["eval_loss"]
    name = (
        "eval_logps/chosen_per_token" if loss in ("rejection_sampling", "rrhf") else "eval_logps/rejected"
    )
    assert (last[name] > first[name]) == (loss in ("rejection_sampling", "rrhf"))


def test_scored_rows_make_pairs_of_best_and_worst(tiny, tmp_path):
    [first, *_] = read_pairs([tiny.settings["data"]])
    assert (first.row_id, first.chosen.content, first.rejected.content) == ("0yes", "yes", "nay!")
    [ranked, *_] = read_ranked([tiny.settings["data"]])
    assert ranked.scores == (2.0, 0.5, -1.0, -1.0)
    tied = [{"prompt": "q", "completion": text, "score": 1.0} for text in ("a", "b")]
    result = train(
        tiny.config("tied", data=write_jsonl(tmp_path / "t.jsonl", [*scored(4), *tied]), max_steps=1)
    )
    assert result.dropped == {"tied": 1}
    result = train(
        tiny.config("tied-2", data=str(tmp_path / "t.jsonl"), max_steps=1, loss="rrhf", eval_share=0.0)
    )
    assert (result.pairs, result.dropped) == (4, {"single": 1})


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"prompt": "q", "completion": "a"}, r"no `score`; .* score the answers first"),
        ({"prompt": "q", "completion": "a", "score": math.nan}, "`score` is nan"),
        ({"prompt": "q", "completion": "a", "score": "high"}, "`score` is 'high'"),
        ({"prompt": "q", "completion": "a", "score": 1.0}, r"no prompt is left .*single"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(tiny, tmp_path: Path, row, sentence):
    with pytest.raises(UsageError, match=sentence):
        train(tiny.config("never", data=write_jsonl(tmp_path / "bad.jsonl", [row]), loss="rrhf"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"loss": "rrhf", "preset": "irpo"}, "leave out preset"),
        ({"loss": "rrhf", "sft_times_beta": True}, "and sft_times_beta"),
        ({"loss": "rrhf", "label_smoothing": 0.1}, "hinge"),
        ({"loss": "rejection_sampling", "sft_weight": 0}, "nothing but its SFT term"),
        ({"loss": "kto", "desirable_weight": 0, "undesirable_weight": 0}, "both 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(tiny, changes, sentence):
    with pytest.raises(UsageError, match=sentence):
        tiny.config(**changes)


def test_a_merged_adapter_is_a_whole_model_that_can_be_adapted_again(tiny):
    from transformers import AutoModelForCausalLM

    config = tiny.config("merged", loss="rejection_sampling", lora_r=2, merge_adapter=True, max_steps=2)
    train(config)
    ended = read_metrics(config.output_dir)[-1]["eval_logps/chosen"]
    assert AutoModelForCausalLM.from_pretrained(config.output_dir).dtype == torch.float32
    again = tiny.config("again", model=config.output_dir, loss="rejection_sampling", lora_r=2, max_steps=1)
    train(again)
    assert read_metrics(again.output_dir)[0]["eval_logps/chosen"] == pytest.approx(ended, abs=1e-4)


@pytest.mark.parametrize("loss", ["rejection_sampling", "rrhf"])
def test_a_prompt_counts_as_the_row_of_its_best_answer_does(tiny, loss):
    rows = [
        row | {"weight": {2.0: 0.5 * int(row["prompt"][-1])}.get(row["score"], 7.0)} for row in scored(3)
    ]
    data = write_jsonl(tiny.folder / "weighted.jsonl", rows)
    model = load_model(tiny.config(), bf16=False)
    found = []
    for source in (data, tiny.settings["data"]):
        task = RankedTask(tiny.config(loss=loss, data=source, limit=3, eval_share=0.0))
        items = task.read(load_tokenizer(tiny.settings["model"])).training
        found.append(task.measure(model, RankedSet(items), range(3)).losses_B)
    weighted, plain = found
    assert torch.allclose(weighted, plain * torch.tensor([0.0, 0.5, 1.0]))
    assert [pair.weight for pair in read_pairs([data])] == [0.0, 0.5, 1.0]
    bad = write_jsonl(tiny.folder / "negative.jsonl", [scored(1)[0] | {"weight": -1}])
    with pytest.raises(UsageError, match=r"`weight` must be a finite number, 0 or more, and is -1"):
        train(tiny.config("never", loss=loss, data=bad))
