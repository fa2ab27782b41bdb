"""Options of requests besides their messages: thinking, adapters, extra fields and headers."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

from pydantic import Field, field_validator

from pairwright.config import JSON_SETTINGS, OPERATIONAL, Config
from pairwright.engines.secrets import secret_field, secret_header
from pairwright.errors import UsageError
from pairwright.models.names import adapter_mark
from pairwright.records import content_hash

_OWN_NAMES = """
    model messages stream n seed max_tokens max_completion_tokens temperature top_p logprobs top_logprobs
    structured_outputs response_format
"""
OWN_FIELDS = frozenset(_OWN_NAMES.split())
"""Fields of a request that have settings of their own, or are decided for each request."""
OWN_VARIABLES = frozenset({"messages", "add_generation_prompt", "continue_final_message"})

_ROLE = re.compile(r"\s*(\w+)=")
_KEEP_OUT = (
    '`{0}` looks like a secret, and settings are shown and stored: export it and write "{0}": "$VARIABLE" '
    "in --extra_headers"
)

A = TypeVar("A", bound="AskedOptions")


class AskedOptions(Config):
    """What is asked of a model beside its messages. Each setting holds for all engines, or by role."""

    group: ClassVar[str] = "Engines"

    thinking: str = Field(default="auto", json_schema_extra=OPERATIONAL)
    """Whether a model that can thinks before it answers: `on`, `off`, or `auto`, as it is made. As with the
    next five, also by role: `reviser=on,judge=off`."""
    reasoning_effort: str = Field(default="", json_schema_extra=OPERATIONAL)
    """How much a model thinks, in its own words: `low`, `medium`, `high` …"""
    chat_template_kwargs: str = Field(default="", json_schema_extra=OPERATIONAL)
    """Variables for the model's chat template, as JSON: `{"enable_thinking": false}`."""
    extra_body: str = Field(default="", json_schema_extra=OPERATIONAL)
    """Further fields of each request to a server, or of vLLM's sampling, as JSON: `{"top_k": 20}`."""
    extra_headers: str = Field(default="", json_schema_extra=OPERATIONAL)
    """Further headers of each request to a server, as JSON; a value `$NAME` is taken from that environment
    variable, and keys have to be: `{"api-key": "$AZURE_KEY"}`."""
    adapter: str = Field(default="", json_schema_extra=OPERATIONAL)
    """Folder of a `peft` adapter that is put on the model of a `vllm:` or `hf:` engine, without merging."""

    @field_validator(*JSON_SETTINGS, mode="before")
    @classmethod
    def _as_text(cls, given: Any) -> Any:
        return json.dumps(given) if isinstance(given, dict) else given

    @field_validator(*JSON_SETTINGS)
    @classmethod
    def _are_objects(cls, given: str) -> str:
        for value in _by_role(given, of_objects=True).values():
            if (name := secret_field(json.loads(value))) is not None:
                raise ValueError(_KEEP_OUT.format(name))
        return given

    @field_validator("extra_headers")
    @classmethod
    def _are_headers(cls, given: str) -> str:
        for value in _by_role(given, of_objects=True).values():
            wrong = [name for name, inner in json.loads(value).items() if not _is_header(name, inner)]
            if wrong:
                raise ValueError(f"{wrong[0]!r}: a header has a name and a text without line breaks")
            if (name := secret_header(json.loads(value))) is not None:
                raise ValueError(_KEEP_OUT.format(name))
        return given

    @field_validator("extra_body", "chat_template_kwargs")
    @classmethod
    def _are_not_ours(cls, given: str) -> str:
        for value in _by_role(given, of_objects=True).values():
            if ours := sorted(json.loads(value).keys() & (OWN_FIELDS | OWN_VARIABLES)):
                raise ValueError(
                    f"`{ours[0]}` cannot be given here: pairwright sets it, by a setting of its own"
                )
        return given

    @field_validator("thinking")
    @classmethod
    def _is_a_switch(cls, given: str) -> str:
        for value in _by_role(given).values():
            if value not in ("on", "off", "auto"):
                raise ValueError(f"{value!r}: write on, off or auto; or by role, reviser=on,judge=off")
        return given

    @field_validator("reasoning_effort")
    @classmethod
    def _is_a_word(cls, given: str) -> str:
        for value in _by_role(given).values():
            if value and not re.fullmatch(r"[\w.-]+", value):
                raise ValueError(f"{value!r}: write one word, such as low, medium or high")
        return given

    def of_role(self: A, role: str, heeded: Iterable[str]) -> A:
        """Return these settings for an engine of one role, emptied where its kind does not heed them."""
        changes = {name: _for_role(_given(self, name), role) if name in heeded else "" for name in ASKED}
        changes["thinking"] = changes["thinking"] or "auto"
        return self.model_copy(update=changes)

    @property
    def asked(self) -> "Asked":
        """The settings of one engine, read. Raises `UsageError` where two of them contradict each other."""
        if self.reasoning_effort and self.thinking == ("on" if self.reasoning_effort == "none" else "off"):
            raise UsageError(
                f"--thinking {self.thinking} and --reasoning_effort {self.reasoning_effort} contradict "
                "each other: leave one of them out"
            )
        return Asked(
            thinking=self.thinking,
            reasoning_effort=self.reasoning_effort,
            template=json.loads(self.chat_template_kwargs or "{}"),
            body=json.loads(self.extra_body or "{}"),
            headers=json.loads(self.extra_headers or "{}"),
            adapter=self.adapter,
        )


ASKED = tuple(AskedOptions.model_fields)


class Asked(NamedTuple):
    """One engine's options of requests besides their messages."""

    thinking: str = "auto"
    reasoning_effort: str = ""
    template: Mapping[str, Any] = {}
    """Variables for the chat template."""
    body: Mapping[str, Any] = {}
    """Fields of each request."""
    headers: Mapping[str, str] = {}
    """Headers of each request; `$NAME` stands for an environment variable."""
    adapter: str = ""
    """Folder of an adapter."""

    @property
    def mark(self) -> str:
        """The part that belongs to the model's identity: all but values from the environment, mostly empty.

        Raises `UsageError` where there is no adapter in the folder named.
        """
        headers = {name: value for name, value in self.headers.items() if "$" not in value}
        said = [f"thinking={self.thinking}"] if self.thinking != "auto" else []
        said += [f"effort={self.reasoning_effort}"] if self.reasoning_effort else []
        further = {"template": self.template, "body": self.body, "headers": headers}
        said += [f"{name}={content_hash(dict(value))[:10]}" for name, value in further.items() if value]
        said += [f"adapter={adapter_mark(self.adapter)}"] if self.adapter else []
        return "".join(f"+{part}" for part in said)

    def flag_of(self, field: str) -> str | None:
        """Return the flag by which the user has a field sent; None for one that is sent unasked."""
        if field in self.body:
            return "extra_body"
        given = {"reasoning_effort": self.reasoning_effort, "chat_template_kwargs": self.template}
        return field if given.get(field) else None

    def filled_headers(self, environ: Mapping[str, str] = os.environ) -> tuple[dict[str, str], list[str]]:
        """Return the headers with values from the environment, and those values: they are secrets.

        Raises `UsageError` where a variable is not set.
        """
        found, secrets = {}, []
        for name, value in self.headers.items():
            before, dollar, variable = value.partition("$")
            secret = environ.get(variable, "").strip() if dollar else ""
            if dollar and not (secret and secret.isascii() and secret.isprintable()):
                raise UsageError(f"--extra_headers {name}: {variable} is not set; export it")
            found[name] = before + secret if dollar else value
            secrets += [secret] if dollar else []
        return found, secrets


PLAIN = Asked()
"""Nothing beside the messages."""


def check_asked(options: AskedOptions, heeded: Mapping[str, frozenset[str]]) -> None:
    """Raise `UsageError` for a setting that no engine uses. `heeded` are the used settings by role."""
    for name in ASKED:
        for role in _by_role(_given(options, name), of_objects=name in JSON_SETTINGS):
            meant = [r for r in heeded if not role or _is_role(r, role)]
            if role and not meant:
                raise UsageError(f"--{name} {role}=…: no engine here is {role}; {', '.join(heeded)} are")
            if heeded and not any(name in heeded[r] for r in meant):
                raise UsageError(
                    f"--{name}: {_WHERE[name]}, and no engine {role or 'here'} is one of these"
                )


_WHERE = {
    **dict.fromkeys(
        ("thinking", "reasoning_effort", "chat_template_kwargs"), "for openai:, any:, vllm: and hf:"
    ),
    "extra_body": "for openai:, any: and vllm:",
    "extra_headers": "for openai:",
    "adapter": "for vllm: and hf:",
}


def _given(options: AskedOptions, name: str) -> str:
    value: str = getattr(options, name)
    return "" if value == AskedOptions.model_fields[name].default else value


def _is_role(role: str, named: str) -> bool:
    """Whether `judge` names `judge`, `judge_2` …"""
    return role == named or role.startswith(f"{named}_")


def _for_role(text: str, role: str) -> str:
    found = _by_role(text, of_objects="{" in text)
    own = [value for name, value in found.items() if name and _is_role(role, name)]
    return own[-1] if own else found.get("", "")


def _by_role(text: str, *, of_objects: bool = False) -> dict[str, str]:
    """The values in `VALUE` (for all roles, whose name is empty) or `ROLE=VALUE,ROLE=VALUE`."""
    found: dict[str, str] = {}
    rest = text.strip()
    while rest:
        named = _ROLE.match(rest)
        role, rest = (named[1], rest[named.end() :]) if named else ("", rest)
        if of_objects:
            value, rest = _object(rest.lstrip())
        else:
            value, _, rest = (part.strip() for part in rest.partition(","))
        if role in found:
            raise ValueError(f"{role or text!r} is given twice; write one value, or ROLE=VALUE,ROLE=VALUE")
        found[role] = value
        rest = rest.strip().removeprefix(",").strip() if of_objects else rest
    return found


def _object(text: str) -> tuple[str, str]:
    """The JSON object that a text begins with, and what follows it."""
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError) as error:
        what = getattr(error, "msg", "nested too deep")
        raise ValueError(f"not JSON ({what}); write an object such as " + '{"name": 1}') from None
    if not isinstance(value, dict):
        raise ValueError('is no JSON object; write one such as {"name": 1}')
    return text[:end], text[end:]


def _is_header(name: str, value: Any) -> bool:
    token = re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name)
    return bool(token) and isinstance(value, str) and value.isprintable() and value.isascii()
