"""Instructions about words: which, how many, how often, in which language and case."""

import re
from collections import Counter
from functools import cache
from typing import Any

LESS, AT_LEAST = "less than", "at least"


def compared(count: int, relation: str, wanted: int) -> bool:
    """Return whether a count is `less than` or `at least` what is wanted."""
    if relation not in (LESS, AT_LEAST):
        raise ValueError(f"the relation {relation!r} is neither “{LESS}” nor “{AT_LEAST}”")
    return count < wanted if relation == LESS else count >= wanted


def existence(answer: str, keywords: list[str]) -> bool:
    """Check that every keyword occurs, as a pattern, in any case."""
    return all(re.search(keyword, answer, re.IGNORECASE) for keyword in keywords)


def frequency(answer: str, keyword: str, frequency: int, relation: str) -> bool:
    """Check how often a keyword occurs."""
    return compared(len(re.findall(keyword, answer, re.IGNORECASE)), relation, frequency)


def forbidden_words(answer: str, forbidden_words: list[str]) -> bool:
    """Check that none of the words occurs as a word of its own."""
    return not any(re.search(rf"\b{word}\b", answer, re.IGNORECASE) for word in forbidden_words)


def letter_frequency(answer: str, letter: str, let_frequency: int, let_relation: str) -> bool:
    """Check how often a letter occurs, in any case."""
    return compared(Counter(answer.lower())[letter.strip().lower()], let_relation, let_frequency)


def response_language(answer: str, language: str) -> bool:
    """Check that the answer is in a language, given by its ISO 639-1 code."""
    return detected(answer) in (language, None)


def english_capital(answer: str) -> bool:
    """Check for English, without small letters."""
    return answer.isupper() and detected(answer) in ("en", None)


def english_lowercase(answer: str) -> bool:
    """Check for English, without capital letters."""
    return answer.islower() and detected(answer) in ("en", None)


def capital_word_frequency(answer: str, capital_frequency: int, capital_relation: str) -> bool:
    """Check how many words stand in capitals."""
    return compared(sum(map(str.isupper, tokens(answer))), capital_relation, capital_frequency)


def number_words(answer: str, num_words: int, relation: str) -> bool:
    """Check how many words the answer has."""
    return compared(len(re.findall(r"\w+", answer)), relation, num_words)


def number_sentences(answer: str, num_sentences: int, relation: str) -> bool:
    """Check how many sentences the answer has."""
    return compared(len(sentences(answer)), relation, num_sentences)


def sentences(text: str) -> list[str]:
    """Return the sentences of an English text, by Punkt (Kiss and Strunk 2006)."""
    import punkt

    return list(punkt.sent_tokenize(text))


def tokens(text: str) -> list[str]:
    """Return the words and signs of an English text, as the Penn Treebank divides them."""
    treebank = _treebank()
    return [token for sentence in sentences(text) for token in treebank.tokenize(sentence)]


def detected(text: str) -> str | None:
    """Return the ISO 639-1 code of the language of a text; None where nothing in it tells."""
    from langdetect import DetectorFactory, LangDetectException, detect

    DetectorFactory.seed = 0  # it draws samples, and would say now this, now that of the same text
    try:
        return str(detect(text))
    except LangDetectException:
        return None


@cache
def _treebank() -> Any:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    return NLTKWordTokenizer()
