"""The least change that makes an answer follow its instructions: for `revise --reviser python:`."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from itertools import cycle, islice, pairwise
from typing import Any

from pairwright.engines.verifiers.ifeval.check import follows

_POSTSCRIPTS = (
    "Take your time.", "Do not forget to smile.", "More about this another day.", "Thank you for asking.",
    "I nearly forgot: have fun!", "Write back when you can.", "The rest is up to you.", "It is worth it.",
)  # fmt: skip
_FIELDS = ("name", "date", "place", "address", "phone number", "time", "price", "title")
_ABOUT = (
    "This is about {} too.",
    "Think of {}.",
    "There is {} in it.",
    "It comes down to {}.",
    "And then there is {}.",
)
_LETTERS = {
    "q": "quite unique, quick, quiet", "z": "a dozen crazy, dizzy, lazy puzzles",
    "j": "just enjoy the major joy of it, jolly", "w": "we will know when, and how",
    "k": "keep looking, thinking, making, taking", "v": "very lively, every evening, of value",
}  # fmt: skip
_SYNONYMS = {
    "and": "&", "you": "one", "good": "fine", "great": "fine", "can": "may", "will": "shall",
    "important": "vital", "time": "hour", "day": "date", "make": "create", "help": "aid", "very": "quite",
    "really": "truly", "people": "folk", "best": "finest", "better": "finer", "like": "such as",
    "also": "too", "the way": "how",
}  # fmt: skip


def repair(prompt: str, answer: str, row: Mapping[str, Any]) -> str | None:
    """The answer, mended for each instruction that it does not follow; None where one cannot be."""
    names, given = row["instruction_id_list"], json.loads(row["kwargs"])
    text: str | None = answer.strip()
    for name in sorted(names, key=list(_MENDED).index):
        arguments = given[list(names).index(name)]
        if text and not follows(text, [name], [arguments])[0]:
            text = _MENDED[name](text, arguments, row)
    return text


def _pick(options: tuple[str, ...], row: Mapping[str, Any], turn: int = 0) -> str:
    number = int(hashlib.sha256(row["plain"].encode()).hexdigest()[:8], 16)
    return options[(number + turn) % len(options)]


def _sentences(text: str) -> list[str]:
    return [part for line in text.split("\n") for part in re.split(r"(?<=[.!?])\s+", line.strip()) if part]


def _paragraphs(text: str, count: int) -> list[str] | None:
    """The text in `count` parts: its own paragraphs where they are enough, else its sentences."""
    parts, joint = [p.strip() for p in re.split(r"\n\s*\n|\*\*\*+", text) if p.strip()], "\n"
    if len(parts) < count:
        parts, joint = _sentences(text), " "
    if len(parts) < count:
        return None
    ends = [round(len(parts) * part / count) for part in range(count + 1)]
    return [joint.join(parts[start:end]) for start, end in pairwise(ends)]


def _shape(
    joined: Callable[[list[str], Mapping[str, Any]], str], count: str | int
) -> Callable[..., str | None]:
    def mended(text: str, given: Mapping[str, Any], row: Mapping[str, Any]) -> str | None:
        parts = _paragraphs(text, count if isinstance(count, int) else given[count])
        return None if parts is None else joined(parts, given)

    return mended


def _opened(parts: list[str], given: Mapping[str, Any]) -> str:
    number = given["nth_paragraph"] - 1
    word, rest = given["first_word"].capitalize(), parts[number]
    parts[number] = f"{word}, {rest[0].lower()}{rest[1:]}"
    return "\n\n".join(parts)


def _labelled(parts: list[str], given: Mapping[str, Any]) -> str:
    return "\n\n".join(f"{given['section_spliter']} {n}\n{part}" for n, part in enumerate(parts, 1))


def _bullets(text: str, given: Mapping[str, Any], row: Mapping[str, Any]) -> str | None:
    lines = [re.sub(r"^\s*([-*•]|\d+[.)])\s+", "", line).strip() for line in text.split("\n")]
    parts = [line for line in lines if line]
    parts = parts if len(parts) >= given["num_bullets"] else _sentences("\n".join(parts))
    if len(parts) < given["num_bullets"]:
        return None
    return "\n".join("* " + part.lstrip("*- ") for part in parts[: given["num_bullets"]])


def _spread(text: str, count: int, change: Callable[[str], str]) -> str | None:
    """The text with `count` of its longer words changed, as far apart as can be."""
    words = [
        m for m in re.finditer(r"\b[A-Za-z]{5,}\b", text) if "*" not in text[m.start() - 1 : m.end() + 1]
    ]
    if len(words) < count:
        return None
    for word in reversed(words[:: len(words) // count][:count]):
        text = text[: word.start()] + change(word[0]) + text[word.end() :]
    return text


def _with_keywords(text: str, given: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    missing = [k for k in given["keywords"] if k.lower() not in text.lower()]
    return f"{text} {_pick(_ABOUT, row).format(' and '.join(missing))}"


def _oftener(text: str, given: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    missing = given["frequency"] - text.lower().count(given["keyword"])
    return " ".join([text, *(_pick(_ABOUT, row, turn).format(given["keyword"]) for turn in range(missing))])


def _without(text: str, given: Mapping[str, Any], row: Mapping[str, Any]) -> str | None:
    for word in given["forbidden_words"]:
        pattern, other = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE), _SYNONYMS[word]
        text = pattern.sub(lambda m, o=other: o.capitalize() if m[0][0].isupper() else o, text)
    return text


def _to_length(limit: str, size: Callable[[str], int]) -> Callable[..., str | None]:
    """Shorter: its first sentences. Longer: as it went on, where the row has that in `rest`."""

    def mended(text: str, given: Mapping[str, Any], row: Mapping[str, Any]) -> str | None:
        if given["relation"] != "less than":
            longer = text
            for match in re.finditer(r"\s*\S.*?(?:[.!?](?=\s|$)|\n|$)", row.get("rest") or ""):
                longer += match[0]
                if size(longer) >= given[limit]:
                    return longer.rstrip()
            return None
        kept = ""
        for match in re.finditer(r"\S.*?(?:[.!?](?=\s|$)|\n|$)", text):
            if size(text[: match.end()]) >= given[limit]:
                break
            kept = text[: match.end()].strip()
        return kept or None

    return mended


def _placeholders(text: str, given: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    missing = given["num_placeholders"] - len(re.findall(r"\[.*?\]", text))
    first = int(hashlib.sha256(row["topic"].encode()).hexdigest()[:4], 16)
    fields = islice(cycle(_FIELDS), first % len(_FIELDS), first % len(_FIELDS) + missing)
    return f"{text}\n\n" + "\n".join(f"{field.capitalize()}: [{field}]" for field in fields)


def _chosen(text: str, given: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    said = re.match(r"\W*(yes|no)\b", text, re.IGNORECASE)
    return f"My answer is {said[1].lower() if said else 'maybe'}."


def _json(text: str, given: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    return "```json\n" + json.dumps({"answer": text}, ensure_ascii=False, indent=2) + "\n```"


_MENDED: dict[str, Callable[..., str | None]] = {
    "detectable_format:constrained_response": _chosen,
    "length_constraints:number_words": _to_length("num_words", lambda text: len(re.findall(r"\w+", text))),
    "length_constraints:number_sentences": _to_length("num_sentences", lambda text: len(_sentences(text))),
    "keywords:forbidden_words": _without,
    "keywords:existence": _with_keywords,
    "keywords:frequency": _oftener,
    "keywords:letter_frequency": lambda text, given, row: f"{text} In short: {_LETTERS[given['letter']]}.",
    "punctuation:no_comma": lambda text, given, row: text.replace(",", ""),
    "length_constraints:number_paragraphs": _shape(
        lambda parts, _: "\n\n***\n\n".join(parts), "num_paragraphs"
    ),
    "length_constraints:nth_paragraph_first_word": _shape(_opened, "num_paragraphs"),
    "detectable_format:multiple_sections": _shape(_labelled, "num_sections"),
    "detectable_format:number_bullet_lists": _bullets,
    "combination:two_responses": _shape(lambda parts, _: "\n\n******\n\n".join(parts), 2),
    "detectable_format:number_highlighted_sections": lambda text, given, row: _spread(
        text, given["num_highlights"], lambda word: f"*{word}*"
    ),
    "change_case:capital_word_frequency": lambda text, given, row: _spread(
        text, given["capital_frequency"], str.upper
    ),
    "detectable_content:number_placeholders": _placeholders,
    "detectable_format:title": lambda text, given, row: f"<<{row['topic'].title()}>>\n\n{text}",
    "detectable_content:postscript": lambda text, given, row: (
        f"{text}\n\n{given['postscript_marker']} {_pick(_POSTSCRIPTS, row)}"
    ),
    "startend:end_checker": lambda text, given, row: f"{text} {given['end_phrase']}",
    "change_case:english_lowercase": lambda text, given, row: text.lower(),
    "change_case:english_capital": lambda text, given, row: text.upper(),
    "combination:repeat_prompt": lambda text, given, row: f"{given['prompt_to_repeat']}\n\n{text}",
    "detectable_format:json_format": _json,
    "startend:quotation": lambda text, given, row: '"' + text.replace('"', "'") + '"',
}
"""By instruction, in the order in which they are mended: what is said, its shape, what stands around it."""
