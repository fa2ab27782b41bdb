"""any-llm's client of one provider: its class, address and key, and what is missing."""

import os
import re
from collections.abc import Awaitable, Callable, Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pairwright.engines.openai.access import Place, spellings
from pairwright.engines.openai.keys import named_keys
from pairwright.engines.providers.headers import hearing
from pairwright.engines.providers.spec import Rented
from pairwright.errors import UsageError

if TYPE_CHECKING:
    from any_llm import AnyLLM

_ELSEWHERE_NEVER = frozenset({"cerebras", "cohere", "groq", "vertexai", "vertexaianthropic", "xai"})
"""Providers whose address any-llm takes and forgets: what was meant for another would go to theirs."""
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")
_LEAST_SECRET = 8
"""Characters below which a value in the environment is no secret that could be looked for in texts."""
_STAINLESS = ("OS", "Arch", "Runtime", "Runtime-Version", "Lang", "Package-Version", "Async")
"""What the SDKs of OpenAI and Anthropic tell of this machine in each request's headers."""


def address_of(named: Rented) -> str:
    """Return a provider's address, if not its own: from its spec, or from the environment.

    Raises `UsageError` where any-llm is missing, does not know the provider, or lacks its SDK.
    """
    variable = _class_of(named.provider).ENV_API_BASE_NAME
    if named.provider in _ELSEWHERE_NEVER:
        if named.url:
            raise UsageError(
                f"any:{named.provider}/{named.model}@{named.url}: any-llm asks this provider at its own "
                "address alone; leave out @URL"
            )
        return ""
    return named.url or (os.environ.get(variable, "").strip() if variable else "")


def opened(
    named: Rented, url: str, keys: str, heard: Callable[[Any], Awaitable[None]]
) -> "tuple[AnyLLM, Place]":
    """Return a provider's client, with its own retries off, and its name.

    `heard` is given every reply, as far as the SDK shows them. `keys` is `--api_key_env`. Raises
    `UsageError` where a key or an address is missing.
    """
    from any_llm import AnyLLM
    from any_llm.exceptions import AnyLLMError, MissingApiKeyError

    made = _class_of(named.provider)
    own = re.findall(r"[A-Z][A-Z0-9_]{3,}", made.ENV_API_KEY_NAME)
    variable = named_keys(keys, [named.provider]).get(named.provider, "")
    key = os.environ.get(variable, "").strip() if variable else None
    if variable and not key:
        raise UsageError(f"--api_key_env: {variable} is not set; export it, or name another variable")
    given: dict[str, Any] = {"api_key": key, "api_base": url or None, "unified_exceptions": True}
    try:
        provider = AnyLLM.create(named.provider, **given, **_quiet(made), **hearing(made, heard))
    except MissingApiKeyError:
        raise UsageError(
            f"any:{named.provider}/{named.model}: no key; export {' or '.join(own)}, or name another "
            "variable with --api_key_env"
        ) from None
    except (AnyLLMError, ValueError, ImportError) as error:
        raise UsageError(f"any:{named.provider}/{named.model}: {' '.join(str(error).split())}") from None
    secrets = [v for n, v in os.environ.items() if _SECRET.search(n) and len(v) >= _LEAST_SECRET]
    held = next((name for name in own if os.environ.get(name)), " or ".join(own))
    return provider, Place(
        shown=url or _own_address(provider),
        variable=variable or held,
        secrets=spellings([*secrets, *([key] if key else [])]),
    )


def _class_of(provider: str) -> "type[AnyLLM]":
    """The class of a provider. Imports its SDK."""
    if find_spec("any_llm") is None:
        raise UsageError(f"any:{provider}/…: any-llm is missing: pip install 'pairwright[providers]'")
    from any_llm import AnyLLM
    from any_llm.exceptions import UnsupportedProviderError

    try:
        found: type[AnyLLM] = AnyLLM.get_provider_class(provider)
    except UnsupportedProviderError:
        known = AnyLLM.get_supported_providers()
        near = get_close_matches(provider, known, n=3) or known
        raise UsageError(f"any:{provider}/…: no such provider; there are {', '.join(near)}") from None
    except ImportError as error:
        raise UsageError(f"any:{provider}/…: its SDK cannot be imported: {error}") from None
    if found.MISSING_PACKAGES_ERROR is not None:
        raise UsageError(
            f"any:{provider}/…: its SDK is missing ({found.MISSING_PACKAGES_ERROR}): "
            f"pip install 'any-llm-sdk[{provider}]'"
        )
    if not found.SUPPORTS_COMPLETION:
        raise UsageError(f"any:{provider}/…: this provider has no chat models")
    return found


def _quiet(made: "type[AnyLLM]") -> dict[str, Any]:
    """Arguments of a client with which it tries nothing again, and tells nothing of this machine."""
    from any_llm.providers.anthropic.base import BaseAnthropicProvider
    from any_llm.providers.openai.base import BaseOpenAIProvider

    found: dict[str, Any] = {} if made.MAX_RETRIES_SUPPORT == "unsupported" else {"max_retries": 0}
    found |= _NO_RETRIES.get(made.PROVIDER_NAME, {})
    if made.PROVIDER_NAME in ("bedrock", "sagemaker"):
        from botocore.config import Config

        found["config"] = Config(retries={"total_max_attempts": 1})
    if issubclass(made, BaseAnthropicProvider):
        from anthropic import Omit as AnthropicOmit

        found["default_headers"] = {f"X-Stainless-{name}": AnthropicOmit() for name in _STAINLESS}
    elif issubclass(made, BaseOpenAIProvider):
        from openai import Omit

        found["default_headers"] = {f"X-Stainless-{name}": Omit() for name in _STAINLESS}
    return found


_NO_RETRIES: Mapping[str, Mapping[str, Any]] = {"azure": {"retry_total": 0}}
"""Of SDKs whose retries any-llm has no setting for; Mistral's tries nothing again unless it is told to."""


def _own_address(provider: "AnyLLM") -> str:
    """The address that a client has of itself, for people."""
    found = getattr(getattr(provider, "client", None), "base_url", None) or provider.API_BASE
    return str(found).rstrip("/") if found else f"{provider.PROVIDER_NAME}'s own address"
