"""Which patterns are looked at: all that match, few that do not."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revise import phrases
from revise.needed import Needed, ways_of

FLAGS = re.IGNORECASE | re.MULTILINE
WRITTEN = [
    r"\bi\s(?:revised|corrected)\s(?:the|my)\sanswer",
    r"my (?:\w+\s)?(?:first )?draft|(?:an?\s)?old\n*version",
    r"(?=[^.]{0,9}request)[^.]{0,9}cannot",
    r"(?:re(?:vised|written)|improved)[:.]",
    r"(?!not)(?<![a-z])(?:here|there)(?:'s|\sis)\s?it",
    r"(?:ab|cd){2,3}straße+|İstanbul[a-z]?",
    r"[a-c]{2}",
]
SENTENCES = ["I revised the answer", "an old  Version", "Your request? I cannot", "my İstanbul draft:"]
SAID = tomllib.loads(Path(__file__).with_name("languages.toml").read_text())


def likely(text: str, patterns: list[str] = WRITTEN) -> list[int]:
    return Needed(ways_of({"any": patterns}, FLAGS)).by("any", text)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("I revised the answer", [0, 6]),
        ("I revised the question", [6]),
        ("The answer was REVISED.", [3, 6]),
        ("an old  Version", [1, 6]),
        ("my draft", [1, 6]),
        ("Your request? I cannot", [2, 6]),
        ("I cannot", [6]),
        ("there is it, or here's", [4, 6]),
        ("abcdSTRASSE in istanbul", [5, 6]),
        ("", [6]),
    ],
)
def test_the_patterns_whose_words_are_in_a_text(text: str, numbers: list[int]) -> None:
    assert likely(text) == numbers


@given(st.data())
@settings(max_examples=60)
def test_what_a_pattern_matches_it_is_looked_for_in(data: st.DataObject) -> None:
    number = data.draw(st.sampled_from(range(len(WRITTEN))))
    text = data.draw(st.from_regex(re.compile(WRITTEN[number], FLAGS)))
    assert number in likely(text)


@given(st.lists(st.text("adfirtv \n.") | st.sampled_from([*SENTENCES, ""]), max_size=6))
def test_many_texts_at_once_hold_what_they_hold_alone(texts: list[str]) -> None:
    several, alone = (Needed(ways_of({"any": WRITTEN, "some": WRITTEN[:3]}, FLAGS)) for _ in range(2))
    several.look_at(texts)
    for text in [*texts, "my draft"]:
        assert several.by("any", text) == alone.by("any", text)
        assert several.by("some", text) == alone.by("some", text)


def test_letters_that_patterns_take_for_one_another_are_one() -> None:
    for letter, others in {"i": "Iİı", "s": "Sſ", "k": "K\N{KELVIN SIGN}", "σ": "Σς", "ß": "ẞ"}.items():
        for other in others:
            assert re.fullmatch(letter, other, FLAGS)
            assert likely(f"aaa{other}bb", [f"a{letter}b"]) == [0]


@pytest.mark.parametrize("language", SAID)
def test_no_pattern_of_any_language_is_passed_over_that_matches(language: str) -> None:
    patterns = phrases._patterns()
    for text in (text for said in SAID[language].values() for text in said[::12]):
        for kind in get_args(phrases.Kind):
            compiled = [phrases._compiled(kind, n) for n in range(len(patterns[kind]))]
            matching = {n for n, pattern in enumerate(compiled) if pattern.search(text)}
            assert matching <= set(phrases._needed().by(kind, text))


def test_nothing_of_an_ordinary_answer_is_looked_for() -> None:
    text = "Sodium chloride dissolves because water molecules surround each ion and carry it off."
    assert not [kind for kind in get_args(phrases.Kind) if list(phrases._needed().by(kind, text))]


def test_what_patterns_need_is_kept_and_read_off_them_again_where_that_is_damaged(tmp_path, monkeypatch):
    read_off = []
    monkeypatch.setenv("PAIRWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(phrases, "ways_of", lambda *given: read_off.append(1) or ways_of(*given))
    of_new = phrases._needed.__wrapped__
    first, second = of_new(), of_new()
    assert read_off == [1]
    for text in ("I revised the answer", "As an AI model I cannot", "Ich habe den Text überarbeitet:"):
        for kind in get_args(phrases.Kind):
            assert first.by(kind, text) == second.by(kind, text)
    [kept] = (tmp_path / "cache" / "phrases").iterdir()
    for damaged in ("[", "[[1, 2]]"):
        kept.write_text(damaged)
        assert of_new().by("meta", "I revised the answer") == first.by("meta", "I revised the answer")
    monkeypatch.setenv("PAIRWRIGHT_CACHE", "/proc/none")
    assert of_new().by("meta", "I revised the answer") == first.by("meta", "I revised the answer")
    assert read_off == [1] * 4
