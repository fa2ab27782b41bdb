"""Kinds of engines: what can be asked of one before it is opened, and kinds that others bring along."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import ask, job

from pairwright.engines import EngineOptions, check_spec, kinds, open_engine
from pairwright.engines.kinds import engine_identity, holds_schemas, is_engine, reports_logprobs
from pairwright.errors import UsageError

ECHO = """
from own_engines import Answering
from pairwright.engines import EngineKind
from pairwright.records import Completion


class EchoKind(EngineKind):
    help = "echo:NAME (says it again)"
    holds_schemas = True

    def open(self, name, options, spec):
        return Answering(spec, name, lambda said: Completion(text=f"{name}: {said}"))

    def identity(self, name, options):
        return f"echo:{name}"


number = 3
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that brings kinds along: `echo`, a false `hf`, a number, and one that is not there."""
    (tmp_path / "echoing.py").write_text(ECHO)
    info = tmp_path / "echoing-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: echoing\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[pairwright.engines]\necho = echoing:EchoKind\nhf = echoing:EchoKind\n"
        "three = echoing:number\ngone = no_such:K\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for known in (kinds._kind, kinds._theirs):
        known.cache_clear()
    yield
    for known in (kinds._kind, kinds._theirs):
        known.cache_clear()


@pytest.mark.usefixtures("installed")
def test_a_package_brings_a_kind_along() -> None:
    assert check_spec("echo:bird") == ("echo", "bird")
    assert is_engine("echo:bird")
    assert not is_engine("echoes:bird")
    assert holds_schemas("echo:bird")
    assert not reports_logprobs("echo:bird")
    assert engine_identity("echo:bird", EngineOptions()) == "echo:bird"
    [completion] = ask(open_engine("echo:bird", EngineOptions()), [job("hello")])
    assert completion.text == "bird: hello"


@pytest.mark.usefixtures("installed")
def test_a_kind_of_ours_is_never_another_packages() -> None:
    with pytest.raises(UsageError, match="nowhere: there is no such folder"):
        engine_identity("hf:./nowhere", EngineOptions())


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("three:x", "three: 3 is not a subclass of pairwright.engines.EngineKind"),
        ("gone:x", "gone: no_such:K cannot be imported: No module named 'no_such'"),
    ],
)
def test_what_is_wrong_with_an_installed_kind_is_said(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_spec(spec)


def test_an_unknown_kind_is_answered_with_those_there_are() -> None:
    with pytest.raises(UsageError) as error:
        check_spec("gpt:4")
    for kind in ("hf:MODEL", "vllm:MODEL", "openai:MODEL@URL", "canned:FILE", "reward:MODEL", "python:"):
        assert kind in str(error.value)


def test_abilities_are_known_before_a_model_is_loaded() -> None:
    specs = ("hf:x", "vllm:x", "openai:m@http://h/v1", "reward:x")
    assert [reports_logprobs(spec) for spec in specs] == [True, True, True, False]
    assert [holds_schemas(spec) for spec in specs] == [False, True, True, False]


def test_a_file_of_the_users_holds_a_kind(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(ECHO)
    spec = f"python:{file}:EchoKind"
    assert is_engine(spec)
    before = engine_identity(spec, EngineOptions())
    [completion] = ask(open_engine(spec, EngineOptions()), [job("hello")])
    assert completion.text == "EchoKind: hello"
    file.write_text(ECHO.replace("says it again", "repeats it"))
    assert engine_identity(spec, EngineOptions()) != before
