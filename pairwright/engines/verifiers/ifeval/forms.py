"""Instructions about form: paragraphs, lists, marks, beginnings and ends."""

import json
import re

_PUNCTUATION = ".,?!'\""


def number_paragraphs(answer: str, num_paragraphs: int) -> bool:
    """Check for `num_paragraphs` paragraphs, with `***` between them."""
    parts = re.split(r"\s?\*\*\*\s?", answer)
    inner = parts[1:-1]
    return all(p.strip() for p in inner) and sum(bool(p.strip()) for p in parts) == num_paragraphs


def nth_paragraph_first_word(answer: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Check for a number of paragraphs, with an empty line between them, one beginning with a word."""
    parts = answer.split("\n\n")
    count = sum(bool(part.strip()) for part in parts)
    if nth_paragraph > count or not parts[nth_paragraph - 1].strip():
        return False
    word = parts[nth_paragraph - 1].split()[0].lstrip("'").lstrip('"')
    end = next((place for place, sign in enumerate(word) if sign in _PUNCTUATION), len(word))
    return count == num_paragraphs and word[:end].lower() == first_word.lower()


def number_placeholders(answer: str, num_placeholders: int) -> bool:
    """Check for a least number of placeholders such as `[address]`."""
    return len(re.findall(r"\[.*?\]", answer)) >= num_placeholders


def postscript(answer: str, postscript_marker: str) -> bool:
    """Check for a postscript that begins with a marker."""
    known = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
    pattern = known.get(postscript_marker.strip(), postscript_marker.strip().lower())
    return re.search(rf"\s*{pattern}.*$", answer.lower(), re.MULTILINE) is not None


def number_bullet_lists(answer: str, num_bullets: int) -> bool:
    """Check for an exact number of bullet points, with `*` or `-`."""
    stars = re.findall(r"^\s*\*[^\*].*$", answer, re.MULTILINE)
    dashes = re.findall(r"^\s*-.*$", answer, re.MULTILINE)
    return len(stars) + len(dashes) == num_bullets


_CHOICES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def constrained_response(answer: str) -> bool:
    """Check that the answer is one of the three that are allowed."""
    return any(choice in answer for choice in _CHOICES)


def number_highlighted_sections(answer: str, num_highlights: int) -> bool:
    """Check for a least number of parts between `*` or `**`."""
    once = [part.strip("*") for part in re.findall(r"\*[^\n\*]*\*", answer)]
    twice = [part[2:-2] for part in re.findall(r"\*\*[^\n\*]*\*\*", answer)]
    return sum(bool(part.strip()) for part in once + twice) >= num_highlights


def multiple_sections(answer: str, section_spliter: str, num_sections: int) -> bool:
    """Check for a least number of sections, each begun by a word and its number: `Section 1`."""
    return len(re.split(rf"\s?{section_spliter.strip()}\s?\d+\s?", answer)) > num_sections


def json_format(answer: str) -> bool:
    """Check that all of the answer is JSON, in a code block or bare."""
    bare = answer.strip()
    for fence in ("```json", "```Json", "```JSON", "```"):
        bare = bare.removeprefix(fence)
    try:
        json.loads(bare.removesuffix("```").strip())
    except ValueError:
        return False
    return True


def title(answer: str) -> bool:
    """Check for a title between `<<` and `>>`."""
    return any(found.lstrip("<").rstrip(">").strip() for found in re.findall(r"<<[^\n]+>>", answer))


def two_responses(answer: str) -> bool:
    """Check for two different answers, with `******` between them."""
    parts = answer.split("******")
    said = [part.strip() for part in parts if part.strip()]
    return all(part.strip() for part in parts[1:-1]) and len(said) == 2 and said[0] != said[1]


def repeat_prompt(answer: str, prompt_to_repeat: str) -> bool:
    """Check that it begins with the prompt, word for word."""
    return answer.strip().lower().startswith(prompt_to_repeat.strip().lower())


def end_checker(answer: str, end_phrase: str) -> bool:
    """Check that it ends with a phrase."""
    return answer.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def quotation(answer: str) -> bool:
    """Check that all of the answer stands between double quotation marks."""
    bare = answer.strip()
    return len(bare) > 1 and bare[0] == bare[-1] == '"'


def no_comma(answer: str) -> bool:
    """Check that there is no comma."""
    return "," not in answer
