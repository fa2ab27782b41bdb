"""KTO: its formula, whose answers stand beside which prompt, and the point that an update shares."""

import pytest
import torch
from accelerate import Accelerator
from tiny_model import TinyRun, numbered_pairs, read_metrics, write_jsonl
from transformers import AutoModelForCausalLM

from pairwright.errors import UsageError
from pairwright.models.loading import load_tokenizer
from train.devices.replicated import Replicated
from train.losses.anchored import apo_zero_halves, kto
from train.output.metrics import MetricSums
from train.preference.kto import KtoSet, KtoTask, mismatched
from train.trainer.gradient import add_gradient, evaluate
from train.trainer.task import Run
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    tiny = TinyRun(tmp_path_factory.mktemp("kto"))
    tiny.settings |= {"loss": "kto", "eval_share": 0.0}
    return tiny


def nudged(folder: str) -> torch.nn.Module:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def made(
    tiny: TinyRun, kind: type[KtoTask] = KtoTask, **settings: object
) -> tuple[Run, KtoSet, torch.nn.Module]:
    """A policy that has left its reference, the data, and that reference."""
    config = tiny.config(**settings)
    task = kind(config)
    pairs = task.read(load_tokenizer(config.model)).training
    start = AutoModelForCausalLM.from_pretrained(config.model).float().eval()
    accelerator = Accelerator(cpu=True)
    data = task.prepare(accelerator, start, pairs)
    return Run(Replicated(accelerator, nudged(config.model)), task, config.micro_batch_tokens), data, start


def logp(model: torch.nn.Module, prompt: list[int], answer: list[int]) -> torch.Tensor:
    logps = model(torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
    return logps[range(len(prompt) - 1, len(prompt) + len(answer) - 1), answer].sum()


def test_the_formula_is_that_of_trl():
    """The branches of `KTOTrainer._compute_loss` in TRL 1.16.0, its mean over 2N answers."""
    win, lose = torch.tensor([2.0, -8.0]), torch.tensor([-3.0, 6.0])
    for kl in (0.0, 1.7):
        chosen = 1 - torch.sigmoid(0.1 * (win - kl))
        rejected = 1 - torch.sigmoid(0.1 * (kl - lose))
        theirs = torch.cat([1.5 * chosen, 0.5 * rejected]).mean()
        weights = {"desirable_weight": 1.5, "undesirable_weight": 0.5}
        assert torch.allclose(kto(win, lose, beta=0.1, reference_point=kl, **weights).mean(), theirs)
    assert torch.allclose(kto(win, lose, beta=0.1), apo_zero_halves(win, lose, beta=0.1))


def test_a_prompt_gets_the_answers_of_the_next_pair_with_another(tiny):
    rows = [*numbered_pairs(3), numbered_pairs(3)[2] | {"row_id": "again", "chosen": "other"}]
    config = tiny.config(data=write_jsonl(tiny.folder / "four.jsonl", rows))
    pairs = KtoTask(config).read(load_tokenizer(config.model)).training
    found = mismatched(pairs)
    assert [pair.prompt_key for pair in found] == [pair.prompt_key for pair in pairs]
    order = {pair.row_id: pair for pair in pairs}
    expected = {"row0": "row1", "row1": "row2", "row2": "row0", "again": "row0"}
    assert list(order) == list(expected)
    for pair in found:
        other = order[expected[pair.row_id]]
        assert pair.chosen_ids.tolist() == other.chosen_ids.tolist()
        assert pair.rejected_ids.tolist() == other.rejected_ids.tolist()


def test_the_point_is_the_mean_log_ratio_of_answers_to_other_prompts(tiny):
    run, data, start = made(tiny)
    run.task.look_ahead(run, data, [1, 4, 6])
    ratios = []
    for index in (1, 4, 6):
        pair = data.mismatched.items[index]
        for ids in (pair.chosen_ids, pair.rejected_ids):
            given = pair.prompt_tokens.tolist(), ids.tolist()
            ratios.append((logp(run.policy, *given) - logp(start, *given)).item())
    expected = max(0.0, sum(ratios) / len(ratios))
    assert float(run.task.objective.options["reference_point"]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("budget", [250, 60])
def test_loss_and_gradient_do_not_depend_on_how_a_batch_is_cut(tiny, budget):
    """They are those of the equation with one point for all pairs, held still."""
    run, data, start = made(tiny, Lifted, micro_batch_tokens=budget)
    sums = MetricSums(run.accelerator.device, run.task.metrics)
    add_gradient(run, data, range(len(data.items)), sums)
    point = float(run.task.objective.options["reference_point"])
    other = nudged(tiny.settings["model"])
    losses = []
    for pair in data.items:
        sides = [
            (pair.prompt_tokens.tolist(), ids.tolist()) for ids in (pair.chosen_ids, pair.rejected_ids)
        ]
        win, lose = (logp(other, *side) - logp(start, *side).detach() for side in sides)
        losses.append(
            (1 - torch.sigmoid(0.1 * (win - point)) + 1 - torch.sigmoid(0.1 * (point - lose))) / 2
        )
    loss = torch.stack(losses).mean()
    loss.backward()
    assert sums.means(run.accelerator)["loss"] == pytest.approx(loss.item(), abs=1e-5)
    for mine, plain in zip(run.policy.parameters(), other.parameters(), strict=True):
        assert torch.allclose(mine.grad, plain.grad, atol=1e-5)


class Lifted(KtoTask):
    """With 3 nats added, so that the point is above 0 whatever the policy is."""

    def look_ahead(self, run, data, indices):
        super().look_ahead(run, data, indices)
        options = self.objective.options
        more = {**options, "reference_point": options["reference_point"] + 3.0}
        self.objective = self.objective._replace(options=more)


def test_held_out_pairs_have_a_point_of_their_own(tiny):
    run, data, _ = made(tiny)
    run.task.look_ahead(run, data, [0])
    alone = run.task.objective.options["reference_point"]
    evaluate(run, data)
    assert run.task.objective.options["reference_point"] is not alone


def test_it_begins_at_one_half_and_trains(tiny):
    config = tiny.config("trained", eval_share=0.4, learning_rate=1e-2)
    result = train(config)
    assert result.start_metrics["eval_loss"] == pytest.approx(0.5, abs=1e-5)
    assert read_metrics(config.output_dir)[0]["eval_loss"] == pytest.approx(0.5, abs=1e-5)
    assert result.metrics["loss"] < 0.5


def test_one_prompt_is_refused_in_one_sentence(tiny):
    rows = [{"prompt": "Q", "chosen": f"yes {n}", "rejected": "no"} for n in range(3)]
    config = tiny.config("one", data=write_jsonl(tiny.folder / "one.jsonl", rows))
    with pytest.raises(UsageError, match="kto needs pairs of two prompts at least"):
        train(config)
