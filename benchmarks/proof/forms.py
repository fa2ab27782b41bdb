"""Forms that an answer may have though nobody asked, each with the instruction that asks for it."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

Forms = Mapping[str, tuple[str, Callable[[str], bool]]]
ANY = "any of them"
_BY_CHANCE = "no comma"

INSTRUCTED: Forms = {
    "quotation marks": ("startend:quotation", lambda a: len(a) > 1 and a[0] == a[-1] == '"'),
    "opening quotation mark": ("startend:quotation", lambda a: a.startswith('"')),
    "small letters": ("change_case:english_lowercase", lambda a: a.islower()),
    "capitals": ("change_case:english_capital", lambda a: a.isupper()),
    "no comma": ("punctuation:no_comma", lambda a: "," not in a),
    "title": ("detectable_format:title", lambda a: re.search(r"<<[^\n]+>>", a) is not None),
    "postscript": (
        "detectable_content:postscript",
        lambda a: re.search(r"\bP\.\s?(P\.\s?)?S\b", a) is not None,
    ),
    "bullets": (
        "detectable_format:number_bullet_lists",
        lambda a: re.search(r"^\s*[*-] ", a, re.MULTILINE) is not None,
    ),
    "placeholders": (
        "detectable_content:number_placeholders",
        lambda a: re.search(r"\[.*?\]", a) is not None,
    ),
    "highlights": (
        "detectable_format:number_highlighted_sections",
        lambda a: re.search(r"\*[^\s*][^\n*]*\*", a) is not None,
    ),
    "two answers": ("combination:two_responses", lambda a: "******" in a),
    "divider": (
        "length_constraints:number_paragraphs",
        lambda a: re.search(r"(?<!\*)\*\*\*(?!\*)", a) is not None,
    ),
    "sections": (
        "detectable_format:multiple_sections",
        lambda a: (
            re.search(r"^(section|part|paragraph|day|step) \d", a, re.MULTILINE | re.IGNORECASE) is not None
        ),
    ),
    "JSON": ("detectable_format:json_format", lambda a: a.removeprefix("```json").lstrip().startswith("{")),
    "yes, no or maybe": ("detectable_format:constrained_response", lambda a: a.startswith("My answer is")),
}


def leak(answers: Iterable[tuple[str, Sequence[str]]], forms: Forms) -> dict[str, float]:
    """For each form the share of answers that have it, of those whose instructions do not ask for it.

    `ANY`: the share of all answers that have some form which was not asked for.
    """
    listed = [(answer.strip(), instructions) for answer, instructions in answers]
    shares = {}
    for form, (instruction, has) in forms.items():
        unasked = [has(answer) for answer, instructions in listed if instruction not in instructions]
        shares[form] = sum(unasked) / len(unasked) if unasked else 0.0
    stray = [has_unasked(answer, instructions, forms) for answer, instructions in listed]
    return shares | {ANY: sum(stray) / len(stray)}


def has_unasked(answer: str, instructions: Sequence[str] = (), forms: Forms = INSTRUCTED) -> bool:
    """Whether an answer has some form that none of its instructions asks for.

    To have no comma is not counted: short answers have none by chance.
    """
    return any(
        form != _BY_CHANCE and instruction not in instructions and has(answer)
        for form, (instruction, has) in forms.items()
    )
