"""Specs of providers, as far as they can be read without any-llm."""

import pytest

from pairwright.engines.kinds import check_spec, reports_logprobs
from pairwright.engines.options import EngineOptions
from pairwright.engines.pool import EnginePool
from pairwright.engines.providers import library
from pairwright.engines.providers.spec import Rented, identity_of, rented
from pairwright.errors import UsageError


def test_a_spec_names_provider_model_and_address() -> None:
    assert rented("Mistral/small") == Rented("mistral", "small", "")
    found = rented("bedrock/meta/llama@v2@https://HERE:443/v1/")
    assert found == Rented("bedrock", "meta/llama@v2", "https://HERE:443/v1/")
    assert identity_of(found, found.url) == "any:bedrock/meta/llama@v2@https://here/v1"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("any:mistral", "write it as any:PROVIDER/MODEL"),
        ("any:/m", "write it as any:PROVIDER/MODEL"),
        ("any:mistral/", "write it as any:PROVIDER/MODEL"),
        ("any:mistral/m@http://", "write it as any:PROVIDER/MODEL"),
        ("any:mistral/m@http://me:secret@here", "no user or password in the URL"),
    ],
)
def test_a_spec_that_is_none_is_one_sentence(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        check_spec(spec)
    assert "secret" not in str(refused.value)


def test_who_has_log_probabilities_is_known_for_some() -> None:
    providers = ("openai", "together", "anthropic", "gemini", "mistral")
    assert [reports_logprobs(f"any:{p}/m") for p in providers] == [True, True, False, False, False]


def test_a_missing_library_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"any-llm is missing: pip install 'pairwright\[providers\]'"):
        EnginePool({"policy": "any:mistral/m"}, EngineOptions())


def test_a_key_is_named_for_one_of_several() -> None:
    roles = {"policy": "any:mistral/m", "judge": "openai:m@http://127.0.0.1:1/v1"}
    with pytest.raises(UsageError, match="the key of which server"):
        EnginePool(roles, EngineOptions(api_key_env="MINE"))
