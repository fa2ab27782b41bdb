"""What is said of memory where vLLM lives through the rounds, and with which engine a round is measured."""

from pathlib import Path

import pytest
from plain_server import PlainServer, reply
from tiny_model import save_tiny_model, write_jsonl

from pairwright.engines.vllm.warm import keeping, rank_to_come
from pairwright.errors import PairwrightError, UsageError
from train.config import AdapterConfig
from train.on_policy.config import LoopConfig
from train.on_policy.loop import loop
from train.on_policy.steps import Steps
from train.rounds.engines import through_rounds

GIVEN = {"model": "smollm2", "prompts": "p.jsonl", "output_dir": "out", "judge": {"judge": "check:math"}}


def test_memory_is_said_before_and_engines_are_kept_within(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = save_tiny_model(tmp_path / "m")
    capfd.readouterr()
    with through_rounds("hf", model, AdapterConfig()):
        assert not keeping()
    assert capfd.readouterr().err == ""
    with through_rounds("vllm", model, AdapterConfig(lora_r=12)):
        assert keeping()
        assert (rank_to_come(model), rank_to_come("another")) == (16, 0)
        said = " ".join(capfd.readouterr().err.split())
    assert not keeping()
    assert "0.0 GiB of weights wait in main memory" in said


def test_a_round_is_measured_in_the_engine_that_it_is_sampled_with() -> None:
    sample = {"policy": "vllm", "engine": {"max_model_len": "512"}, "dtype": "float32", "deadline": 5}
    config = LoopConfig(**GIVEN, sample=sample, eval={"verify": "check:math", "deadline": 7})
    measured = Steps(config, Path("out"), 1).evaluating
    assert measured.models == "vllm:out/round-1/model"
    assert (measured.engine, measured.dtype) == ({"max_model_len": "512"}, "float32")
    assert measured.deadline == 7


def test_an_adapter_is_no_setting_of_a_round() -> None:
    with pytest.raises(UsageError, match=r"--sample\.adapter: .* give it as --model"):
        LoopConfig(**GIVEN, sample={"adapter": "a"})


def test_with_vllm_one_adapter_is_trained_on_from_round_to_round(tmp_path: Path) -> None:
    own = {"train": {"lora_r": 16, "use_rslora": True}}
    before = tmp_path / "round-1" / "model"
    before.mkdir(parents=True)
    (before / "adapter_config.json").write_text("{}")
    swapped = LoopConfig(**GIVEN, **own, sample={"policy": "vllm"})
    first, second = (Steps(swapped, tmp_path, number).training(("pairs",)) for number in (1, 2))
    assert (first.model, first.lora_r, first.merge_adapter) == ("smollm2", 16, False)
    assert (second.model, second.lora_r, second.merge_adapter) == (str(before), 0, False)
    for merged in ({"sample": {"policy": "hf"}}, {"train": own["train"] | {"use_dora": True}}):
        config = LoopConfig(**(GIVEN | own | {"sample": {"policy": "vllm"}} | merged))
        found = Steps(config, tmp_path, 2).training(("pairs",))
        assert (found.lora_r, found.merge_adapter) == (16, True)


@pytest.mark.parametrize("section", ["judge", "winrate"])
def test_a_server_that_is_not_there_or_gives_no_logprobs_is_refused_before_anything_is_sampled(
    tmp_path: Path, section: str
) -> None:
    given = GIVEN | {
        "model": save_tiny_model(tmp_path / "m"),
        "prompts": write_jsonl(tmp_path / "p.jsonl", [{"prompt": f"p{n}"} for n in range(9)]),
        "output_dir": str(tmp_path / "out"),
    }

    def loop_with(url: str) -> None:
        loop(LoopConfig(**given | {section: {"judge": f"openai:m@{url}", "protocol": "logprob"}}))

    with PlainServer(lambda body: reply({}, "A")) as server:
        with pytest.raises(PairwrightError, match="gives no log-probabilities; judge with"):
            loop_with(server.url)
        assert [body["max_tokens"] for body in server.bodies] == [1]
    with pytest.raises(PairwrightError, match=f"no server answers at {server.url}"):
        loop_with(server.url)
    assert not (tmp_path / "out").exists()
