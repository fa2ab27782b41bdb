"""Thoughts before an answer: trained on in the form of the model's own template, or left out.

A thought stands in the answer's message (`reasoning_content`), in a column of its own (`chosen_reasoning`),
or in the text, between marks that the model's chat template contains.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from pairwright.engines.thoughts import Marks, marks_in, part
from pairwright.inputs.pairs import PairRow
from pairwright.records import Message
from train.devices.processes import say

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Thoughts = Literal["drop", "keep"]


def with_thoughts(
    rows: Iterable[PairRow], tokenizer: "PreTrainedTokenizerBase", reasoning: Thoughts
) -> Iterator[PairRow]:
    """Yield the rows with their answers' thoughts separated from the text, or left out.

    The number left out is reported once all rows are read, and so is that there was none to keep.
    """
    marks, left_out, kept, all_rows = marks_in(str(tokenizer.chat_template)), 0, 0, 0
    for row in rows:
        if row.problem is not None:
            yield row
            continue
        told = [parted(message, marks) for message in (*row.prompt, row.chosen, row.rejected)]
        told[: len(row.prompt)] = row.prompt  # the text of earlier turns is what sampling shows
        thinks = any(message.reasoning for message in told)
        all_rows, kept = all_rows + 1, kept + thinks
        if reasoning == "drop" and thinks:
            left_out += 1
            told = [message.model_copy(update={"reasoning": None}) for message in told]
        yield row._replace(prompt=tuple(told[:-2]), chosen=told[-2], rejected=told[-1])
    if left_out:
        say(f"{left_out} pairs hold thoughts, which are left out; --reasoning keep trains on them")
    if reasoning == "keep" and all_rows and not kept:
        say("--reasoning keep: no pair holds a thought")


def parted(message: Message, marks: Iterable[Marks]) -> Message:
    """Return an answer with any thought in its text moved out of it."""
    if message.role != "assistant" or message.reasoning:
        return message
    found = part(message.content, tuple(marks))
    if found.thought is None:
        return message
    return message.model_copy(update={"content": found.answer, "reasoning": found.thought})
