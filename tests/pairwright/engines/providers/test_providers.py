"""Providers through any-llm: its real SDKs against servers that behave so. `make test-sdk`."""

import contextlib
import platform
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asking import ask, job
from in_process import run
from plain_server import Json, PlainServer
from provider_servers import FIELDS, KEYS, PATHS, PROVIDERS, refused_by, said_by
from runs_on_disk import rows_of, write_jsonl

from pairwright.engines.openai.retry import Backoff
from pairwright.engines.options import EngineOptions
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.manifest import load_manifest
from pairwright.stages.sample import SampleConfig, sample

pytestmark = pytest.mark.sdk
LISTED: list[Json] = [
    {"id": "small-2", "object": "model", "created": 1, "owned_by": "me", "capabilities": {}, "type": "base"}
]


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS.values():
        monkeypatch.setenv(name, "sk-secret-key")


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(provider: str) -> Iterator[PlainServer]:
    with PlainServer(lambda body: said_by(provider, body), LISTED) as running:
        yield running


def opened(provider: str, server: PlainServer, **options: Any) -> Any:
    from pairwright.engines.providers.engine import ProviderEngine
    from pairwright.engines.providers.spec import rented

    name = f"{provider}/m@{server.url}"
    settings = EngineOptions(**{"deadline": 30.0, **options})
    backoff = Backoff(base=0.01, cap=0.02, rng=random.Random(0))
    return ProviderEngine(rented(name), settings, f"any:{name}", backoff=backoff)


def answer(provider: str, server: PlainServer, one: Any = None, **options: Any) -> Any:
    engine = opened(provider, server, **options)
    try:
        [found] = ask(engine, [one or job("hello")])
    finally:
        engine.close()
    return found


def test_an_answer_and_what_leaves_the_machine(provider: str, server: PlainServer) -> None:
    found = answer(provider, server)
    assert (found.failure, found.text, found.reasoning) == (None, "free", "let me see")
    assert (found.finish_reason, found.prompt_tokens, found.completion_tokens) == ("stop", 5, 7)
    assert found.reasoning_tokens == (5 if provider == "gemini" else None)
    assert server.seen[-1][0].partition("?")[0].endswith(PATHS[provider])
    [body] = server.bodies
    assert body.keys() == FIELDS[provider]
    told = " ".join(f"{name}: {value}" for _, headers in server.seen for name, value in headers.items())
    for own in (platform.system(), platform.node(), platform.machine()):
        assert own not in told


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_finish_reasons(provider: str, server: PlainServer, finish: str) -> None:
    server.answer = lambda body: said_by(provider, body, finish)
    found = answer(provider, server)
    assert (found.failure, found.finish_reason, found.text) == (None, finish, "free")


def test_the_sdk_tries_nothing_again(provider: str, server: PlainServer) -> None:
    def broken(body: Json) -> Json:
        return said_by(provider, body) if "Hello" in str(body) else refused_by(provider, 500, "broken")

    server.answer = broken
    assert answer(provider, server).failure == "http_500: broken (8 attempts)"
    assert len(server.bodies) == 8 + 1  # a control of one word


def test_a_429_is_waited_out(provider: str, server: PlainServer) -> None:
    def slow(body: Json) -> Json:
        return refused_by(provider, 429, "slow down") if len(server.bodies) < 3 else said_by(provider, body)

    server.answer = slow
    server.headers = {"Retry-After": "0"}
    assert answer(provider, server).text == "free"
    assert len(server.bodies) == 3


@pytest.mark.parametrize("provider", ["openai", "anthropic", "mistral"])
def test_what_is_left_of_a_limit_is_heeded(provider: str, server: PlainServer) -> None:
    """After the first answer nothing is left for as long as the provider says."""
    name = "anthropic-ratelimit-requests-{}" if provider == "anthropic" else "x-ratelimit-{}-requests"
    seconds = 0.6

    def good(body: Json) -> Json:
        came.append(time.monotonic())
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        reset = f"{seconds}s" if provider != "anthropic" else until.isoformat()
        left = {"limit": "5", "remaining": "0", "reset": reset} if len(came) == 1 else {}
        server.headers = {name.format(what): value for what, value in left.items()}
        return said_by(provider, body)

    came: list[float] = []
    server.answer = good
    engine = opened(provider, server)
    found = ask(engine, [job(f"hello {n}") for n in range(3)])
    engine.close()
    assert [one.text for one in found] == ["free"] * 3
    assert came[1] - came[0] >= seconds * 0.9


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (401, "no such key sk-secret-key", "refuses the API key; set {key} to a key"),
        (402, "no credit", "has no credit left for this key"),
        (403, "not yours", "denies access; set {key}"),
        (404, "model m not found", "has no model 'm'; it has small-2"),
        (403, "not available in your region", "refuses requests from your region"),
    ],
)
def test_what_stops_a_run(provider: str, server: PlainServer, status: int, message: str, said: str) -> None:
    server.answer = lambda body: refused_by(provider, status, message)
    listed = said.partition(";")[0] if provider == "gemini" else said  # whose list has a form of its own
    with pytest.raises(PairwrightError) as stopped:
        answer(provider, server)
    assert listed.format(key=KEYS[provider]) in str(stopped.value)
    assert "sk-secret-key" not in str(stopped.value)
    assert len(server.bodies) == 1


def test_a_prompt_that_is_too_long_fails_alone(provider: str, server: PlainServer) -> None:
    def good(body: Json) -> Json:
        """Refuses the row, and answers the question of one word that is put then."""
        first = len(server.bodies) == 1
        too_long = "the prompt is longer than the context window"
        return refused_by(provider, 400, too_long) if first else said_by(provider, body)

    server.answer = good
    assert answer(provider, server).failure.startswith("context_overflow: ")


def test_choices_and_schemas(provider: str, server: PlainServer) -> None:
    schema = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}
    engine = opened(provider, server)
    [chosen, formed] = ask(engine, [job("A or B?", choices=("A", "B")), job("score?", json_schema=schema)])
    engine.close()
    assert (chosen.text, formed.text) == ("A", '{"score": 1}')


def test_thinking_is_switched_as_the_provider_wants_it(provider: str, server: PlainServer) -> None:
    engine = opened(provider, server, thinking="off")
    engine.submit(job("hello"))
    if provider == "anthropic":
        assert engine.poll(timeout=10.0)[0].completion.reasoning is None
    else:  # these servers think whatever is asked
        with pytest.raises(PairwrightError, match="thinks although --thinking is off"):
            engine.poll(timeout=10.0)
    engine.close()
    switched = {
        "openai": lambda body: body["reasoning_effort"] == "none",
        "anthropic": lambda body: body["thinking"] == {"type": "disabled"},
        "mistral": lambda body: "reasoning_effort" not in body,
        "gemini": lambda body: "thinkingConfig" in body["generationConfig"],
    }
    assert switched[provider](server.bodies[0])


def test_fields_of_ones_own(provider: str, server: PlainServer) -> None:
    name = {"openai": "top_k", "anthropic": "top_k", "mistral": "safe_prompt", "gemini": "top_k"}[provider]
    answer(provider, server, extra_body=f'{{"{name}": 1}}')
    [body] = server.bodies
    assert (body | body.get("generationConfig", {})).get("topK" if provider == "gemini" else name) == 1


@pytest.mark.parametrize("provider", ["openai"])
def test_log_probabilities(provider: str, server: PlainServer) -> None:
    found = answer(provider, server, job("hello", logprobs=2))
    assert found.top_logprobs == ({"free": -0.1, "no": -3.0},)


def test_a_run_that_was_cut_off_goes_on(provider: str, server: PlainServer, tmp_path: Path) -> None:
    good = server.answer

    def cut(body: Json) -> Json:
        return good(body) if len(server.bodies) < 3 else refused_by(provider, 401, "no more")

    prompts = write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": f"say {n}"} for n in range(4)])
    spec = f"any:{provider}/m@{server.url}"
    config = SampleConfig(
        input=str(prompts), policy=spec, out=str(tmp_path / "run"), n=1, max_concurrency=1
    )
    server.answer = cut
    with pytest.raises(PairwrightError, match="refuses the API key"):
        sample(config)
    server.answer, paid = good, len(server.bodies) - 1
    manifest = sample(config)
    assert manifest is not None
    assert manifest.counts == {"kept": 4}
    assert len(server.bodies) == paid + 1 + (4 - paid)
    assert load_manifest(tmp_path / "run").dialects["policy"]["family"] == f"{provider}, by any-llm"
    assert [row["reasoning"] for row in rows_of(tmp_path / "run")] == ["let me see"] * 4
    assert load_manifest(tmp_path / "run").engines["policy"] == spec


def test_each_provider_has_its_own_key(
    provider: str, server: PlainServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE", "sk-mine")
    answer(provider, server, api_key_env=f"{provider}=MINE,other=THEIRS")
    assert all("sk-mine" in " ".join(headers.values()) for _, headers in server.seen)
    assert not any("sk-secret-key" in " ".join(headers.values()) for _, headers in server.seen)
    monkeypatch.delenv(KEYS[provider])
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    with pytest.raises(UsageError, match=rf"no key; export {KEYS[provider]}"):
        answer(provider, server)


def test_bad_input_is_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    prompts = str(write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": "hello"}]))
    for spec, said in (
        ("any:mistrall/m", "no such provider; there are mistral"),
        ("any:mistral", "write it as any:PROVIDER/MODEL"),
        ("any:openai/m@http://127.0.0.1:9", "no server answers at http://127.0.0.1:9"),
    ):
        code, out, err = run(capfd, "sample", prompts, "--policy", spec, "--out", str(tmp_path / "run"))
        assert code != 0
        assert said in out + err
        assert "Traceback" not in out + err
    code, out, err = run(
        capfd, "sample", prompts, "--policy", "any:openai/m", "--batch", "--out", str(tmp_path / "run")
    )
    assert "--batch: for openai:MODEL@URL, and no engine here is one" in out + err


def test_the_doctor_knows_it(provider: str, server: PlainServer, capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capfd, "doctor", f"any:{provider}/m@{server.url}")
    assert f"family: {provider}, by any-llm" in out
    assert "thoughts: yes" in out
    none = "it has none: judge with --protocol choice or text"
    assert (none in out) is (provider != "openai")


@pytest.mark.parametrize("provider", ["anthropic"])
def test_protocol_logprob_is_refused_where_there_are_none(
    provider: str, server: PlainServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pair = {"prompt": "?", "response_a": "a", "response_b": "b"}
    rows, spec = str(write_jsonl(tmp_path / "rows.jsonl", [pair])), f"any:{provider}/m@{server.url}"
    given = ("judge", rows, "--judge", spec, "--out", str(tmp_path / "run"))
    code, out, err = run(capfd, *given, "--protocol", "logprob")
    assert (code, server.seen) == (2, [])
    assert "gives no log-probabilities; use --protocol choice or text" in out + err


def test_every_sdk_that_is_here_takes_what_it_is_opened_with(monkeypatch: pytest.MonkeyPatch) -> None:
    from any_llm import AnyLLM

    from pairwright.engines.providers.library import opened as opened_provider
    from pairwright.engines.providers.spec import rented

    async def heard(reply: Any) -> None:
        return

    monkeypatch.setenv("KEY", "sk-some-key")
    found = []
    for name in AnyLLM.get_supported_providers():
        with contextlib.suppress(UsageError):  # its SDK is missing, or more than a key is wanted
            opened_provider(rented(f"{name}/m"), "http://127.0.0.1:9/v1", "KEY", heard)
            found.append(name)
    assert {*PROVIDERS, "deepseek", "openrouter", "vllm"} <= set(found)


def test_an_address_that_any_llm_would_forget_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from any_llm import AnyLLM

    from pairwright.engines.providers import library
    from pairwright.engines.providers.spec import rented

    monkeypatch.setattr(library, "_class_of", lambda provider: AnyLLM)
    for name in ("cohere", "groq", "xai", "cerebras", "vertexai"):
        with pytest.raises(UsageError, match="at its own address alone; leave out @URL"):
            library.address_of(rented(f"{name}/m@http://127.0.0.1:1/v1"))
