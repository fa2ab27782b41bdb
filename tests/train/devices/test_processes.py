"""Two processes that train together: the same updates as one, and one folder.

Those under ZeRO are run by `make test-deepspeed`.
"""

import json
import signal
import time

import pytest
import torch
from peft import PeftModel
from ranks import WITH_DEEPSPEED, launched_with, started, together
from safetensors.torch import load_file
from tiny_model import TinyRun, read_metrics, save_tiny_model
from transformers import AutoModelForCausalLM

from train.reward_model.config import RewardConfig
from train.training import train

SETTINGS = {"max_steps": 4, "logging_steps": 1, "eval_steps": 2, "save_steps": 3}
LONG = {"max_steps": 40, "save_steps": 2, "eval_steps": 7, "logging_steps": 3}
ZERO = "deepspeed_zero2.yaml"
LAUNCHES = {
    "replicated": {},
    "sharded": launched_with("fsdp2.yaml"),
    "zero1": launched_with(ZERO, "--zero_stage", "1") | WITH_DEEPSPEED,
    "zero2": launched_with(ZERO) | WITH_DEEPSPEED,
}
MARKED = [pytest.param(name, marks=pytest.mark.deepspeed) for name in LAUNCHES if name.startswith("zero")]


def rewarded(own: TinyRun, name: str) -> RewardConfig:
    """A reward model of the same pairs."""
    plain = {key: value for key, value in own.settings.items() if key not in ("loss", "sft_weight")}
    return RewardConfig(**plain | {"output_dir": str(own.folder / name)})


def kinds(own: TinyRun, prefix: str) -> list:
    """Runs of all weights, adapters, a reward model, a head shared with the embeddings, and cut updates."""
    tied = str(own.folder / "tied-model")
    return [
        own.config(f"{prefix}all"),
        own.config(f"{prefix}lora", lora_r=2, merge_adapter=True),
        rewarded(own, f"{prefix}reward"),
        own.config(f"{prefix}tied", model=tied),
        own.config(f"{prefix}cut", micro_batch_tokens=40, pairs_per_update=8, max_steps=2),
    ]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Runs of one process; 8 pairs, by 3: an uneven share and a last one of 2."""
    own = TinyRun(tmp_path_factory.mktemp("processes"))
    own.settings |= SETTINGS | {"pairs_per_update": 3, "loss": "apo_zero", "sft_weight": 0.1}
    save_tiny_model(own.folder / "tied-model", tie_word_embeddings=True)
    for config in kinds(own, "one-"):
        train(config)
    return own


@pytest.fixture(scope="module", params=["replicated", "sharded", *MARKED])
def runs(request, alone):
    """The same runs by two processes, how they were launched, and what each process said."""
    name = request.param
    store = str(alone.folder / f"{name}-store")
    all_, lora, reward, tied, cut = kinds(alone, f"{name}-")
    settings = [
        all_.model_copy(update={"reference_store": store}),
        all_.model_copy(update={"reference_store": store}),
        all_.model_copy(update={"beta": 0.3}),
        lora.model_copy(update={"reference_store": store}),
        reward,
        tied,
        cut,
        alone.config(f"{name}-long", reference_store=store, **LONG),
        alone.config(f"{name}-small", pairs_per_update=1),
    ]
    return alone, name, together([s.model_dump(mode="json") for s in settings], launch=LAUNCHES[name])


@pytest.mark.parametrize("kind", ["all", "lora", "reward", "tied", "cut"])
def test_two_processes_make_the_updates_of_one(runs, kind):
    own, name, _ = runs
    folders = [own.folder / f"{prefix}-{kind}" for prefix in ("one", name)]
    one, two = map(read_metrics, folders)
    assert [record.keys() for record in one] == [record.keys() for record in two]
    for mine, theirs in zip(one, two, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4, abs=2e-5)
        assert mine.get("loss", 0) == pytest.approx(theirs.get("loss", 0), abs=1e-5)
    weights = [load_file(folder / "model.safetensors") for folder in folders]
    assert weights[0].keys() == weights[1].keys()
    for key in weights[0]:
        assert torch.allclose(weights[0][key], weights[1][key], atol=1e-5), key
    configs = [json.loads((folder / "config.json").read_text()) for folder in folders]
    assert configs[0] == configs[1]


def test_the_report_of_two_processes_is_that_of_one(runs):
    own, name, _ = runs
    reports = [json.loads((own.folder / f"{n}-reward" / "reward.json").read_text()) for n in ("one", name)]
    for key in ("pairs", "accuracy", "ece", "reward_per_token"):
        assert reports[0]["human"][key] == pytest.approx(reports[1]["human"][key], abs=1e-4)


def test_both_hear_the_same_result_and_the_same_refusal(runs):
    _, _, (first, second) = runs
    assert first.splitlines() == second.splitlines()
    trained, again, refused, *others, small = first.splitlines()
    assert (trained, again) == ("trained", "already_finished")
    assert refused.startswith("UsageError")
    assert "`beta` was 0.1 and is now 0.3" in refused
    assert others == ["trained"] * 5
    assert small.startswith("UsageError 2 processes share the pairs of an update, which are 1")


def test_adapters_in_a_checkpoint_are_as_peft_reads_them(runs):
    own, name, _ = runs
    base = AutoModelForCausalLM.from_pretrained(own.settings["model"])
    adapted = PeftModel.from_pretrained(base, own.folder / f"{name}-lora" / "checkpoint-3")
    moved = [p for key, p in adapted.named_parameters() if "lora_B" in key]
    assert moved
    assert all(p.abs().max() > 0 for p in moved)


def test_one_process_goes_on_from_the_checkpoint_of_two(runs):
    own, name, _ = runs
    for kind in ("all", "lora"):
        output = own.folder / f"{name}-{kind}"
        finished = load_file(output / "model.safetensors")
        record = (output / "train.json").read_text().replace('"finished"', '"running"')
        (output / "train.json").write_text(record)
        config = next(c for c in kinds(own, f"{name}-") if c.output_dir == str(output))
        train(config)
        for key, weights in load_file(output / "model.safetensors").items():
            assert torch.allclose(weights, finished[key], atol=1e-5)


def test_when_one_process_is_killed_all_stop_and_both_go_on_to_the_bit(runs):
    own, name, _ = runs
    settings = [own.config(f"{name}-killed", **LONG).model_dump(mode="json")]
    first, second = started(settings, launch=LAUNCHES[name])
    output = own.folder / f"{name}-killed"
    deadline = time.monotonic() + 100
    while not (output / "checkpoint-4").exists():
        assert time.monotonic() < deadline
        assert first.poll() is None
        time.sleep(0.005)
    second.send_signal(signal.SIGKILL)
    said, errors = first.communicate(timeout=30)
    second.communicate()
    assert first.returncode == 0, errors[-2000:]
    assert said.startswith("PairwrightError another process of this run is gone"), errors[-2000:]
    assert json.loads((output / "train.json").read_text())["status"] == "running"
    assert together(settings, launch=LAUNCHES[name]) == ["trained\n"] * 2
    golden = own.folder / f"{name}-long"
    assert (output / "model.safetensors").read_bytes() == (golden / "model.safetensors").read_bytes()
    # Sums of metrics since the last line are of all processes in a checkpoint: added in another order.
    for mine, theirs in zip(read_metrics(output), read_metrics(golden), strict=True):
        assert mine == pytest.approx(theirs, rel=1e-5, abs=1e-6)
