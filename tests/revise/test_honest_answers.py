"""Gates that read words: what speaks of itself or refuses, and honest answers that only look so."""

import time

import pytest

from pairwright.pairs.minimality import measure
from revise.gates import GateConfig, Revision, meta_talk, refused

ANY = GateConfig()


def candidate(original: str, revision: str) -> Revision:
    return Revision(original, revision, measure(revision, original, original=original))


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
    "piece",
    [
        "here is the ",
        "i have ",
        "the revised ",
        "\n**",
        "\n ",
        "*",
        "sorry, ",
        "as an ai a ",
        "I can't ",
        " ",
    ],
)
def test_hostile_repetition_takes_no_time(piece: str) -> None:
    text = Revision("Lyon.", piece * (100_000 // len(piece)), measure("a", "b", original="b"))
    started = time.process_time()
    meta_talk(text, ANY)
    refused(text, ANY)
    assert time.process_time() - started < 1
