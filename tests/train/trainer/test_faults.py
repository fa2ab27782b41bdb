"""Faults on the way: what is not finite, what does not fit into memory, what is damaged."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_model import (
    TinyRun,
    read_metrics,
)

from pairwright.errors import PairwrightError
from train.models.language import trained
from train.preference.pair_logprobs import PairSet
from train.preference.task import PreferenceTask
from train.trainer.task import Measured
from train.training import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("where", ["logps", "weights"])
def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_rows(tmp_path, where):
    own = TinyRun(tmp_path)
    config = own.config(max_steps=6, save_steps=1, eval_share=0.0, loss="apo_zero", micro_batch_tokens=90)
    calls = []

    class Spoilt(PreferenceTask):
        def measure(self, policy: Any, data: PairSet, indices: Sequence[int]) -> Measured:
            calls.append(indices)
            if len(calls) < 7:  # two an update
                return super().measure(policy, data, indices)
            if where == "weights":
                with torch.no_grad():
                    next(iter(trained(policy).values())).fill_(torch.nan)
                return super().measure(policy, data, indices)
            values = self.values(policy, self.answers([data.items[index] for index in indices]))
            infinity = torch.tensor([-torch.inf] + [0.0] * (len(values) - 1))
            return self.measured(values + infinity, data, indices)  # bounded losses hide it

    with pytest.raises(PairwrightError, match="not finite; the update was not made") as stopped:
        train(config, Spoilt(config))
    rows = [f"row{i}" for i in (calls[6] if where == "weights" else calls[6][:1])]
    assert all(row in str(stopped.value) for row in rows)
    checkpoint = max((tmp_path / "out").glob("checkpoint-*"), key=lambda p: p.name)
    assert checkpoint.name == "checkpoint-3"
    for path in checkpoint.glob("*.safetensors"):
        assert all(torch.isfinite(t).all() for t in load_file(path).values() if t.is_floating_point())
    assert [r["step"] for r in read_metrics(config.output_dir)] == [1, 2, 3]
    assert train(config).status == "trained"


@pytest.mark.parametrize("room", [100, 60])
def test_where_memory_runs_out_forward_passes_are_halved(tiny, room):
    """Memory holds `room` tokens; the gradient, the metrics and the weights are those of plenty."""
    settings: dict[str, Any] = {"eval_share": 0.0, "max_steps": 3, "loss": "dpo"}
    plenty = tiny.config(f"plenty-{room}", **settings)
    train(plenty)

    class Cramped(PreferenceTask):
        def measure(self, policy: Any, data: PairSet, indices: Sequence[int]) -> Measured:
            measured = super().measure(policy, data, indices)
            tokens = sum(
                len(p.prompt_tokens) + sum(map(len, p.sides.values()))
                for p in map(data.items.__getitem__, indices)
            )
            if torch.is_grad_enabled() and tokens > room:
                measured.losses_B.sum().backward()  # it runs out half-way through the backward pass
                raise torch.OutOfMemoryError("CUDA out of memory")
            return measured

    little = tiny.config(f"little-{room}", **settings)
    train(little, Cramped(little))
    for record, expected in zip(
        read_metrics(little.output_dir), read_metrics(plenty.output_dir), strict=True
    ):
        assert record == pytest.approx(expected, abs=1e-4)


def test_a_row_too_large_for_memory_is_named(tiny):
    class Crammed(PreferenceTask):
        def measure(self, *args: Any) -> Measured:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"
            )

        def check_start(self, *args: Any) -> None:
            """There is no memory to look at it either."""

    config = tiny.config("none", eval_share=0.0, max_steps=1)
    with pytest.raises(
        PairwrightError, match=r"memory ran out on row row\d+ alone \(\d+ tokens\): train adapters"
    ):
        train(config, Crammed(config))


def test_weights_that_run_away_are_noticed_and_not_saved(tmp_path):
    """The gradient is finite to the last; it is the step that goes too far."""
    own = TinyRun(tmp_path)
    config = own.config(learning_rate=1e38, max_steps=3, save_steps=1, eval_steps=1, warmup_ratio=0.0)
    with pytest.raises(PairwrightError, match=r"lower (the )?learning_rate"):
        train(config)
    assert not list((tmp_path / "out").glob("*.safetensors"))
    for path in (tmp_path / "out").glob("checkpoint-*/model.safetensors"):
        assert all(torch.isfinite(t).all() for t in load_file(path).values())


def test_a_model_that_is_not_finite_is_refused_before_training(tmp_path):
    own = TinyRun(tmp_path)
    weights = load_file(tmp_path / "model" / "model.safetensors")
    for name in ("model.norm.weight", "lm_head.weight"):
        weights[name] *= 1e30  # finite, and its logits are not
    save_file(weights, tmp_path / "model" / "model.safetensors", {"format": "pt"})
    with pytest.raises(PairwrightError, match=r"not finite to 8 pairs \(row"):
        train(own.config())


def test_pairs_come_from_run_folders_whose_bytes_are_checked(tiny, tmp_path):
    from runs_on_disk import revise_config

    from revise import revise

    revise(revise_config(tmp_path, rows=20))
    config = tiny.config("from-run", data=str(tmp_path / "run"))
    result = train(config)
    assert result.pairs + result.held_out_pairs == 14
    shard = tmp_path / "run" / "data" / "train-00000.parquet"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(PairwrightError, match=r"train-00000\.parquet: damaged"):
        train(tiny.config("from-damaged-run", data=str(tmp_path / "run")))
    assert not (tiny.folder / "from-damaged-run").exists()


def test_infinite_weights_are_never_written(tiny, tmp_path):
    """Those of an update that is too large, and those that a number format has no room for."""
    last = {"max_steps": 1, "eval_share": 0.0, "warmup_ratio": 0.0, "save_steps": 0}
    with pytest.raises(PairwrightError, match=r"is not finite, and was not written; train with a lower"):
        train(tiny.config("too_large", learning_rate=1e38, lr_scheduler_type="constant", **last))
    assert not (tiny.folder / "too_large" / "model.safetensors").exists()
    with pytest.raises(PairwrightError, match=r"not written; .* --save_dtype bfloat16 or float32"):
        train(
            tiny.config(
                "half", learning_rate=1e6, lr_scheduler_type="constant", save_dtype="float16", **last
            )
        )
    assert not (tiny.folder / "half" / "model.safetensors").exists()
