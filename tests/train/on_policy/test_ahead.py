"""Answers of the next round, sampled while this one is trained."""

import threading
from pathlib import Path
from typing import Any

import pytest
from tiny_model import save_tiny_model, write_jsonl
from vllm_stand_in import LETTERS, stand_in

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.manifest import load_manifest
from pairwright.stages.sample import SampleConfig
from pairwright.terminal.interrupt import stop_requested
from train.on_policy.ahead import Ahead, require_another_device
from train.on_policy.config import LoopConfig
from train.on_policy.loop import loop
from train.on_policy.slices import sampled_from
from train.on_policy.steps import COMMANDS
from train.preference.config import TrainConfig

GIVEN = {"model": "smollm2", "prompts": "p.jsonl", "output_dir": "out", "judge": {"judge": "check:math"}}
SOON = 60.0


def test_the_model_is_one_round_older_than_it_would_be() -> None:
    assert [sampled_from(number, 1, overlap=True) for number in range(1, 6)] == [0, 0, 1, 2, 3]
    assert [sampled_from(number, 2, overlap=True) for number in range(1, 8)] == [0, 0, 0, 2, 2, 4, 4]


def test_the_next_round_is_sampled_while_this_one_is_trained(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each training waits until the next round's answers are there, which otherwise come after it."""
    sampled = [threading.Event() for _ in range(5)]
    order: list[str] = []

    def sample(config: SampleConfig) -> Any:
        found = COMMANDS.sample(config)
        place = Path(config.out)
        if place.name == "answers":
            order.append(f"sampled {place.parent.name}")
            sampled[int(place.parent.name.partition("-")[2])].set()
        return found

    def train(config: TrainConfig) -> Any:
        place = Path(config.output_dir).parent
        number = int(place.name.partition("-")[2])
        assert number == 3 or sampled[number + 1].wait(SOON)
        order.append(f"trained {place.name}")
        return COMMANDS.train(config)

    gates = {"min_kept_share": 0, "max_edit_distance": 1}
    replies = write_jsonl(tmp_path / "reviser.jsonl", [{"text": "aabbaab"}, {"text": "abababa"}])
    config = LoopConfig(
        model=save_tiny_model(tmp_path / "model"),
        prompts=write_jsonl(tmp_path / "p.jsonl", [{"prompt": f"p{n}"} for n in range(12)]),
        output_dir=str(tmp_path / "ahead"),
        rounds=3,
        prompts_per_round=4,
        overlap=True,
        carry_optimizer=True,
        pairs="revise",
        sample={"policy": "vllm", "engine": {"python": stand_in(tmp_path, text=LETTERS)}, "max_tokens": 12},
        revise={"reviser": f"canned:{replies}", "reply": "bare", **gates},
        train={"loss": "dpo", "max_steps": 1, "use_cpu": True, "bf16": False, "save_steps": 0},
    )
    commands = COMMANDS._replace(sample=sample, train=train)
    table = loop(config, commands)
    folder = tmp_path / "ahead"
    assert order == [
        "sampled round-1",
        *("sampled round-2", "trained round-1", "sampled round-2"),
        *("sampled round-3", "trained round-2", "sampled round-3"),
        "trained round-3",
    ]
    assert [row.get("sampled_from") for row in table] == [None, 0, 0, 1]
    models = [load_manifest(folder / f"round-{n}" / "answers").engines["policy"] for n in (1, 2, 3)]
    looked = [load_manifest(folder / f"round-{n}" / "samples").engines["policy"] for n in (0, 1)]
    assert models == [looked[0], looked[0], looked[1]]
    said = " ".join(capfd.readouterr().err.split())
    assert "of round 3 are sampled meanwhile, from the model of round 1: one round stale" in said
    assert loop(config) == table


def test_where_training_fails_sampling_stops_and_what_sampling_says_comes_after_training() -> None:
    ahead = Ahead()
    began, stopped = threading.Event(), threading.Event()

    def asked() -> None:
        with stop_requested() as stopping:
            began.set()
            while not stopping():
                began.wait(0.001)
            stopped.set()

    def refused() -> None:
        raise PairwrightError("the server is gone")

    with pytest.raises(UsageError, match="no such loss"), ahead.meanwhile(asked):  # noqa: PT012
        assert began.wait(SOON)
        raise UsageError("no such loss")
    assert stopped.is_set()
    trained = False
    with pytest.raises(PairwrightError, match="the server is gone"), ahead.meanwhile(refused):
        trained = True
    assert trained
    ahead.close()


@pytest.mark.parametrize(
    ("sample", "train", "cuda", "refused"),
    [
        ({"policy": "hf"}, {}, True, "hf answers in the process that trains"),
        ({"policy": "hf"}, {}, False, "hf answers in the process that trains"),
        ({"policy": "vllm"}, {}, False, ""),
        ({"policy": "vllm"}, {}, True, "on the first GPU, as training is"),
        ({"policy": "vllm", "engine": {"device_ids": "0,1"}}, {}, True, "on the first GPU, as"),
        ({"policy": "vllm", "engine": {"device_ids": "[1]"}}, {}, True, ""),
        ({"policy": "vllm"}, {"use_cpu": True}, True, ""),
        ({"policy": "openai:{model}@http://localhost:1/v1"}, {}, True, ""),
    ],
)
def test_one_device_is_refused(
    sample: dict[str, Any], train: dict[str, Any], cuda: bool, refused: str
) -> None:
    config = LoopConfig(**GIVEN, overlap=True, sample=sample, train=train)
    if not refused:
        require_another_device(config, cuda=cuda)
        return
    with pytest.raises(UsageError, match=refused):
        require_another_device(config, cuda=cuda)
