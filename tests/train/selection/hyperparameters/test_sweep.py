"""A sweep: which points there are, that each is the training of its settings, and which is best."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import TinyRun

from pairwright.errors import PairwrightError, UsageError
from pairwright.models.loading import load_tokenizer
from train.selection.hyperparameters.config import SweepConfig
from train.selection.hyperparameters.record import record_of
from train.selection.hyperparameters.sharing import SharedPairs
from train.selection.hyperparameters.sweep import sweep
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    own = TinyRun(tmp_path_factory.mktemp("sweep"))
    own.settings |= {"max_steps": 2, "loss": "dpo", "reference_store": str(own.folder / "store")}
    return own


def settings(tiny: TinyRun, name: str, over: str, **changes: Any) -> SweepConfig:
    return SweepConfig(**tiny.settings | {"output_dir": str(tiny.folder / name), "over": over} | changes)


def test_every_combination_is_the_training_of_its_settings(tiny, capfd):
    config = settings(tiny, "grid", "learning_rate=1e-3,3e-2;beta=0.1,0.5", by="eval_loss")
    record = sweep(config)
    names = [f"learning_rate={rate}__beta={beta}" for rate in ("1e-3", "3e-2") for beta in ("0.1", "0.5")]
    assert [point.name for point in record.points] == names
    alone = tiny.config("alone", learning_rate=0.03, beta=0.5)
    train(alone)
    mine, theirs = (
        load_file(Path(place) / "model.safetensors")
        for place in (record.points[3].folder, alone.output_dir)
    )
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    least = min(record.points, key=lambda point: point.metrics["eval_loss"])
    assert (record.best, record.complete) == (least.name, True)
    assert record.metrics == least.metrics
    out = capfd.readouterr()
    assert f"best by eval_loss ({least.metrics['eval_loss']:.4g}): {least.name}" in out.out
    assert out.err.count("known from earlier runs: 8 of 8 pairs") >= 3  # asked once, by the first
    assert (tiny.folder / "grid" / "sweep.png").stat().st_size > 1000
    assert (tiny.folder / "grid" / "table.md").read_text().count("\n") == 6
    rows = [json.loads(line) for line in (tiny.folder / "grid" / "table.jsonl").read_text().splitlines()]
    assert (rows[0]["point"], rows[0]["beta"]) == (least.name, least.values["beta"])
    assert rows[0]["learning_rate"] == least.values["learning_rate"]


def test_points_that_read_pairs_alike_share_them(tiny):
    """The very same lists, and with them the same batches; not where the settings read other pairs."""
    shared, tokenizer = SharedPairs(), load_tokenizer(tiny.settings["model"])
    config = tiny.config("shared", beta=0.1)
    first = shared.task(config).read(tokenizer)
    changed = config.model_copy(update={"beta": 0.5, "learning_rate": 1e-4, "loss": "apo_zero"})
    assert shared.task(changed).read(tokenizer) is first
    for other in ({"limit": 3}, {"token_weight": "changed:2"}, {"eval_share": 0.5}):
        assert shared.task(changed.model_copy(update=other)).read(tokenizer) is not first


def test_a_sweep_that_was_stopped_goes_on_where_it_was(tiny):
    config = settings(tiny, "stopped", "beta=0.1,0.2,0.3")
    begun: list[str] = []

    def stops(one, task):
        begun.append(one.output_dir)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return train(one, task)

    with pytest.raises(KeyboardInterrupt):
        sweep(config, stops)
    assert len(record_of(tiny.folder / "stopped").points) == 1
    before = (tiny.folder / "stopped" / "points" / "beta=0.1" / "model.safetensors").stat().st_mtime_ns
    assert len(sweep(config).points) == 3
    after = (tiny.folder / "stopped" / "points" / "beta=0.1" / "model.safetensors").stat().st_mtime_ns
    assert before == after
    with pytest.raises(UsageError, match=r"`over` was 'beta=0.1,0.2,0.3' and is now 'beta=0.1'"):
        sweep(settings(tiny, "stopped", "beta=0.1"))


def test_a_point_that_fails_is_named_and_the_others_are_trained(tiny, capfd):
    def fails(one, task):
        if one.beta == 0.2:
            raise PairwrightError("the loss is not finite")
        return train(one, task)

    record = sweep(settings(tiny, "failing", "beta=0.1,0.2"), fails)
    assert [point.failure for point in record.points] == [None, "the loss is not finite"]
    assert record.best == "beta=0.1"
    assert "beta=0.2: the loss is not finite" in capfd.readouterr().err
    with pytest.raises(PairwrightError, match="no point of the sweep was trained to its end"):
        sweep(settings(tiny, "all_fail", "beta=0.2"), fails)


def test_losses_that_differ_keep_the_defaults_of_each(tiny):
    config = settings(tiny, "losses", "loss=dpo,dpo_norm,simpo,rejection_sampling")
    points = [config.point(values) for values in config.grid()]
    assert [point.beta for point in points] == [0.1, 5.0, 2.0, 0.1]
    assert [point.sft_weight for point in points] == [0.0, 0.0, 0.0, 1.0]
    given = settings(tiny, "losses", "loss=dpo,dpo_norm", beta=0.3)
    assert [given.point(values).beta for values in given.grid()] == [0.3, 0.3]


def test_trials_choose_points_and_find_them_again(tiny):
    pytest.importorskip("optuna")
    config = settings(tiny, "trials", "learning_rate=1e-4..1e-2;pairs_per_update=2,4", trials=3)
    record = sweep(config)
    assert len(record.points) == 3
    rates = [float(point.values["learning_rate"]) for point in record.points]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert len(set(rates)) == 3
    again = sweep(config)
    assert [point.values for point in again.points] == [point.values for point in record.points]


def test_models_are_measured_by_a_verifier(tiny):
    checks = tiny.folder / "checks.py"
    checks.write_text("def passes(prompt, answer, row):\n    return 'a' in answer\n")
    prompts = tiny.folder / "held_out.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": f"say x {n}"}) + "\n" for n in range(3)))
    by = {"verify": f"{checks}:passes", "prompts": str(prompts), "max_tokens": 4}
    with pytest.raises(UsageError, match=r"checks\.py"):
        sweep(settings(tiny, "never", "beta=0.1", **by | {"verify": f"{checks}:nothing"}))
    with pytest.raises(UsageError, match="nowhere"):
        sweep(settings(tiny, "never", "beta=0.1", **by | {"prompts": str(tiny.folder / "nowhere.jsonl")}))
    assert not (tiny.folder / "never").exists()
    record = sweep(settings(tiny, "verified", "beta=0.1,0.2", **by))
    assert record.by == "pass_rate"
    assert all(0 <= point.metrics["pass_rate"] <= 1 for point in record.points)


@pytest.mark.parametrize(
    ("over", "changes", "words"),
    [
        ("", {}, "--over is empty"),
        ("beta", {}, "say NAME=VALUE,VALUE"),
        ("betta=1,2", {}, "did you mean `beta`"),
        ("model=a,b", {}, "model is the same for all points"),
        ("beta=0.1,0.1", {}, "is empty or repeated"),
        ("beta=0.1;beta=0.2", {}, "beta is given twice"),
        ("beta=0.1..1", {}, "a range needs --trials N"),
        ("beta=1..0.1", {"trials": 2}, "a range goes from a number above 0"),
        ("beta=0.1", {"by": "pass_rate"}, "give --verify and --prompts"),
        ("beta=0.1", {"verify": "check:math"}, "need each other"),
        ("beta=0.1", {"eval_share": 0.0}, "nothing is held out"),
        ("beta=0.1,high", {}, "at beta=high: beta: Input should be a valid number"),
        ("loss=dpo,nonsense", {}, "at loss=nonsense: loss:"),
        ("label_smoothing=0.1;loss=dpo,ipo", {}, "at label_smoothing=0.1__loss=ipo"),
    ],
)
def test_what_cannot_be_swept_is_said_before_anything_is_trained(tiny, over, changes, words):
    with pytest.raises(UsageError) as refused:
        sweep(settings(tiny, "never", over, **changes))
    assert words in str(refused.value)
    assert not (tiny.folder / "never").exists()
