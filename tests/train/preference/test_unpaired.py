"""Single labelled answers: the equations, a plain loop, and how a batch is cut."""

import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from tiny_model import TinyRun, numbered_pairs, read_metrics, write_jsonl
from transformers import AutoModelForCausalLM

from pairwright.errors import UsageError
from pairwright.figures.training import training_of
from pairwright.figures.words import in_words
from pairwright.models.loading import load_tokenizer
from train.devices.replicated import Replicated
from train.losses.anchored import apo_zero_unpaired, bco, kto
from train.losses.unpaired import bco_unpaired, kto_unpaired
from train.output.metrics import MetricSums
from train.preference.unpaired import unpaired_task
from train.trainer.gradient import add_gradient
from train.trainer.task import Run
from train.training import train

ROWS = [
    {
        "row_id": f"{row['row_id']} {side}",
        "prompt": row["prompt"],
        "completion": row[side],
        "label": side == "chosen",
    }
    for row in numbered_pairs(8)
    for side in ("chosen", "rejected")
    if (side == "chosen") or int(row["row_id"][3:]) % 3
]
"""Eight desirable answers and five that are not; some prompts have one answer alone."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    tiny = TinyRun(tmp_path_factory.mktemp("unpaired"))
    data = write_jsonl(tiny.folder / "labelled.jsonl", ROWS)
    tiny.settings |= {"data": data, "loss": "kto", "eval_share": 0.0}
    return tiny


def nudged(folder: str) -> torch.nn.Module:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def logp(model: torch.nn.Module, pair) -> torch.Tensor:
    prompt, answer = pair.prompt_tokens.tolist(), pair.chosen_ids.tolist()
    logps = model(torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
    return logps[range(len(prompt) - 1, len(prompt) + len(answer) - 1), answer].sum()


def test_on_both_answers_of_a_pair_they_are_the_losses_of_the_pair():
    win, lose = torch.tensor([2.0, -8.0, 0.0]), torch.tensor([-3.0, 6.0, 0.0])
    both, desirable = torch.cat([win, lose]), torch.tensor([True] * 3 + [False] * 3)
    weights = {"desirable_weight": 1.5, "undesirable_weight": 0.5, "reference_point": 1.7}
    found = kto_unpaired(both, desirable, beta=0.1, **weights)
    assert torch.allclose(found.view(2, 3).mean(0), kto(win, lose, beta=0.1, **weights))
    # The branches of TRL's KTOTrainer.
    theirs = torch.cat(
        [1.5 * (1 - (0.1 * (win - 1.7)).sigmoid()), 0.5 * (1 - (0.1 * (1.7 - lose)).sigmoid())]
    )
    assert torch.allclose(found, theirs)
    assert torch.allclose(
        bco_unpaired(both, desirable, beta=0.1).view(2, 3).sum(0), bco(win, lose, beta=0.1)
    )
    zero = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    for loss in (kto_unpaired, bco_unpaired):
        for label in (True, False):
            assert torch.autograd.gradcheck(lambda d: loss(d, torch.tensor([label]), beta=0.3), zero)  # noqa: B023


@pytest.mark.parametrize("budget", [250, 60])
@pytest.mark.parametrize("loss", ["kto", "bco", "apo_zero_unpaired"])
def test_loss_and_gradient_are_those_of_a_plain_loop(tiny, loss, budget):
    config = tiny.config(loss=loss, micro_batch_tokens=budget, sft_weight=0.3)
    task = unpaired_task(config)
    items = task.read(load_tokenizer(config.model)).training
    start = AutoModelForCausalLM.from_pretrained(config.model).float().eval()
    accelerator = Accelerator(cpu=True)
    data = task.prepare(accelerator, start, items)
    run = Run(Replicated(accelerator, nudged(config.model)), task, budget)
    sums = MetricSums(accelerator.device, task.metrics)
    add_gradient(run, data, range(len(items)), sums)

    other, losses, rewards = nudged(config.model), [], {True: [], False: []}
    point = 0.0
    if loss == "kto":
        with torch.no_grad():
            away = [logp(other, pair) - logp(start, pair) for pair in data.mismatched.items]
        point = max(0.0, float(torch.stack(away).mean()))
    for pair in items:
        delta = logp(other, pair) - logp(start, pair).detach()
        if loss == "bco":
            preference = -F.logsigmoid(0.1 * delta if pair.label else -0.1 * delta)
        else:
            reward = 0.1 * (delta - point)
            preference = 1 - torch.sigmoid(reward if pair.label else -reward)
        sft = -logp(other, pair) / len(pair.chosen_ids) if pair.label else 0.0
        losses.append(preference + 0.3 * sft)
        rewards[pair.label].append(0.1 * delta.item())
    torch.stack(losses).mean().backward()
    means = sums.means(accelerator)
    assert means["loss"] == pytest.approx(torch.stack(losses).mean().item(), abs=1e-5)
    for side, label in (("chosen", True), ("rejected", False)):
        expected = sum(rewards[label]) / len(rewards[label])
        assert means[f"rewards/{side}"] == pytest.approx(expected, abs=1e-5)
    for mine, plain in zip(run.policy.parameters(), other.parameters(), strict=True):
        assert torch.allclose(mine.grad, plain.grad, atol=1e-5)


def test_the_command_learns_and_says_where_answers_went(tiny, capfd):
    config = tiny.config("run", num_train_epochs=20, learning_rate=0.01, eval_share=0.25)
    result = train(config)
    assert "8 desirable" in capfd.readouterr().err or result.pairs < len(ROWS)
    last = read_metrics(config.output_dir)[-2]
    assert last["logratios/chosen"] > last["logratios/rejected"]
    words = in_words(training_of(tiny.folder / "run"))
    assert "desirable answers" in words
    assert "They moved apart by" in words
    assert "chosen" not in words
    assert train(config).status == "already_finished"


def test_an_update_weighs_rows_by_their_weight(tiny):
    task = unpaired_task(
        tiny.config(
            loss="bco",
            data=write_jsonl(
                tiny.folder / "w.jsonl",
                [row | {"weight": 0.0 if n else 2.0} for n, row in enumerate(ROWS[:3])],
            ),
        )
    )
    items = task.read(load_tokenizer(tiny.settings["model"])).training
    start = AutoModelForCausalLM.from_pretrained(tiny.settings["model"]).float().eval()
    data = task.prepare(Accelerator(cpu=True), start, items)
    losses = task.measure(start, data, [0, 1, 2]).losses_B
    assert losses.tolist() == pytest.approx([2 * 0.6931472, 0, 0], abs=1e-5)


def test_what_cannot_be_done_is_said_in_one_sentence(tiny, capfd):
    alone = write_jsonl(tiny.folder / "alone.jsonl", ROWS[:1] + ROWS[3:4])
    with pytest.raises(UsageError, match="no pair is left to train on"):
        train(tiny.config("never", loss="dpo", data=alone))
    assert "dpo has no form for single answers" in capfd.readouterr().err
    with pytest.raises(UsageError, match="--token_weight is a setting of pairs"):
        train(tiny.config("never", token_weight="changed:2"))
    bad = write_jsonl(tiny.folder / "bad.jsonl", [ROWS[0], ROWS[1] | {"label": "good"}])
    with pytest.raises(
        UsageError, match=r"bad\.jsonl line 2: `label` must be true or false, and is 'good'"
    ):
        train(tiny.config("never", data=bad))
    mixed = write_jsonl(tiny.folder / "mixed.jsonl", [ROWS[0], numbered_pairs(1)[0]])
    with pytest.raises(UsageError, match=r"mixed\.jsonl line 2: is of the form `pairs`"):
        train(tiny.config("never", data=mixed))
    assert not (tiny.folder / "never").exists()
    assert apo_zero_unpaired(torch.zeros(1), torch.tensor([True]), beta=1).item() == 0.5
