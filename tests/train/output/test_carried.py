"""One optimizer through several trainings: what comes of them is what comes of a single one."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import TinyRun, numbered_pairs, read_metrics, write_jsonl

from pairwright.errors import PairwrightError, UsageError
from train.output.carried import CARRIED
from train.training import train

PAIRS = 8


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def halves(tiny: TinyRun) -> tuple[str, str]:
    rows = numbered_pairs(2 * PAIRS)
    first, second = (tiny.folder / f"half-{n}.jsonl" for n in (1, 2))
    return write_jsonl(first, rows[:PAIRS]), write_jsonl(second, rows[PAIRS:])


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(next(iter(sorted(folder.glob("*model.safetensors")))))


def furthest(a: Path, b: Path) -> float:
    """The largest difference of any weight."""
    one, two = weights(a), weights(b)
    assert one.keys() == two.keys()
    return max((one[name] - two[name]).abs().max().item() for name in one)


@pytest.mark.parametrize(("kind", "adapters"), [("whole", {}), ("lora", {"lora_r": 2})])
def test_two_trainings_are_one_on_the_pairs_of_both(
    tiny: TinyRun, halves: tuple[str, str], kind: str, adapters: dict[str, int]
) -> None:
    """In float32, with warm-up, decay and a falling rate; and not without the optimizer."""
    initial = {} if adapters else {"ref_model": tiny.config().model}
    settings: dict[str, Any] = {
        "loss": "orpo" if adapters else "dpo",
        "learning_rate": 1e-2,
        "weight_decay": 0.1,
        "warmup_ratio": 0.3,
        "pairs_per_update": 2,
        "keep_order": True,
        "eval_share": 0.0,
        "max_grad_norm": 0.0,
    }
    train(tiny.config(f"{kind}-one", data=halves, **settings, **adapters))
    first, second = (tiny.folder / f"{kind}-{n}" for n in ("first", "second"))
    kept = {"save_optimizer": True, "schedule_part": "1/2"}
    train(tiny.config(first.name, data=halves[:1], **settings, **adapters, **kept))
    on: dict[str, Any] = {
        "data": halves[1:],
        "model": str(first),
        "schedule_part": "2/2",
        **settings,
        **initial,
    }
    train(tiny.config(second.name, optimizer_from=str(first), **on))
    train(tiny.config(f"{kind}-anew", **on))
    assert furthest(tiny.folder / f"{kind}-one", second) < 1e-5
    assert furthest(tiny.folder / f"{kind}-one", tiny.folder / f"{kind}-anew") > 1e-4
    assert not (second / CARRIED).exists()
    rates = [
        [r["learning_rate"] for r in read_metrics(tiny.folder / f"{kind}-{n}") if "loss" in r]
        for n in ("one", "first", "second")
    ]
    assert rates[0] == rates[1] + rates[2]
    again = tiny.config(second.name, optimizer_from=str(first), **on)
    assert train(again).status == "already_finished"


def test_what_cannot_go_on_is_refused_in_a_sentence(tiny: TinyRun, halves: tuple[str, str]) -> None:
    first = tiny.folder / "whole-first"
    with pytest.raises(UsageError, match="holds no optimizer of a finished training; train it with --save"):
        train(tiny.config("none", data=halves[1:], optimizer_from=str(tiny.folder)))
    with pytest.raises(UsageError, match="is the optimizer of other weights than are"):
        train(tiny.config("other", data=halves[1:], optimizer_from=str(first), lora_r=2))
    with pytest.raises(ValueError, match="the first number may not be the larger"):
        tiny.config("part", schedule_part="3/2")
    damaged = tiny.folder / "damaged"
    shutil.copytree(first, damaged)
    (damaged / CARRIED / "optimizer.safetensors").write_bytes(b"no more")
    with pytest.raises(PairwrightError, match="damaged"):
        train(tiny.config("broken", data=halves[1:], optimizer_from=str(damaged)))
