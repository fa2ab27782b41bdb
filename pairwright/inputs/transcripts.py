"""Conversations in one text, with a speaker before each turn, split into turns."""

import logging
import re
from typing import NamedTuple

from pairwright.errors import UsageError
from pairwright.records import Message

log = logging.getLogger(__name__)

_SPEAKERS = {"human": "user", "user": "user", "assistant": "assistant", "system": "system"}


class _Form(NamedTuple):
    """One way of writing a conversation down."""

    begins: re.Pattern[str]
    turn: re.Pattern[str]
    """What stands before a turn; its first group is the speaker."""


_FORMS = (
    # Anthropic's hh-rlhf and what was made after it
    _Form(re.compile(r"\n\nHuman:"), re.compile(r"\n\n(Human|Assistant): ?")),
    # OpenAssistant's guanaco
    _Form(re.compile(r"### Human:"), re.compile(r"(?:\A|\s*)### (Human|Assistant|System): ?")),
    # others, where the end invites an answer: such words may also be quoted
    _Form(
        re.compile(r"\s*(?:Human|User|System):(?=.*\nAssistant:\s*\Z)", re.DOTALL),
        re.compile(r"(?:\A\s*|\s*\n)(Human|User|Assistant|System): ?"),
    ),
    _Form(
        re.compile(r"\s*(?:USER|SYSTEM):(?=.*\sASSISTANT:\s*\Z)", re.DOTALL),
        re.compile(r"(?:\A\s*|\s+|</s>\s*)(USER|ASSISTANT|SYSTEM): ?"),
    ),
)
_PERHAPS = re.compile(r"\s*((?:human|user):)(?=.*\s(?:assistant|ai|bot|gpt):)", re.DOTALL | re.IGNORECASE)
"""How a text begins that may be a conversation, and may quote one."""
_RENDERED = re.compile(
    r"\s*(?:<\|im_start\|>|<\|begin_of_text\|>|<\|start_header_id\|>|<s>\s*\[INST\]|\[INST\]|<start_of_turn>"
    r"|<bos><start_of_turn>|<\|(?:user|system|assistant|prompter)\|>"
    r"|<\|start\|>(?:system|developer|user)<\|message\|>|<<SYS>>|<｜begin▁of▁sentence｜>|<｜User｜>|<BOS_TOKEN>|<\|START_OF_TURN_TOKEN\|>|<\|startoftext\|>)"
)
_INVITES = re.compile(
    r"(?:<\|im_start\|>assistant|<\|start_header_id\|>assistant<\|end_header_id\|>|<start_of_turn>model"
    r"|<｜Assistant｜>|\[/INST\]|<\|assistant\|>|<\|CHATBOT_TOKEN\|>)\s*\Z"
)
"""What a chat template ends with, so that an assistant answers."""
_ENDS = re.compile(
    r"(?:<\|(?:im_end|eot_id|eot|end|return|endoftext|end_of_text|end_of_turn|END_OF_TURN_TOKEN)\|>"
    r"|<end_of_turn>|<｜end▁of▁sentence｜>|<eos>|</s>)\s*\Z"
)
"""What a chat template, or a model that it was written for, ends a turn with."""
_OF_BASE_MODELS = re.compile(r"(?:^###\s?(?:Response|Assistant|Answer)|\bASSISTANT):\s*\Z", re.MULTILINE)
"""The same in the forms of Alpaca and Vicuna, which are words."""


_TAIL = 100
_GIVE = "give instruction and input columns of their own, or messages"


def _say_once(where: str, how: str, advice: str) -> None:
    """Say it of the first row alone."""
    if how not in _SAID:
        _SAID.add(how)
        log.warning("%s %s, which chat models are shown as words; %s", where, how, advice)


_SAID: set[str] = set()


def is_transcript(text: str) -> bool:
    """Return whether a text is a conversation with its speakers."""
    return _form_of(text) is not None


def _form_of(text: str) -> _Form | None:
    return next((form for form in _FORMS if form.begins.match(text)), None)


def turns_of(text: str, where: str) -> tuple[Message, ...] | None:
    """Return the turns of a text that is a conversation; None for any other text.

    A last turn of nobody's words, which only invites an answer, is left out. Raises `UsageError` for
    a text that a chat template has rendered: its marks would be shown as words.
    """
    if mark := _RENDERED.match(text) or _INVITES.search(text[-_TAIL:]):
        raise UsageError(
            f"{where} is a conversation that a chat template has rendered already (`{mark[0].strip()}`); "
            "give its messages, each with `role` and `content`"
        )
    if (mark := _ENDS.search(text[-_TAIL:])) and not (mark[0].startswith("</s>") and "<s>" in text):
        advice = "take it out of the data if another tool left it there"
        _say_once(where, f"ends with `{mark[0].strip()}`", advice)
    form = _form_of(text)
    if form is None:
        if mark := _OF_BASE_MODELS.search(text[-_TAIL:]):
            _say_once(where, f"ends with `{mark[0].strip()}`", _GIVE)
        elif mark := _PERHAPS.match(text):
            _say_once(where, f"begins with `{mark[1]}`", _GIVE)
        return None
    marks = list(form.turn.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    turns = tuple(
        Message(role=_SPEAKERS[mark[1].lower()], content=text[mark.end() : end])
        for mark, end in zip(marks, ends, strict=True)
    )
    return turns[:-1] if turns[-1].role == "assistant" and not turns[-1].content.strip() else turns
