"""Semi-online rounds: slices of prompts, a policy that is synced now and then, pairs that come again."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from loop_toy import LoopToy
from pydantic import ValidationError
from safetensors.torch import load_file
from tiny_model import read_metrics

from pairwright.errors import UsageError
from pairwright.folders.manifest import load_manifest
from pairwright.folders.shards import read_tables
from train.on_policy.loop import loop
from train.on_policy.slices import REPLAYED, prompts_of_round, sampled_from
from train.output.carried import CARRIED
from train.trainer.schedule import learning_rate


class Semi(NamedTuple):
    """A loop of two rounds of slices: its folder, settings and table."""

    folder: Path
    settings: dict[str, Any]
    table: list[dict[str, Any]]


def test_prompts_come_in_turns() -> None:
    rounds = [prompts_of_round("abcde", number, 2) for number in (1, 2, 3, 4)]
    assert rounds == [["a", "b"], ["c", "d"], ["e", "a"], ["b", "c"]]
    assert prompts_of_round("abc", 7, None) == ["a", "b", "c"] == prompts_of_round("abc", 7, 3)


def test_the_policy_is_the_newest_every_so_many_rounds() -> None:
    assert [sampled_from(number, 1) for number in (1, 2, 3)] == [0, 1, 2]
    assert [sampled_from(number, 3) for number in range(1, 8)] == [0, 0, 0, 3, 3, 3, 6]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> LoopToy:
    return LoopToy(tmp_path_factory.mktemp("loop"))


@pytest.fixture(scope="module")
def semi_online(toy: LoopToy) -> Semi:
    settings = {"prompts_per_round": 8, "sync_every": 2, "replay_share": 0.5, "rounds": 2}
    settings |= {"carry_optimizer": True}
    return Semi(toy.folder / "sliced", settings, loop(toy.config("sliced", **settings)))


def test_rounds_of_slices_with_pairs_of_those_before(toy: LoopToy, semi_online: Semi) -> None:
    folder, settings, table = semi_online
    asked, models, pairs = [], [], []
    for number in (1, 2):
        here = folder / f"round-{number}"
        lines = (here / "prompts.jsonl").read_text().splitlines()
        asked.append([json.loads(line)["prompt"][0]["content"] for line in lines])
        models.append(load_manifest(here / "answers").engines["policy"])
        pairs.append({i for t in read_tables(here / "judged") for i in t["row_id"].to_pylist()})
    assert [len(some) for some in asked] == [8, 8]
    assert len({prompt for some in asked for prompt in some}) == 16
    assert models[0] == models[1] == load_manifest(folder / "round-0" / "samples").engines["policy"]
    assert table[1]["replayed"] == 0
    assert not (folder / "round-1" / REPLAYED).exists()
    here = folder / "round-2"
    again = [json.loads(line)["row_id"] for line in (here / REPLAYED).read_text().splitlines()]
    assert set(again) <= pairs[0]
    assert len(again) == len(set(again)) == table[2]["replayed"] == min(map(len, pairs))
    trained = json.loads((here / "model" / "train.json").read_text())
    assert trained["config"]["data"] == [str(here / "judged"), str(here / REPLAYED)]
    assert loop(toy.config("sliced", **settings)) == table


def test_one_optimizer_goes_through_all_rounds(toy: LoopToy, semi_online: Semi) -> None:
    """With one course of the learning rate; only the last one's state is kept, for rounds to come."""
    folder, settings, _ = semi_online
    models = [folder / f"round-{number}" / "model" for number in (1, 2)]
    assert [(model / CARRIED).exists() for model in models] == [False, True]
    updates = []
    for number, model in enumerate(models, start=1):
        rates = [r["learning_rate"] for r in read_metrics(model) if "loss" in r]
        updates.append(len(rates))
        course = [
            learning_rate(place, 2 * len(rates), peak=3e-3, warmup_ratio=0.1, kind="cosine")
            for place in range(1, 2 * len(rates) + 1)
        ]
        assert rates == pytest.approx(course[: len(rates)] if number == 1 else course[len(rates) :])
    steps = load_file(models[1] / CARRIED / "optimizer.safetensors")
    assert {int(count) for name, count in steps.items() if name.startswith("step:")} == {sum(updates)}
    with pytest.raises(
        UsageError, match=r"`rounds` was 2 and is now 3; with --carry_optimizer .* one course"
    ):
        loop(toy.config("sliced", **settings | {"rounds": 3}))


def test_an_optimizer_that_cannot_go_on_is_refused(toy: LoopToy) -> None:
    server = {"policy": "openai:{model}@http://localhost:9"}
    with pytest.raises(UsageError, match="is a server, which loads whole models; sample with hf"):
        loop(toy.config("served", carry_optimizer=True, sample=server, train={"lora_r": 2}))
    with pytest.raises(UsageError, match="adapters on four bits are merged after every round"):
        toy.config("four", carry_optimizer=True, train={"lora_r": 2, "load_in_4bit": True})


def test_what_makes_no_sense_is_refused(tmp_path: Path, toy: LoopToy) -> None:
    for wrong in ({"prompts_per_round": 0}, {"sync_every": 0}, {"replay_share": 1.0}):
        with pytest.raises(ValidationError):
            toy.config("wrong", **wrong)
