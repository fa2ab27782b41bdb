"""Prompts as a chat template renders them, with thinking on or off, for models that run here."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pairwright.engines.asked import Asked
from pairwright.engines.thoughts import KNOWN, Marks, marks_in, opened_by
from pairwright.errors import PairwrightError, UsageError
from pairwright.models.chat import encode_prompt, template_variables
from pairwright.records import Message, Request

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SWITCHES = ("enable_thinking", "thinking")
"""Variables by which chat templates switch thinking on and off."""
WORDS = {"on": "/think", "off": "/no_think"}
"""Words in the system message by which other templates do."""
_TAIL = 24
"""Tokens at a prompt's end in which an opened thought can be seen."""


class Prompt(NamedTuple):
    """Token ids, and the mark of a thought that the template has opened at their end, if any."""

    ids: list[int]
    opened: str = ""


class Prompting:
    """Renders the requests of one engine. Raises `UsageError` for what its chat template cannot do."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", asked: Asked, spec: str) -> None:
        self._tokenizer = tokenizer
        self._asked = asked
        self._spec = spec
        self._variables = template_variables(tokenizer)
        self._template = str(tokenizer.chat_template or "")
        self._settings = self._given()
        self._check()

    def prompt(self, request: Request) -> Prompt:
        """Return the prompt of a request.

        An answer that must keep to a form, or whose first token is read, leaves no room for a thought:
        thinking is switched off for it. Raises `PairwrightError` where that cannot be done.
        """
        at_once = bool(request.choices or request.sampling.logprobs or request.json_schema)
        thinking = self._asked.thinking
        if at_once and thinking == "auto":
            thinking = "off"
        messages, settings = self._switched(request.messages, thinking)
        ids = encode_prompt(self._tokenizer, messages, settings)
        mark = opened_by(self._tokenizer.decode(ids[-_TAIL:]), KNOWN)
        if at_once and (mark is not None or thinking == "on"):
            raise PairwrightError(self._no_room(mark))
        return Prompt(ids, mark.opens if mark is not None else "")

    def _switched(
        self, messages: Sequence[Message], thinking: str
    ) -> tuple[Sequence[Message], Mapping[str, Any]]:
        """Messages and template variables with thinking on, off or as the model is made."""
        if thinking == "auto":
            return messages, self._settings
        if switches := self._switches:
            return messages, dict.fromkeys(switches, thinking == "on") | dict(self._settings)
        if WORDS["off"] in self._template:
            return _with_word(messages, WORDS[thinking]), self._settings
        return messages, self._settings

    @property
    def _switches(self) -> list[str]:
        return [name for name in SWITCHES if name in self._variables]

    def _given(self) -> Mapping[str, Any]:
        effort = self._asked.reasoning_effort
        return {**({"reasoning_effort": effort} if effort else {}), **self._asked.template}

    def _check(self) -> None:
        if unread := [name for name in self._settings if name not in self._variables]:
            flag = "--reasoning_effort" if unread[0] == "reasoning_effort" else "--chat_template_kwargs"
            known = ", ".join(sorted(self._variables)) or "none"
            raise UsageError(
                f"{flag}: the chat template of {self._spec} reads no `{unread[0]}`; what it reads: {known}"
            )
        switchable = bool(self._switches) or WORDS["off"] in self._template
        thinks: tuple[Marks, ...] = marks_in(self._template)
        if self._asked.thinking == "off" and thinks and not switchable:
            raise UsageError(
                f"--thinking off: the chat template of {self._spec} has no switch for it "
                f"({', '.join((*SWITCHES, WORDS['off']))}): leave it out; thoughts are "
                "kept apart from answers anyway"
            )
        if self._asked.thinking == "on" and not thinks and not switchable:
            raise UsageError(f"--thinking on: the chat template of {self._spec} knows no thoughts")

    def _no_room(self, mark: Marks | None) -> str:
        why = "its chat template has opened the thought" if mark is not None else "--thinking is on"
        return (
            f"{self._spec} thinks before it answers ({why}), and this answer is read at its first token or "
            "held to a form: judge with --protocol text, revise with --no_constrain"
        )


def _with_word(messages: Sequence[Message], word: str) -> list[Message]:
    """The messages with a word at the end of the system message, which may be a new one."""
    if messages and messages[0].role == "system":
        first = messages[0].model_copy(update={"content": f"{messages[0].content}\n{word}"})
        return [first, *messages[1:]]
    return [Message(role="system", content=word), *messages]
