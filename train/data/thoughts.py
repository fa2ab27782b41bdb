"""Thoughts before an answer: trained on in the form of the model's own template, or left out.

A thought stands in the answer's message (`reasoning_content`), in a column of its own (`chosen_reasoning`),
or in the text, between marks that the model's chat template contains.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from pairwright.engines.thoughts import Marks, marks_in, part
from pairwright.inputs.pairs import PairRow
from pairwright.records import Message
from train.devices.processes import say

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Thoughts = Literal["drop", "keep"]


class Thinking:
    """Separates answers' thoughts from their text, or leaves them out; counts the rows that hold some."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", reasoning: Thoughts, what: str) -> None:
        self._marks = marks_in(str(tokenizer.chat_template))
        self._reasoning = reasoning
        self._what = what
        self._rows = self._thinking = 0

    def told(
        self, prompt: Sequence[Message], answers: Sequence[Message]
    ) -> tuple[tuple[Message, ...], list[Message]]:
        """Return the prompt and the answers of a row as they are trained on."""
        # The text of earlier turns is what sampling shows.
        told = [*prompt, *(parted(answer, self._marks) for answer in answers)]
        thinks = any(message.reasoning for message in told)
        self._rows, self._thinking = self._rows + 1, self._thinking + thinks
        if self._reasoning == "drop" and thinks:
            told = [message.model_copy(update={"reasoning": None}) for message in told]
        return tuple(told[: len(prompt)]), told[len(prompt) :]

    def say(self) -> None:
        """Say how many rows' thoughts were left out, or that there were none to keep."""
        if self._reasoning == "drop" and self._thinking:
            say(
                f"{self._thinking} {self._what}s hold thoughts, which are left out; --reasoning keep "
                "trains on them"
            )
        if self._reasoning == "keep" and self._rows and not self._thinking:
            say(f"--reasoning keep: no {self._what} holds a thought")


def with_thoughts(
    rows: Iterable[PairRow], tokenizer: "PreTrainedTokenizerBase", reasoning: Thoughts
) -> Iterator[PairRow]:
    """Yield the rows with their answers' thoughts separated from the text, or left out.

    The number left out is reported once all rows are read, and so is that there was none to keep.
    """
    thinking = Thinking(tokenizer, reasoning, "pair")
    for row in rows:
        if row.problem is None:
            prompt, (chosen, rejected) = thinking.told(row.prompt, (row.chosen, row.rejected))
            row = row._replace(prompt=prompt, chosen=chosen, rejected=rejected)
        yield row
    thinking.say()


def parted(message: Message, marks: Iterable[Marks]) -> Message:
    """Return an answer with any thought in its text moved out of it."""
    if message.role != "assistant" or message.reasoning:
        return message
    found = part(message.content, tuple(marks))
    if found.thought is None:
        return message
    return message.model_copy(update={"content": found.answer, "reasoning": found.thought})
