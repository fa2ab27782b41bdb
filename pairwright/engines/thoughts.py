"""Separate what a model thought from what it answered.

A thought stands in front of an answer, between marks that belong to the model. Chat templates may have
written the opening mark already, so that a text begins inside its thought; and an answer may mention the
marks, which makes it no thought.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from pairwright.records import Completion


class Marks(NamedTuple):
    """What a model writes before and after a thought."""

    opens: str
    closes: str


_PUBLISHED = tuple(
    Marks(*pair.split())
    for pair in """
    <think>              </think>
    <thinking>           </thinking>
    <thought>            </thought>
    <reasoning>          </reasoning>
    [THINK]              [/THINK]
    <seed:think>         </seed:think>
    <longcat_think>      </longcat_think>
    ◁think▷              ◁/think▷
    <|begin_of_thought|> <|end_of_thought|>
    <|START_THINKING|>   <|END_THINKING|>
    <|inner_prefix|>     <|inner_suffix|>
    <|channel>thought    <channel|>
    <unused94>thought    <unused95>
    <scratchpad>         </scratchpad>
    <reflection>         </reflection>
    <thoughts>           </thoughts>
    <inner_thoughts>     </inner_thoughts>
    <inner_monologue>    </inner_monologue>
    <chain_of_thought>   </chain_of_thought>
    <|think|>            <|/think|>
    <|thinking|>         <|/thinking|>
    """.strip().splitlines()
)
_FINAL = Marks("[BEGIN REASONING]", "[BEGIN FINAL RESPONSE]")
"""Apriel's, whose template begins the thought in words; nothing but the closing one is ever written."""
_SHOUTED = tuple(
    Marks(spelt(mark.opens), spelt(mark.closes))
    for mark in _PUBLISHED[:4]
    for spelt in (str.upper, str.title)
)
KNOWN = (*_PUBLISHED, _FINAL, *_SHOUTED)
"""Marks of published models: DeepSeek, Qwen and most others; Claude-like; EXAONE; trained on prompts;
Magistral; Seed-OSS; LongCat; Kimi-VL; OpenThinker; Command A; Apertus; Gemma 4; MedGemma; then what others
are prompted to write; Apriel. Those of gpt-oss are channels, and are read by `_harmony`. The first ones
also in capitals (`<THINK>`, `<Think>`), as small models write them."""
_SOLUTIONS = (
    Marks("<|begin_of_solution|>", "<|end_of_solution|>"),
    Marks("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    Marks("<|begin_of_box|>", "<|end_of_box|>"),
    Marks("<answer>", "</answer>"),
    Marks("<response>", "</response>"),
)
"""What is written around the answer that follows a thought: by OpenThinker, Command A, GLM-V, Hunyuan and
others that were trained as R1-Zero was, ERNIE and Granite."""


class Parted(NamedTuple):
    """A text split into thought and answer."""

    thought: str | None
    """Without its marks and the line breaks at them; None where there is no thought."""
    answer: str
    """Letter for letter, but for blank lines after the thought."""
    ended: bool = True
    """False when the text ends within the thought: there is no answer."""


def part(text: str, marks: Sequence[Marks] = KNOWN, opened: Marks | None = None) -> Parted:
    """Part a completion into thought and answer.

    `opened` are the marks whose opening one the prompt ends with. Thoughts that follow one another in
    front of the answer are one. A closing mark alone ends a thought where it stands like one: at the
    end of a line or of a sentence, unquoted, with no opening mark before it.
    """
    if opened is None and _is_plain(text, _beginnings(tuple(marks))):
        return Parted(None, text)
    if marks and (found := _harmony(text)):
        return found
    thoughts: list[str] = []
    rest = text
    while (begin := _opening(rest, marks)) or (opened and not thoughts):
        mark, start = begin or (opened, 0)
        assert mark is not None
        end = _closing(rest, mark, start)
        if end < 0:
            return Parted(_joined([*thoughts, rest[start:]]), "", ended=False)
        if begin and _MENTIONED.fullmatch(rest, start, end):
            break
        after = end + len(mark.closes)
        if mark.opens in rest[start:end] and (outer := _closing_alone(rest[after:], (mark,))):
            end, after = after + outer[0], after + outer[1]  # of a thought within the thought
        thoughts.append(rest[start:end])
        rest = _after(rest, after)
    if not thoughts and (alone := _closing_alone(text, marks)):
        start, end = alone
        return Parted(_joined([text[:start]]), _bare(_after(text, end)))
    return Parted(_joined(thoughts), _bare(rest) if thoughts else rest)


def part_all(texts: Sequence[str], marks: Sequence[Marks]) -> list[Parted]:
    """Return many texts, each parted."""
    letters = _beginnings(tuple(marks))
    return [Parted(None, text) if _is_plain(text, letters) else part(text, marks) for text in texts]


def _bare(answer: str) -> str:
    """An answer after a thought, without the marks that its model sets around it."""
    for mark in _SOLUTIONS:
        if answer.startswith(mark.opens):
            inside = answer[len(mark.opens) :].removesuffix(mark.closes)
            return _after(inside, 0)
    return _FINAL_END.sub("", answer)


def apart(completion: Completion, marks: Sequence[Marks] = KNOWN) -> Completion:
    """Move a thought that stands in a completion's text into `reasoning`.

    Log-probabilities then go: those of the thought say nothing of the answer.
    """
    if completion.failure is not None:
        return completion
    found = part(completion.text, marks)
    if found.thought is None and found.answer == completion.text:
        if completion.reasoning is None:
            return completion
        return completion.model_copy(update={"text": _after(completion.text, 0)})
    thoughts = [thought for thought in (completion.reasoning, found.thought) if thought]
    reasoning = "\n\n".join(thoughts) or (None if found.ended else "")
    changes = {"text": found.answer, "reasoning": reasoning, "top_logprobs": ()}
    return completion.model_copy(update=changes)


def used_up(completion: Completion) -> bool:
    """Return whether a model thought and gave no answer."""
    return completion.reasoning is not None and not completion.text.strip()


def opened_by(prompt: str, marks: Sequence[Marks] = KNOWN) -> Marks | None:
    """Return the marks whose opening ends a rendered prompt, so that the model begins by thinking."""
    tail = prompt.rstrip()
    return next((mark for mark in marks if tail.endswith(mark.opens)), None)


def marks_in(template: str, marks: Sequence[Marks] = KNOWN) -> tuple[Marks, ...]:
    """Return the marks that a chat template contains: its model thinks, or can."""
    return tuple(mark for mark in marks if mark.closes in template)


def read_marks(text: str) -> tuple[Marks, ...]:
    """Return the marks in `OPENING,CLOSING`, before the known ones; for `none`, no marks at all.

    Raises `ValueError` for anything else.
    """
    if text == "auto":
        return KNOWN
    if text == "none":
        return ()
    opens, comma, closes = (part.strip() for part in text.partition(","))
    if not (opens and comma and closes) or opens == closes or "," in closes:
        raise ValueError(
            f"{text!r}: write the opening and the closing tag with a comma between, such as "
            "'<scratchpad>,</scratchpad>'; or none"
        )
    return (Marks(opens, closes), *KNOWN)


def _is_plain(text: str, letters: Iterable[str]) -> bool:
    """Whether a text has no letter that a mark begins with, as most have none: then there is no thought."""
    return not (any(map(text.__contains__, letters)) or text.startswith(_BARE))


@cache
def _beginnings(marks: tuple[Marks, ...]) -> frozenset[str]:
    """The letters with which marks begin, those of channels among them."""
    return frozenset(mark[:1] for pair in (*marks, _CHANNEL) for mark in pair)


_FINAL_END = re.compile(r"\n?\[END FINAL RESPONSE\]\s*\Z")
_QUOTED = r"\s*[\"'`“”‘’]?\s*"
_MENTIONED = re.compile(rf"{_QUOTED}(?:and|or|und|oder|et|ou|y|o|,|/|&|vs\.?|\.{{3}}|…){_QUOTED}")
"""What stands between two marks that are spoken of."""
_FORM = re.compile(r"(?:[ \t]*(?:\r\n|\n|\r))+| (?=\S)")
"""What may follow a closing mark before the answer begins: blank lines, or one space."""
_LINE_ENDS = re.compile(r"[ \t]*(?:[\r\n]|\Z)")
_QUOTES = "`'\"“”‘’«»()"
_SENTENCE_ENDS = '.!?…。！？)]}>"”’*'
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)


def _opening(text: str, marks: Sequence[Marks]) -> tuple[Marks, int] | None:
    """The marks whose opening one begins the text, and where their thought begins."""
    start = len(text) - len(text.lstrip())
    for mark in marks:
        if text.startswith(mark.opens, start):
            return mark, start + len(mark.opens)
    return None


def _closing(text: str, mark: Marks, start: int) -> int:
    """Where the thought that begins at `start` ends: at the first closing mark not quoted; -1 if none."""
    place = text.find(mark.closes, start)
    while place > 0 and _is_quoted(text[place - 1], text[place + len(mark.closes) :]):
        place = text.find(mark.closes, place + 1)
    return place


def _is_quoted(before: str, after: str) -> bool:
    return bool(before) and before in _QUOTES and after[:1] != "" and after[0] in _QUOTES


def _closing_alone(text: str, marks: Sequence[Marks]) -> tuple[int, int] | None:
    """Where a closing mark that ends an unopened thought begins and ends."""
    found = []
    for mark in marks:
        start = text.find(mark.closes)
        if start < 0:
            continue
        before, after = text[:start], text[start + len(mark.closes) :]
        if mark.opens not in before and _ends_a_thought(before, after):
            found.append((start, start + len(mark.closes)))
    return min(found, default=None)


def _ends_a_thought(before: str, after: str) -> bool:
    """Whether a closing mark between these stands where thoughts end, not where words speak of it."""
    if _is_quoted(before[-1:], after):
        return False
    if len(_FENCE.findall(before)) % 2:
        return False
    if not before or before[-1] in "\r\n":
        return True
    said = before.rstrip(" \t")
    if said[-1:] in _SENTENCE_ENDS:
        return True
    return said == before and _LINE_ENDS.match(after) is not None


def _after(text: str, place: int) -> str:
    """What follows a thought, without the blank lines in between."""
    form = _FORM.match(text, place)
    return text[form.end() if form else place :]


def _joined(thoughts: Sequence[str]) -> str | None:
    return "\n\n".join(t for thought in thoughts if (t := thought.strip("\r\n")).strip()) or None


_HARMONY = re.compile(
    r"(?:<\|start\|>assistant)?\s*<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>\w*)?<\|message\|>"
    r"(.*?)(?:<\|(?:end|return|call)\|>|(?=<\|start\|>assistant<\|channel\|>)|\Z)",
    re.DOTALL,
)
_CHANNEL, _BARE = Marks("<|start|>", "<|channel|>"), "analysis"
_BARE_HARMONY = re.compile(
    rf"\A{_BARE}(?=[A-Z\"'“¿¡0-9]|[^\W\d_a-z])(.*?)(?:assistant(?:final|commentary)|\Z)", re.DOTALL
)


def _harmony(text: str) -> Parted | None:
    """Channels of gpt-oss, whose `final` is the answer; marks lost, it is `analysis…assistantfinal…`."""
    place, thoughts, answer = len(text) - len(text.lstrip()), [], None
    while message := _HARMONY.match(text, place):
        if message[1] == "final":
            answer = message[2]
            break
        thoughts.append(message[2])
        place = message.end()
    if answer is not None or thoughts:
        return Parted(_joined(thoughts), answer or "", ended=answer is not None)
    bare = _BARE_HARMONY.match(text)
    if bare is None:
        return None
    ended = bare[0].endswith("assistantfinal")
    return Parted(_joined([bare[1]]), text[bare.end() :] if ended else "", ended)
