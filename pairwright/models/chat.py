"""Conversations as token ids, in which text from data can never pass for the template's own.

While the chat template runs, the characters that begin or end any control token are swapped, in content,
for stand-ins. Whatever then reads as a control token is the template's, and is put under its secret name
(`controls.py`); the stand-ins are put back, and one pass encodes the whole. Sampling, policy and reference
all take their ids from here.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary, proxy

from pairwright.errors import UsageError
from pairwright.models.controls import SECRET_NAME, RenamedTokenizer, control_ids, literal_ids
from pairwright.models.dated import template_of
from pairwright.models.shown import (
    Shown,
    changed,
    folded,
    form_of,
    kinds_in,
    left_out,
    marked,
    shown,
    stand_ins,
    texts_of,
    well_formed,
    without,
)
from pairwright.models.turns import closing_of, cut, ends_in_control, marks_of
from pairwright.records import ROLES, Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TEMPLATES_OWN_NAMES = """
    messages add_generation_prompt bos_token eos_token pad_token unk_token raise_exception strftime_now
    range namespace dict
"""
_TEMPLATES_OWN = frozenset(_TEMPLATES_OWN_NAMES.split())
_ANSWER, _THOUGHT = "Abcanswercba", "Abcthoughtcba"


class EncodedAnswer(NamedTuple):
    """Ids of a prompt and of an answer to it; joined, they are the whole conversation."""

    prompt_ids: list[int]
    answer_ids: list[int]


def encode_prompt(
    tokenizer: "PreTrainedTokenizerBase",
    messages: Sequence[Message],
    variables: Mapping[str, Any] = MappingProxyType({}),
) -> list[int]:
    """Return the token ids of a conversation and of the template's generation prompt.

    `variables` are further ones for the template, such as `enable_thinking`. Raises `UsageError` if the
    tokenizer has no chat template or its template refuses the messages.
    """
    return _chat(tokenizer).prompt_ids(messages, variables)


def template_variables(tokenizer: "PreTrainedTokenizerBase") -> frozenset[str]:
    """Return a chat template's variables that a request may set, such as `enable_thinking`."""
    from jinja2 import Environment, TemplateSyntaxError, meta

    try:
        parsed = Environment(extensions=["jinja2.ext.loopcontrols"]).parse(str(tokenizer.chat_template))
        found = meta.find_undeclared_variables(parsed)
    except TemplateSyntaxError:  # what transformers allows beyond jinja2, such as its generation blocks
        found = set(re.findall(r"[A-Za-z_]\w*", str(tokenizer.chat_template)))
    return frozenset(found) - _TEMPLATES_OWN


def encode_answer(
    tokenizer: "PreTrainedTokenizerBase", prompt: Sequence[Message], answer: Sequence[Message]
) -> EncodedAnswer:
    """Return the token ids of `encode_prompt(prompt)`, and of all that the model must emit after them.

    `answer` is one assistant message. Its ids end in the one token that ends the turn; whatever the
    template writes after that is left out. Raises `UsageError` as `encode_prompt` does.
    """
    if [message.role for message in answer] != ["assistant"]:
        raise UsageError("An answer is one message of the role `assistant`.")
    return _chat(tokenizer).answer_ids(prompt, answer[0])


def encode_text(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    """Return the token ids of plain text that continues other tokens; none is a control token."""
    return _chat(tokenizer).renamed(()).encode_after(well_formed(text))


def end_of_turn(tokenizer: "PreTrainedTokenizerBase") -> int:
    """Return the id of the token that ends the assistant's turn in this tokenizer's template."""
    chat = _chat(tokenizer)
    return chat.renamed(()).ids[chat.end]


class _Chat:
    """A tokenizer and its template, looked into once."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._tokenizer = proxy(tokenizer)  # or the cache below would keep it for ever
        self._encoders: dict[frozenset[str], RenamedTokenizer] = {}
        self._controls = control_ids(tokenizer)
        self._literals: dict[str, int] = {}
        self._known_to_show: set[Any] = set()
        scaffold = self._probe()
        try:
            told = self._probe(_THOUGHT)
        except UsageError:  # a template that refuses what it does not know
            told = ""
        self._shows_thoughts = _THOUGHT in told
        self._literals = literal_ids(tokenizer, self._controls, scaffold + told)
        self._marks = marks_of(str(tokenizer.chat_template))
        before, _, self._after = scaffold.rpartition(_ANSWER)
        if not before:
            raise UsageError(f"The chat template of {tokenizer.name_or_path} leaves answers out.")
        self._followed = self._probe(followed=True).rpartition(_ANSWER)[2]
        self.end = self._find_end()

    def renamed(self, contents: Sequence[str]) -> RenamedTokenizer:
        """Return the encoder for contents: a literal of the template in them is split."""
        used = frozenset(t for t in self._literals if any(t in content for content in contents))
        if used not in self._encoders:
            ids = self._controls | {literal: self._literals[literal] for literal in used}
            self._encoders[used] = RenamedTokenizer(self._tokenizer, ids)
        return self._encoders[used]

    def prompt_ids(
        self, messages: Sequence[Message], variables: Mapping[str, Any] = MappingProxyType({})
    ) -> list[int]:
        encoder = self.renamed(texts_of(shown(messages)))
        return encoder.encode(self._render(encoder, messages, invite=True, variables=variables))

    def answer_ids(self, prompt: Sequence[Message], answer: Message) -> EncodedAnswer:
        encoder = self.renamed(texts_of(shown((*prompt, answer))))
        before = self._render(encoder, prompt, invite=True)
        whole = self._render(encoder, (*prompt, answer), invite=False)
        if whole.startswith(before) and (self._shows_thoughts or not answer.reasoning):
            turn = self._cut(encoder, whole.removeprefix(before))
        else:  # the invitation says more than a finished turn does, such as an opened <think>
            turn = self._thought(encoder, before, answer.reasoning or "")
            turn += self._said(encoder, prompt, answer)
            turn += "" if ends_in_control(turn) else encoder.name(self.end)
        prompt_ids, ids = self.prompt_ids(prompt), encoder.encode(before + turn)
        if ids[: len(prompt_ids)] == prompt_ids:
            return EncodedAnswer(prompt_ids, ids[len(prompt_ids) :])
        return EncodedAnswer(prompt_ids, encoder.encode_after(turn))

    def _said(self, encoder: RenamedTokenizer, prompt: Sequence[Message], answer: Message) -> str:
        """The text of an answer and the tools it calls, as the template writes them."""
        if not answer.tool_calls:
            return well_formed(answer.content)
        marked = answer.model_copy(update={"content": _ANSWER + answer.content, "reasoning": None})
        turn = self._render(encoder, (*prompt, marked), invite=False).rpartition(_ANSWER)[2]
        said = self._cut(encoder, turn).removesuffix(encoder.name(self.end))
        return said if answer.content else said.lstrip("\n")

    def _thought(self, encoder: RenamedTokenizer, before: str, thought: str) -> str:
        """A thought in the template's marks; an opened one is ended, even if it is empty."""
        opens, closes = (encoder.rename(mark) for mark in self._marks or ("", ""))
        opened = bool(opens) and before.rstrip().endswith(opens)
        if thought and not opens:
            raise UsageError(
                f"The chat template of {self._tokenizer.name_or_path} has no place for thoughts; leave "
                "them out (--reasoning drop)"
            )
        if not thought and not opened:
            return ""
        begin = "" if opened else f"{opens}\n"
        inside = f"{well_formed(thought).strip()}\n" if thought else "\n"
        return f"{begin}{inside}{closes}"

    def _cut(self, encoder: RenamedTokenizer, turn: str) -> str:
        """The assistant's turn up to and including the token that ends it."""
        after, followed = encoder.rename(self._after), encoder.rename(self._followed)
        return cut(turn, after, closing_of(after, followed) or encoder.name(self.end))

    def _find_end(self) -> str:
        """The token that ends a turn: the template's own, or the end of a text."""
        encoder = self.renamed(())
        closing = closing_of(encoder.rename(self._after), encoder.rename(self._followed))
        if closing:
            by_id = {i: token for token, i in encoder.ids.items()}
            return by_id[encoder.id_of(SECRET_NAME.findall(closing)[-1])]
        eos = str(self._tokenizer.eos_token)
        if eos in encoder.ids:
            return eos
        raise UsageError(f"{self._tokenizer.name_or_path} has no token that ends an answer.")

    def _probe(self, thought: str | None = None, *, followed: bool = False) -> str:
        turns = [("system", "Abc"), ("user", "Abc"), ("assistant", _ANSWER), ("user", "Abc")]
        thoughts = {"assistant": thought}
        said = turns if followed else turns[:3]
        messages = [Message(role=r, content=c, reasoning=thoughts.get(r)) for r, c in said]
        return self._apply(shown(messages), invite=False, lenient=followed) or ""

    def _render(
        self,
        encoder: RenamedTokenizer,
        messages: Sequence[Message],
        invite: bool,
        variables: Mapping[str, Any] = MappingProxyType({}),
    ) -> str:
        """The conversation as text whose control tokens, all the template's, are renamed."""
        given = changed(shown(messages, variables), well_formed)
        swap = stand_ins({c for token in encoder.ids for c in token[:1] + token[-1:]}, texts_of(given))
        masked = changed(given, lambda text: text if encoder.is_name(text) else text.translate(swap))
        back = {ord(stand_in): chr(char) for char, stand_in in swap.items()}
        text = self._apply(masked, invite) or ""
        self._require_all_turns(masked, invite)
        for kind in kinds_in(masked) - self._known_to_show:
            if self._apply(without(masked, kind), invite, lenient=True) == text:
                raise UsageError(
                    f"The chat template of {self._tokenizer.name_or_path} shows no {kind}, which this "
                    "conversation has; take a model whose template does, or remove the row"
                )
            self._known_to_show.add(kind)
        return encoder.rename(text).translate(back)

    def _require_all_turns(self, given: Shown, invite: bool) -> None:
        """Raise `UsageError` for a template that leaves out what a turn says; tried once a form."""
        form = form_of(given)
        if form in self._known_to_show:
            return
        tried = marked(given)
        text = self._apply(tried, invite, lenient=True)
        if text is not None and (role := left_out(tried, text)):
            raise UsageError(
                f"The chat template of {self._tokenizer.name_or_path} leaves out what a turn of the role "
                f"`{role}` says; take a model whose template shows it, or remove the row"
            )
        self._known_to_show.add(form)

    def _apply(self, given: Shown, invite: bool, *, lenient: bool = False) -> str | None:
        """Run the template; one that takes no system message finds it in the first user turn.

        None, where that is `lenient`, for what the template refuses.
        """
        import jinja2

        if unknown := {turn["role"] for turn in given.turns} - ROLES:
            raise UsageError(f"No message can have the role {min(unknown)!r}.")
        try:
            return self._run(given, invite)
        except (jinja2.TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            if [turn["role"] for turn in given.turns[:2]] == ["system", "user"]:
                return self._apply(folded(given), invite, lenient=lenient)
            if lenient:
                return None
            raise UsageError(
                f"The chat template of {self._tokenizer.name_or_path} refuses this conversation: {error}"
            ) from error

    def _run(self, given: Shown, invite: bool) -> str:
        text: str = self._tokenizer.apply_chat_template(
            given.turns,
            tools=given.tools,
            documents=given.documents,
            chat_template=template_of(self._tokenizer),
            tokenize=False,
            add_generation_prompt=invite,
            **given.variables,
        )
        return text


_chats: "WeakKeyDictionary[PreTrainedTokenizerBase, tuple[tuple[int, str], _Chat]]"
_chats = WeakKeyDictionary()


def _chat(tokenizer: "PreTrainedTokenizerBase") -> _Chat:
    """The tokenizer's `_Chat`, made anew when its vocabulary or template has changed."""
    if not tokenizer.chat_template:
        raise UsageError(
            f"{tokenizer.name_or_path} has no chat template; name an instruct model, or put a "
            "chat_template.jinja in the model's folder."
        )
    state = (len(tokenizer), str(tokenizer.chat_template))
    known = _chats.get(tokenizer)
    if known is None or known[0] != state:
        known = _chats[tokenizer] = (state, _Chat(tokenizer))
    return known[1]
