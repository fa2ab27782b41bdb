"""Known servers and how each differs, in one table.

A server is known by its host, or by what its list of models says (`owned_by`). Other differences are found
out from refusals (`dialect.py`); the table saves these refusals.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_BOTH = ("enable_thinking", "thinking")
THINKING: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "template": (
        {"chat_template_kwargs": dict.fromkeys(_BOTH, False)},
        {"chat_template_kwargs": dict.fromkeys(_BOTH, True)},
    ),
    "effort": ({"reasoning_effort": "none"}, {"reasoning_effort": "medium"}),
    "groq": ({"reasoning_effort": "none"}, {"reasoning_effort": "default"}),
    "reasoning": ({"reasoning": {"enabled": False}}, {"reasoning": {"enabled": True}}),
    "type": ({"thinking": {"type": "disabled"}}, {"thinking": {"type": "enabled"}}),
    "budget": (
        {"thinking": {"type": "disabled"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    ),
}
"""Fields by which thinking is switched off and on."""


class Family(NamedTuple):
    """Servers of one kind."""

    name: str
    hosts: str = ""
    """Hosts, or ends of hosts, with spaces between."""
    owner: str = ""
    """What its list of models says the models are owned by."""
    renamed: Mapping[str, str] = {}
    without: str = ""
    """Classic fields that it does not take, or takes and forgets."""
    thinking: str = "template"
    ways: str = "vllm guided regex grammar schema json tool"
    """Ways to hold an answer to choices or a schema, in the order in which they are tried."""
    most_logprobs: int = 20
    """Likeliest tokens of a position that it tells at most; 0 where it has no log-probabilities."""
    key_header: str = "Authorization"
    batch: str = "openai"
    """Whose batch jobs it has; whether it has them is asked (`batch/`)."""


_NEW = {"max_tokens": "max_completion_tokens"}
_SEED = {"seed": "random_seed"}
UNKNOWN = Family("unknown")
FAMILIES = (
    # name, hosts, owner, renamed, without, thinking, ways, most log-probabilities, header of the key
    Family("OpenAI", "api.openai.com", "", _NEW, "", "effort", "schema tool"),
    Family("Azure", ".azure.com", "", _NEW, "", "effort", "schema tool", 20, "api-key"),
    Family("Anthropic", "api.anthropic.com", "", {}, "seed n", "budget", "tool", 0, batch="anthropic"),
    Family(
        "Gemini",
        "generativelanguage.googleapis.com",
        "",
        {},
        "seed",
        "effort",
        "schema tool",
        batch="gemini",
    ),
    Family("Mistral", "api.mistral.ai", "", _SEED, "", "effort", "schema tool", 0),
    Family("Together", "api.together.xyz api.together.ai", "", {}, "", "reasoning", "schema tool"),
    Family("Fireworks", "api.fireworks.ai", "", {}, "", "effort", "schema tool", 5),
    Family("Groq", "api.groq.com", "", _NEW, "", "groq", "schema tool", 0),
    Family("DeepSeek", "api.deepseek.com", "", {}, "seed n", "type", "tool"),
    Family("OpenRouter", "openrouter.ai", "", {}, "n", "reasoning", "schema tool"),
    Family("vLLM", "", "vllm", {}, "", "template", "vllm guided schema"),
    Family("SGLang", "", "sglang", {}, "", "template", "regex schema"),
    Family("llama.cpp", "", "llamacpp", {}, "", "template", "grammar schema json"),
    Family("llama-cpp-python", "", "me", {}, "n", "template", "grammar schema json"),
    Family("Ollama", "", "library", {}, "n", "effort", "schema tool"),
    Family("LM Studio", "", "organization_owner", {}, "n", "template", "schema tool"),
    Family("TGI", "", "tgi", {}, "n", "template", "tgi schema tool", 5),
    Family("transformers serve", "", "transformers", {}, "n", "template", ""),
)


def family_at(url: str) -> Family:
    """Return the family that a server's host belongs to."""
    host = (urlsplit(url).hostname or "").lower()
    for family in FAMILIES:
        if any(
            host == known or (known[0] == "." and host.endswith(known)) for known in family.hosts.split()
        ):
            return family
    return UNKNOWN


def family_listed(listed: bytes, server: str) -> Family:
    """Return the family of a server on this list of models; `server` is the header of that name."""
    try:
        owners = {_owner(entry) for entry in json.loads(listed)["data"]}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return UNKNOWN
    if server.lower().startswith("llama.cpp"):
        owners.add("llamacpp")
    found = [family for family in FAMILIES if family.owner and family.owner in owners]
    return found[0] if len(found) == 1 else UNKNOWN


def _owner(entry: Mapping[str, Any]) -> str:
    """Whose a listed model is; TGI repeats its name, and transformers alone says whether it is loaded."""
    owner = str(entry.get("owned_by", "")).lower()
    if owner and owner == str(entry.get("id", "")).lower():
        return "tgi"
    known = any(family.owner == owner for family in FAMILIES if family.owner)
    return "transformers" if isinstance(entry.get("status"), dict) and not known else owner
