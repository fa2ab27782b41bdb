"""Meta talk, refusals and models that introduce themselves, in thirty languages, and answers that come near."""

import tomllib
from pathlib import Path

import pytest

from revise.gates import Candidate, GateConfig, check
from revise.phrases import declines, speaks_as_model, speaks_of_itself
from pairwright.pairs.minimality import measure

HERE = Path(__file__).parent
SAID = tomllib.loads((HERE / "languages.toml").read_text())
UNSEEN = tomllib.loads((HERE / "languages_unseen.toml").read_text())
MOST_SPOKEN = "en zh hi es ar fr bn pt ru id ur de ja pcm mr vi te ha tr pa".split()
"""Ethnologue 2025, first and second language; Egyptian Arabic (ar) and Standard Arabic are two of twenty."""


def found(text: str) -> str | None:
    """Which of the three a text is."""
    if speaks_of_itself(text):
        return "meta"
    if declines(text):
        return "refused"
    return "ai" if speaks_as_model(text) else None


def test_the_most_spoken_languages_are_there() -> None:
    assert set(MOST_SPOKEN) <= set(SAID)
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


@pytest.mark.parametrize("language", SAID)
def test_the_gates_say_which_it_is(language: str) -> None:
    """A revision is dropped for it only if the answer does not say the same already."""
    for kind, statuses in (("meta", {"meta_talk"}), ("refused", {"refused"}), ("ai", {"meta_talk", "refused"})):
        for text in SAID[language][kind]:
            revision = f"{text} {OTHER}"
            assert status(OTHER, revision) in statuses | ({"meta_talk"} if kind == "refused" else set())
            assert status(f"{text} {OTHER} ", revision) == "kept"


OTHER = " ".join(f"word{chr(97 + n)}" for n in range(26)) + " and so on, to the end of a long enough answer"
OPEN = GateConfig(min_kept_share=0, max_edit_distance=1, min_length_ratio=0, max_length_ratio=1e9)


def status(original: str, revision: str) -> str:
    return check(Candidate(original, revision, measure(revision, original, original=original)), OPEN).status
