"""Which revisions become pairs: exact limits, order, and honest answers that must pass."""

import pytest
from pydantic import ValidationError

from pairwright.errors import UsageError
from pairwright.minimality import Minimality, measure
from revise import ReviseConfig, revise
from revise.gates import (
    SLACK_TOKENS,
    Candidate,
    GateConfig,
    Verdict,
    check,
    length_drift,
    lost_content,
    meta_talk,
    no_change,
    refused,
    rewritten,
)

ANY = GateConfig()
OPEN = GateConfig(min_kept_share=0, max_edit_distance=1, min_length_ratio=0, max_length_ratio=1e9)


def candidate(original: str, revision: str) -> Candidate:
    return Candidate(original, revision, measure(revision, original, original=original))


def status(original: str, revision: str, config: GateConfig = ANY) -> str:
    return check(candidate(original, revision), config).status


@pytest.mark.parametrize(
    ("original", "revision", "same"),
    [
        ("Paris.", "Paris.", True),
        ("Paris.", " paris.\n", True),
        ("a b\n\nc", "a  b c", True),
        ("Straße", "STRASSE", True),
        ("", "", True),
        ("Paris.", "Paris", False),
        ("it's", "its", False),
        ("ab", "a b", False),
        ("2+2=5", "2+2=4", False),
    ],
)
def test_no_change(original: str, revision: str, same: bool) -> None:
    assert (no_change(candidate(original, revision), ANY) is not None) is same


META = [
    "Here is the revised answer: Paris.",
    "Here's an improved version:\nParis.",
    "Here’s the corrected student solution: Paris.",
    "Sure! Below is the corrected version. Paris.",
    "Certainly, here is your updated response: Paris.",
    "I've provided a slightly improved answer: Paris.",
    "Paris. In this revised version the name is right.",
    "Paris. I have corrected the answer.",
    "I fixed your previous answer. Paris.",
    "The corrected answer is Paris.",
    "The student's answer was wrong: it is Paris.",
    "The student answer is Paris.",
    "Unlike the original answer, this says Paris.",
    "Your previous response said Lyon; it is Paris.",
    "Paris.\n\n**Changes made:** replaced Lyon.",
    "Paris.\nExplanation of the changes: Lyon is no capital.",
    "Paris.</revision>",
    "<rationale>x</rationale> Paris.",
    "This worsened answer says Lyon.",
]
HONEST = [
    "Norway's revised version of the constitution was adopted in 2014.",
    "The corrected text of the treaty lists 27 states.",
    "An improved solution uses a hash map and runs in O(n).",
    "Use the updated version of Python, 3.12.",
    "Here is the recipe for an improved crust.",
    "Here are ways to correct your posture.",
    "Certainly! Regular exercise improves health, and the corrected dose is 5 mg.",
    "Of course; revising for an exam takes weeks.",
    "The student response rate was 40%, and student answers varied.",
    "Students answer questions; the student solved it.",
    "The original solution of NaCl was diluted; the previous response was cached.",
    "Clone the original response before reading; the initial response of the immune system is fast.",
    "The patient showed an improved response to treatment.",
    "I edited the text of my novel, and I have improved my version of the song.",
    "The rationale: less is more. Rationale and revision are nouns.",
    "This edition is a revision. Changes made in 1986 stay.",
    "HTTP sends an updated response header.",
    "A corrected proof appeared later.",
]


@pytest.mark.parametrize("text", META)
def test_a_revision_that_speaks_of_itself_is_dropped(text: str) -> None:
    verdict = meta_talk(candidate("Lyon.", text), ANY)
    assert verdict is not None
    assert verdict.status == "meta_talk"
    assert "“" in verdict.reason


@pytest.mark.parametrize("text", HONEST)
def test_honest_words_about_revisions_pass(text: str) -> None:
    assert meta_talk(candidate("Lyon.", text), ANY) is None


@pytest.mark.parametrize("text", META)
def test_what_the_answer_says_too_is_no_meta_talk(text: str) -> None:
    assert meta_talk(candidate(f"{text} Indeed.", text), ANY) is None


REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I’m sorry, I cannot assist with this request.",
    "Sorry, I can't do that.",
    "I apologize, but I am unable to provide medical advice.",
    "I cannot fulfill this request.",
    "I can't provide that information.",
    "I cant answer this.",
    "Unfortunately, I won't be able to write it.",
    "Unfortunately, due to our policy I'm not able to discuss it.",
    "I must respectfully decline.",
    "I have to decline.",
    "As an AI language model, I do not have opinions.",
    "As an AI, I cannot feel.",
    "I'm sorry, but as a large language model, I have no body.",
    "I don't feel comfortable answering.",
    "I do not have access to the internet.",
    "  **I'm very sorry**, but I will not engage in this.",
    "My apologies, I am not able to continue.",
]
NO_REFUSALS = [
    "I'm sorry for your loss. Take your time to grieve.",
    "I am so sorry to hear that! Here is what you can do.",
    "Sorry is a word of apology.",
    "Sorry! is a board game; you can't help but laugh.",
    "I can't stress enough how much sleep matters.",
    "I cannot recommend this book highly enough.",
    "I can't help but admire the view.",
    "I cannot wait to see you.",
    "Unfortunately, it rained, and the match was cancelled.",
    "I apologize for the delay; the report is attached.",
    "As an AI engineer, you should learn Python.",
    "As an example, I use Paris.",
    "You can say: “I'm sorry, I can't help you with that.”",
    "Dear Ms Smith, I am unable to attend.",
    "I won't lie: it is hard.",
    "I will not give up, said the hero.",
    "Paris. I cannot provide more.",
    "I do not have a car.",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_dropped(text: str) -> None:
    verdict = refused(candidate("Lyon.", text), ANY)
    assert verdict is not None
    assert verdict.status == "refused"


@pytest.mark.parametrize("text", NO_REFUSALS)
def test_sorrow_and_inability_are_no_refusals(text: str) -> None:
    assert refused(candidate("Lyon.", text), ANY) is None


def test_a_refusal_of_a_refusal_passes() -> None:
    assert refused(candidate(REFUSALS[0], REFUSALS[1]), ANY) is None


def test_what_a_reason_quotes_is_short_and_one_line() -> None:
    verdict = refused(candidate("x", "I cannot help with " + "very " * 200), ANY)
    assert verdict is not None
    assert len(verdict.reason) < 150
    assert verdict.reason.endswith("…”")


@pytest.mark.parametrize(
    ("original", "revision", "lost"),
    [
        ("```\nx\n```", "x", True),
        ("```\nx\n```", "```\ny\n```", False),
        ("1. do\n   ```sh\n   ls\n   ```", "1. do ls", True),
        ("~~~\nx\n~~~", "```\nx\n```", False),
        ("see `x`", "see x", False),
        ("see https://a.org/b", "see a.org", True),
        ("see https://a.org/b.", "see https://a.org/b, and more", False),
        ("see (https://a.org/b)", "see https://a.org/b!", False),
        ("[x](https://a.org/b)", "<https://a.org/b>", False),
        ("**https://a.org/b**", "https://a.org/b", False),
        ("https://a.org/b?x=1&y=2", "https://a.org/b?x=1", True),
        ("1 2 3 4", "1 2 five six", False),
        ("1 2 3 4", "1 four five six", True),
        ("1 2", "one two", False),
        ("1,000 and 2.5 and 7", "1,000 and 2.5 and 8", False),
        ("1 1 1 2", "1 two", False),
    ],
)
def test_lost_content(original: str, revision: str, lost: bool) -> None:
    assert (lost_content(candidate(original, revision), ANY) is not None) is lost


def words(count: int, prefix: str = "w") -> str:
    """That many different words, without digits, which another gate looks at."""
    return " ".join(prefix + chr(ord("a") + i // 26 % 26) + chr(ord("a") + i % 26) * (1 + i // 676)
                    for i in range(count))  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "drifts"),
    [
        (100, 150, False),
        (100, 151, True),
        (100, 70, False),
        (100, 69, True),
        (10, 10 + SLACK_TOKENS, False),
        (10, 11 + SLACK_TOKENS, True),
        (SLACK_TOKENS, 0, False),
        (SLACK_TOKENS + 1, 0, True),
        (0, SLACK_TOKENS, False),
        (0, SLACK_TOKENS + 1, True),
    ],
)
def test_length_drift_at_its_limits(before: int, after: int, drifts: bool) -> None:
    assert (length_drift(candidate(words(before), words(after)), ANY) is not None) is drifts


def measured(kept_share: float, edit_distance: float) -> Candidate:
    return Candidate("a", "b", Minimality(0, 0, edit_distance, 0.0, kept_share, 0, 1.0, ()))


@pytest.mark.parametrize(
    ("kept_share", "edit_distance", "drops"),
    [
        (0.5, 0.6, False),
        (0.4999, 0.6, True),
        (0.5, 0.6001, True),
        (1.0, 0.0, False),
        (0.0, 1.0, True),
    ],
)
def test_rewritten_at_its_limits(kept_share: float, edit_distance: float, drops: bool) -> None:
    assert (rewritten(measured(kept_share, edit_distance), ANY) is not None) is drops
    assert rewritten(measured(kept_share, edit_distance), OPEN) is None


def test_reasons_show_numbers_that_differ_from_their_limit() -> None:
    verdict = rewritten(measured(0.4996, 0), ANY)
    assert verdict == Verdict(
        "rewritten", "the revision keeps 49.96% of the answer's words; at least 50% is wanted"
    )
    verdict = length_drift(candidate(words(1000), words(1501)), ANY)
    assert verdict is not None
    assert verdict.reason == (
        "the revision has 1.501 times the answer's words; between 0.7 and 1.5 is allowed"
    )


def test_the_first_gate_that_fails_names_the_row() -> None:
    """From what is not a revision at all to what is one and goes too far."""
    code = f"```\nx\n```\n{words(60)}"
    assert status(code, code.upper()) == "no_change"
    assert status(code, "Here is the revised answer: I'm sorry, but I can't help with that.") == "meta_talk"
    assert status(code, "I'm sorry, but I can't help with that.") == "refused"
    assert status(code, "waa") == "lost_content"
    assert status(words(60), "waa") == "length_drift"
    assert status(words(60), words(60, "v")) == "rewritten"
    assert status(words(60), words(59) + " changed") == "kept"
    assert status(words(60), words(600, "v"), OPEN) == "kept"


@pytest.mark.parametrize(
    "settings",
    [
        {"min_kept_share": 1.01}, {"min_kept_share": -0.1}, {"max_edit_distance": 2},
        {"min_length_ratio": -1}, {"max_length_ratio": 0}, {"min_kept_share": float("nan")}, {"gate": 1},
    ],
)  # fmt: skip
def test_limits_that_are_none_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        GateConfig(**settings)


def test_limits_that_nothing_can_meet_are_refused() -> None:
    config = ReviseConfig(input="x", out="y", reviser="canned:z", min_length_ratio=2, max_length_ratio=1)
    with pytest.raises(UsageError, match="no revision could pass"):
        revise(config)
