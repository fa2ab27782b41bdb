"""Servers as the families of the table are: fields they take, ways to hold an answer, and thoughts.

Written from the public descriptions of their APIs. A field that a server does not take it refuses in its
own words, or forgets, as the real one does.
"""

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from plain_server import Json, reply

SAMPLING = frozenset(["model", "messages", "temperature", "top_p", "max_tokens"])


class Stub(NamedTuple):
    """A server's ways. `takes` is beside `SAMPLING`; all else but what it `forgets` is refused."""

    takes: str
    holds: str = ""
    """Fields by which it holds an answer."""
    off: Callable[[Json], bool] = lambda body: False
    """Whether a request switches thinking off."""
    forgets: str = ""
    lacks: str = ""
    """Of `SAMPLING`, what it refuses."""
    words: Callable[[str], Json] = lambda name: {
        "error": {"message": f"Unsupported parameter: '{name}'", "param": name}
    }
    owner: str = ""
    listed: str = "m"

    def answer(self, body: Json) -> Json:
        takes = (SAMPLING - set(self.lacks.split())) | set(self.takes.split()) | set(self.holds.split())
        for name in body:
            if name not in takes and name not in self.forgets.split():
                return self.words(name)
        thought = None if self.off(body) else "let me see"
        heeded = {name: body[name] for name in self.holds.split() if name in body}
        if "tools" in heeded:
            function = heeded["tools"][0]["function"]
            said = json.dumps(instance(function["parameters"]))
            call = {"type": "function", "function": {"name": function["name"], "arguments": said}}
            found = reply(body, "", thought=thought, tool_calls=[call])
            found["choices"][0]["finish_reason"] = "tool_calls"
            return found
        return reply(body, held(heeded) or "free", thought=thought)


def held(heeded: Json) -> str | None:
    """The answer that one of these fields holds a model to."""
    if "structured_outputs" in heeded:
        return str(heeded["structured_outputs"]["choice"][0])
    if "guided_choice" in heeded:
        return str(heeded["guided_choice"][0])
    if "regex" in heeded:
        return first_of(heeded["regex"])
    if "grammar" in heeded:
        return str(json.loads(heeded["grammar"].removeprefix("root ::= ").split(" | ")[0]))
    form = heeded.get("response_format", {})
    if form.get("type") == "regex":
        return first_of(form["value"])
    if form.get("type") in ("json_schema", "json", "json_object"):
        schema = form.get("json_schema", {}).get("schema") or form.get("value") or form.get("schema")
        return json.dumps(instance(schema)) if schema else "{}"
    return None


def first_of(pattern: str) -> str:
    return re.sub(r"\\(.)", r"\1", pattern.strip("()").split("|")[0])


def instance(schema: Json) -> Any:
    """A value that a plain schema accepts."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        return {name: instance(inner) for name, inner in schema["properties"].items()}
    return {"boolean": True, "integer": 1}.get(schema["type"], "text")


def effort_none(body: Json) -> bool:
    return body.get("reasoning_effort") == "none"


def template_off(body: Json) -> bool:
    return body.get("chat_template_kwargs", {}).get("enable_thinking") is False


def disabled(body: Json) -> bool:
    return body.get("thinking", {}).get("type") == "disabled"


def not_enabled(body: Json) -> bool:
    return body.get("reasoning", {}).get("enabled") is False


def forbidden(name: str) -> Json:
    extra = {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}
    return {"error": "", "status": 422, "detail": [extra]}


def unknown_name(name: str) -> Json:
    text = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
    return {"error": {"code": 400, "message": text, "status": "INVALID_ARGUMENT"}}


def unexpected(name: str) -> Json:
    return {"detail": f"Unexpected fields in the request: {{'{name}'}}", "status": 422}


_ALL = "seed n logprobs top_logprobs"
_FORMAT = "response_format tools"
STUBS = {
    "OpenAI": Stub("max_completion_tokens seed n reasoning_effort tool_choice", _FORMAT, effort_none,
                   lacks="max_tokens temperature"),
    "Azure": Stub(f"max_completion_tokens {_ALL} reasoning_effort tool_choice", _FORMAT, effort_none,
                  lacks="max_tokens"),
    "Anthropic": Stub("thinking tool_choice", "tools", disabled, f"{_ALL} response_format"),
    "Gemini": Stub("n reasoning_effort tool_choice", _FORMAT, effort_none, words=unknown_name),
    "Mistral": Stub("random_seed n reasoning_effort tool_choice", _FORMAT, effort_none, words=forbidden),
    "Together": Stub(f"{_ALL} reasoning tool_choice", _FORMAT, not_enabled),
    "Fireworks": Stub(f"{_ALL} reasoning_effort tool_choice", _FORMAT, effort_none),
    "Groq": Stub("max_completion_tokens seed n reasoning_effort tool_choice", _FORMAT, effort_none),
    "DeepSeek": Stub("logprobs top_logprobs thinking tool_choice", "tools", disabled),
    "OpenRouter": Stub("seed logprobs top_logprobs reasoning tool_choice", _FORMAT, not_enabled),
    "vLLM": Stub(f"{_ALL} chat_template_kwargs", "structured_outputs response_format", template_off,
                 "guided_choice", owner="vllm"),
    "SGLang": Stub(f"{_ALL} chat_template_kwargs", "regex response_format", template_off,
                   "structured_outputs guided_choice", owner="sglang"),
    "llama.cpp": Stub(f"{_ALL} chat_template_kwargs", "grammar response_format", template_off,
                      "structured_outputs guided_choice regex", owner="llamacpp"),
    "llama-cpp-python": Stub(_ALL, "grammar response_format", lambda body: True, "chat_template_kwargs",
                             owner="me"),  # it has no switch; this model does not think
    "Ollama": Stub("seed reasoning_effort", "response_format", effort_none, f"{_ALL} structured_outputs",
                   owner="library"),
    "LM Studio": Stub("seed chat_template_kwargs", "response_format", template_off, f"{_ALL} guided_choice",
                      owner="organization_owner"),
    "TGI": Stub("seed logprobs top_logprobs chat_template_kwargs", "response_format", template_off,
                owner="org/m", listed="org/m"),
    "transformers serve": Stub("chat_template_kwargs tools", "", template_off,
                               f"{_ALL} response_format tool_choice", words=unexpected,
                               owner="transformers"),
    "an unknown server that has guided_choice": Stub(f"{_ALL} chat_template_kwargs", "guided_choice",
                                                     template_off, "structured_outputs"),
}  # fmt: skip
