"""The load-balancing loss of a mixture of experts: that of `transformers` on a whole update."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from safetensors.torch import load_file
from tiny_model import SHAPE, TinyRun, padded, read_metrics, save_tiny_model, tiny_tokenizer
from transformers import AutoModelForCausalLM, MixtralConfig

from pairwright.errors import UsageError
from pairwright.models.loading import load_tokenizer
from train.devices.replicated import Replicated
from train.forward.support import tree_support
from train.models.language import trained
from train.output.metrics import MetricSums
from train.preference.balanced import BalancedTask
from train.trainer.gradient import add_gradient, evaluate
from train.trainer.task import Run
from train.training import task_of, train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    own = TinyRun(tmp_path_factory.mktemp("balanced"))
    config = MixtralConfig(
        vocab_size=len(tiny_tokenizer()), num_local_experts=4, num_experts_per_tok=2, eos_token_id=0,
        bos_token_id=None, pad_token_id=0, output_router_logits=True, router_aux_loss_coef=0.2, **SHAPE,
    )  # fmt: skip
    own.settings |= {"model": save_tiny_model(own.folder / "experts", config), "loss": "dpo"}
    own.settings["eval_share"] = 0.0
    return own


@pytest.mark.parametrize("trees", [True, False], ids=["trees", "padded"])
@pytest.mark.parametrize("budget", [2000, 60])
def test_loss_and_gradient_are_those_of_one_batch_of_transformers(tiny, budget, trees):
    model = tiny.settings["model"] if trees else padded(tiny.settings["model"])
    config = tiny.config(model=model, micro_batch_tokens=budget)
    task = task_of(config)
    assert isinstance(task, BalancedTask)
    items = task.read(load_tokenizer(config.model)).training
    policy = task.load_model(bf16=False)
    assert tree_support(policy).trees is trees
    accelerator = Accelerator(cpu=True)
    data = task.prepare(accelerator, policy, items)
    run = Run(Replicated(accelerator, policy), task, budget)
    sums = MetricSums(accelerator.device, task.metrics)
    add_gradient(run, data, range(len(items)), sums)

    other = AutoModelForCausalLM.from_pretrained(config.model, dtype=torch.float32).eval()
    sequences = [
        (pair.prompt_tokens.tolist(), ids.tolist())
        for ids_of in (lambda p: p.chosen_ids, lambda p: p.rejected_ids)
        for pair, ids in ((pair, ids_of(pair)) for pair in items)
    ]
    width = max(len(p) + len(a) for p, a in sequences)
    ids = torch.tensor([[*p, *a] + [0] * (width - len(p) - len(a)) for p, a in sequences])
    mask = torch.tensor([[1] * (len(p) + len(a)) + [0] * (width - len(p) - len(a)) for p, a in sequences])
    out = other(input_ids=ids, attention_mask=mask)
    logps = []
    for row, (prompt, answer) in enumerate(sequences):
        at = range(len(prompt) - 1, len(prompt) + len(answer) - 1)
        logps.append(out.logits[row].log_softmax(-1)[at, answer].sum())
    win, lose = torch.stack(logps).chunk(2)
    dpo = -F.logsigmoid(0.1 * ((win - win.detach()) - (lose - lose.detach()))).mean()
    loss = dpo + 0.2 * out.aux_loss  # as TRL adds it
    loss.backward()
    means = sums.means(accelerator)
    assert means["aux_loss"] == pytest.approx(out.aux_loss.item(), abs=1e-5)
    assert means["loss"] == pytest.approx(loss.item(), abs=1e-5)
    wanted = {name: p.grad for name, p in other.named_parameters()}
    for name, parameter in trained(policy).items():
        assert torch.allclose(parameter.grad, wanted[name], atol=2e-5), name
    assert evaluate(run, data)["eval_aux_loss"] == pytest.approx(out.aux_loss.item(), abs=1e-5)


def test_it_is_said_and_can_be_set_or_left_out(tiny, capfd):
    config = tiny.config("with", max_steps=1)
    train(config)
    assert "load-balancing loss of 4 experts with weight 0.2" in capfd.readouterr().err
    assert read_metrics(config.output_dir)[0]["aux_loss"] > 0
    assert "output_router_logits" in (Path(config.output_dir) / "config.json").read_text()
    again = tiny.config("recomputed", max_steps=1, gradient_checkpointing=True)
    train(again)
    first, second = (load_file(Path(c.output_dir) / "model.safetensors") for c in (config, again))
    assert all(torch.allclose(first[name], second[name], atol=1e-6) for name in first)
    without = tiny.config("without", max_steps=1, router_aux_loss_coef=0.0)
    train(without)
    assert "aux_loss" not in read_metrics(without.output_dir)[0]
    train(tiny.config("ranked", loss="kto", max_steps=1))
    assert "kto adds none" in capfd.readouterr().err


def test_where_there_are_no_experts_or_pairs_it_is_refused(tiny):
    plain = save_tiny_model(tiny.folder / "plain")
    with pytest.raises(UsageError, match="has no router logits"):
        train(tiny.config("never", model=plain, router_aux_loss_coef=0.1))
    with pytest.raises(UsageError, match="is for losses of pairs, and not for kto"):
        train(tiny.config("never", loss="kto", router_aux_loss_coef=0.1))
