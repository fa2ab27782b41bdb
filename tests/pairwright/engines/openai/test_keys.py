"""Which server answered, and whose key it was given: two servers with one model name are two."""

import json
from pathlib import Path

import pytest
from faultserver import FaultServer
from runs_on_disk import rows_of, write_jsonl

from pairwright.engines.addresses import normalised
from pairwright.engines.openai.keys import NO_KEY, key_variables, refuse_shared
from pairwright.errors import UsageError
from pairwright.folders.manifest import load_manifest
from pairwright.stages.sample import SampleConfig, sample

A, B = "http://a.example:8000/v1", "https://b.example/v1"


def test_one_server_has_the_key_of_the_command() -> None:
    assert key_variables([A, A], "", {}) == {"a.example:8000": NO_KEY}
    assert key_variables([A], "", {"OPENAI_API_KEY": "x"}) == {"a.example:8000": "OPENAI_API_KEY"}
    both = {"OPENAI_API_KEY": "x", "PAIRWRIGHT_API_KEY": "y"}
    assert key_variables([A], "", both) == {"a.example:8000": "PAIRWRIGHT_API_KEY"}
    assert key_variables([A], "MINE", both) == {"a.example:8000": "MINE"}


def test_a_key_of_one_provider_never_goes_to_another() -> None:
    found = key_variables(["https://api.mistral.ai/v1"], "", {"OPENAI_API_KEY": "x"})
    assert found == {"api.mistral.ai": NO_KEY}
    own = {"MISTRAL_API_KEY": "y", "OPENAI_API_KEY": "x"}
    found = key_variables(["https://api.mistral.ai/v1", "https://api.openai.com/v1", A], "", own)
    assert found == {
        "api.mistral.ai": "MISTRAL_API_KEY",
        "api.openai.com": "OPENAI_API_KEY",
        "a.example:8000": NO_KEY,
    }


def test_several_servers_want_to_be_told_whose_key_it_is() -> None:
    key = {"PAIRWRIGHT_API_KEY": "x"}
    with pytest.raises(UsageError, match=r"--api_key_env a\.example:8000=VARIABLE,b\.example=VARIABLE"):
        key_variables([A, B], "", key)
    with pytest.raises(UsageError, match="the key of which server"):
        key_variables([A, B], "MINE", {})
    named = key_variables([A, B], "a.example:8000=-, B.example=MINE", key)
    assert named == {"a.example:8000": NO_KEY, "b.example": "MINE"}


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "PAIRWRIGHT_API_KEY"])
def test_steps_that_ask_one_server_each_do_not_share_the_key_of_one(name: str) -> None:
    """A loop whose policy and judge stand at two servers asks one at a time."""
    steps = [key_variables([url], "", {name: "x"}) for url in (A, B)]
    with pytest.raises(
        UsageError, match=rf"{name} is the key of one server, .*a\.example:8000, b\.example"
    ):
        refuse_shared(steps)
    refuse_shared([steps[0], steps[0], {}])
    refuse_shared([key_variables([url], "", {}) for url in (A, B)])
    own = [key_variables([url], "", {"OPENAI_API_KEY": "x"}) for url in (A, "https://api.openai.com/v1")]
    with pytest.raises(UsageError, match="OPENAI_API_KEY is the key of one server"):
        refuse_shared(own)


def test_an_address_is_one_however_it_is_written() -> None:
    assert normalised("HTTP://A.example:80/v1/?key=1#x") == "http://a.example/v1"
    assert normalised(B) == normalised("https://B.example:443/v1/")


def run(folder: Path, server: FaultServer, **more: object) -> None:
    write_jsonl(folder / "in.jsonl", [{"prompt": f"Q{n}?"} for n in range(3)])
    settings = {"input": str(folder / "in.jsonl"), "out": str(folder / "run"), "n": 1, "temperature": 0}
    sample(SampleConfig.model_validate({**settings, "policy": f"openai:m@{server.url}", **more}))


def test_another_server_of_that_name_is_asked(tmp_path: Path) -> None:
    with FaultServer() as first, FaultServer() as second:
        run(tmp_path, first)
        with pytest.raises(UsageError, match="`policy model` was 'openai:m@"):
            run(tmp_path, second)
        run(tmp_path, second, fresh=True)
        assert (len(first.seen), len(second.seen)) == (3, 3)


def test_a_run_that_named_no_server_goes_on_with_its_own(tmp_path: Path) -> None:
    """Runs of before say `openai:m`, in `run.json` and in the keys of their journals."""
    with FaultServer() as own, FaultServer() as other:
        run(tmp_path, own)
        manifest = load_manifest(tmp_path / "run")
        semantic = manifest.semantic | {"policy model": "openai:m"}
        manifest.model_copy(update={"semantic": semantic, "engines": {"policy": "openai:m"}}).save(
            tmp_path / "run"
        )
        run(tmp_path, own)
        assert len(own.seen) == 3
        with pytest.raises(UsageError, match="`policy model` was 'openai:m' and is now"):
            run(tmp_path, other)
        assert other.seen == []
    assert len(rows_of(tmp_path / "run")) == 3
    assert json.loads((tmp_path / "run" / "run.json").read_text())["engines"] == {"policy": "openai:m"}


def test_each_server_gets_its_own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from judge.command import judge
    from judge.config import JudgeConfig

    monkeypatch.setenv("KEY_OF_A", "sk-a")
    monkeypatch.setenv("PAIRWRIGHT_API_KEY", "sk-general")
    path = write_jsonl(tmp_path / "in.jsonl", [{"prompt": "Q?"}])
    with FaultServer() as a, FaultServer() as b:
        settings = {
            "input": str(path), "out": str(tmp_path / "run"), "protocol": "text", "max_failed": 1,
            "policies": f"openai:m@{a.url},openai:m@{b.url}", "judge": f"openai:m@{a.url}",
        }  # fmt: skip
        with pytest.raises(UsageError, match="the key of one server, and these are 2"):
            judge(JudgeConfig.model_validate(settings))
        keys = f"127.0.0.1:{a.port}=KEY_OF_A,127.0.0.1:{b.port}=-"
        judge(JudgeConfig.model_validate(settings | {"api_key_env": keys}))
    assert {s.headers.get("authorization") for s in (*a.seen, *a.probes)} == {"Bearer sk-a"}
    assert {s.headers.get("authorization") for s in (*b.seen, *b.probes)} == {None}
    assert len(b.seen) == 1
