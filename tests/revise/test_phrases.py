"""Meta talk, refusals and models that introduce themselves, in thirty languages, and what comes near."""

import tomllib
from pathlib import Path

import pytest

from pairwright.pairs.minimality import measure
from revise.gates import GateConfig, Revision, check
from revise.phrases import declines, speaks_as_model, speaks_of_itself

HERE = Path(__file__).parent
SAID = tomllib.loads((HERE / "languages.toml").read_text())
UNSEEN = tomllib.loads((HERE / "languages_unseen.toml").read_text())
MOST_SPOKEN = {
    "en",
    "zh",
    "hi",
    "es",
    "ar",
    "fr",
    "bn",
    "pt",
    "ru",
    "id",
    "ur",
    "de",
    "ja",
    "pcm",
    "mr",
    "vi",
}
MOST_SPOKEN |= {"te", "ha", "tr", "pa"}
"""Of first and second language (Ethnologue 2025, where Standard and Egyptian Arabic are two of them)."""


def found(text: str) -> str | None:
    """Which of the three a text is."""
    if speaks_of_itself(text):
        return "meta"
    if declines(text):
        return "refused"
    return "ai" if speaks_as_model(text) else None


def test_the_most_spoken_languages_are_there() -> None:
    assert not MOST_SPOKEN - set(SAID)
    assert all(SAID[language][kind] for language in SAID for kind in ("meta", "refused", "ai", "innocent"))


@pytest.mark.parametrize("language", SAID)
@pytest.mark.parametrize("kind", ["meta", "refused", "ai"])
def test_what_is_no_answer_is_found(language: str, kind: str) -> None:
    missed = [text for text in SAID[language][kind] if found(text) is None]
    assert not missed


@pytest.mark.parametrize("language", SAID)
def test_answers_that_come_near_pass(language: str) -> None:
    alarms = {text: found(text) for text in SAID[language]["innocent"] if found(text)}
    assert not alarms


def test_nearly_all_of_what_was_written_after_the_lists_is_found() -> None:
    texts = [text for said in UNSEEN.values() for kind in said.values() for text in kind]
    assert len(texts) == 38
    assert sum(found(text) is not None for text in texts) >= 37


def test_a_second_set_is_nearly_all_told_apart() -> None:
    later = tomllib.loads((HERE / "languages_later.toml").read_text())
    known = [found(text) for said in later.values() for kind in ("refused", "meta") for text in said[kind]]
    assert (len(known), sum(kind is not None for kind in known)) == (69, 67)
    assert not [text for said in later.values() for text in said["innocent"] if found(text)]


@pytest.mark.parametrize(
    ("file", "refusals", "remarks", "alarms"),
    [
        ("wordings", 200, 100, 0),
        ("wordings_second", 80, 40, 0),
        ("wordings_blind", 24, 12, 0),
        ("wordings_third", 84, 84, 0),
        ("wordings_fourth", 80, 80, 1),
        ("wordings_fifth", 100, 100, 0),
    ],
)
def test_what_is_found_of_wordings_that_were_written_after_the_lists(
    file: str, refusals: int, remarks: int, alarms: int
) -> None:
    said = tomllib.loads((HERE / f"{file}.toml").read_text())
    assert set(said) >= MOST_SPOKEN
    hits = {
        kind: sum(found(text) is not None for one in said.values() for text in one[kind])
        for kind in ("refused", "meta", "innocent")
    }
    assert hits["refused"] >= refusals
    assert hits["meta"] >= remarks
    assert hits["innocent"] <= alarms


OTHER = " ".join(f"word{chr(97 + n)}" for n in range(26))
OPEN = GateConfig(min_kept_share=0, max_edit_distance=1, min_length_ratio=0, max_length_ratio=1e9)


def status(original: str, revision: str) -> str:
    return check(Revision(original, revision, measure(revision, original, original=original)), OPEN).status


@pytest.mark.parametrize("language", SAID)
def test_the_gates_drop_it_unless_the_answer_says_the_same(language: str) -> None:
    for kind in ("meta", "refused", "ai"):
        for text in SAID[language][kind]:
            assert status(OTHER, f"{text} {OTHER}") in ("meta_talk", "refused")
            assert status(f"{text} {OTHER}", f"{text} {OTHER} more") == "kept"


def test_case_and_line_breaks_do_not_matter() -> None:
    for text in (
        "HERE IS THE REVİSED ANSWER",
        "here is\nthe corrected\nanswer:",
        "Maalesef BU İSTEĞİNİZE YARDIMCI OLAMAM.",
    ):
        assert found(text) is not None, text
