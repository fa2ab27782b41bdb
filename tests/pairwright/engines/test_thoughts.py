"""Thoughts told from answers: every model's marks, marks that are only spoken of, and what was cut off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairwright.engines.thoughts import KNOWN, Marks, marks_in, opened_by, part, read_marks

THOUGHT = "They ask for a capital.\nThat is Rome, I recall."
CODE = "    if x < 3:\n        return None\n"

HARMONY = "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>{}"
FORMS = {
    "lines": "<think>\n{}\n</think>\n\n{}",
    "blank in front": "\n <think>{}</think>\n{}",
    "brackets": "[THINK]{}[/THINK]{}",
    "thought": "<thought>{}</thought>{}",
    "the template has opened it": "{}\n</think>\n\n{}",
    "the same, in brackets": "{}[/THINK]{}",
    "channels": HARMONY,
    "channels with their end": HARMONY + "<|return|>",
    "channels from the start": "<|start|>assistant" + HARMONY,
    "channels whose marks were lost": "analysis{}assistantfinal{}",
    "capitals": "<THINK>{}</THINK>\n{}",
    "a capital, not opened": "{}\n</Think>\n{}",
    "a marked solution": "<|begin_of_thought|>{}<|end_of_thought|>\n"
    "<|begin_of_solution|>\n{}<|end_of_solution|>",
    "a marked response": "<|START_THINKING|>{}<|END_THINKING|><|START_RESPONSE|>{}<|END_RESPONSE|>",
    "a scratchpad": "<scratchpad>\n{}\n</scratchpad>\n\n{}",
    "a monologue, not opened": "{}\n</inner_monologue>\n{}",
    "controls": "<|think|>{}<|/think|>{}",
    "unused tokens": "<unused94>thought\n{}<unused95>{}",
    "a final response": "{}\n[BEGIN FINAL RESPONSE]\n{}\n[END FINAL RESPONSE]",
    "two thoughts": "<think>{}</think>\n<think></think>\n{}",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("answer", ["Rome.", CODE, "To close it, write `</think>` or </think>.", ""])
def test_a_thought_in_front_is_taken_off_and_kept(form: str, answer: str) -> None:
    assert part(form.format(THOUGHT, answer)) == (THOUGHT, answer, True)


@pytest.mark.parametrize(
    "answer",
    [
        "Rome.",
        " \n\n  Rome, \r\n",
        "Models write <think> before and </think> after they think.",
        "The closing tag is </think>",
        "It ends with: </think>\nand then the answer comes.",
        "Write `</think>` on a line of its own:\n```\nfoo\n</think>\n```\nThat is all.",
        "Write\n<think>\nhm\n</think>\nand go on.",
        'He said "</think>".',
        "<think> and </think> are marks.",
        "'<think>' opens a thought.",
        "analysis of the numbers, then assistantfinal",
        "The word is [THINK], and [/THINK] ends it.",
        "<thinker>no mark</thinker>",
    ],
)
def test_an_answer_that_speaks_of_marks_is_an_answer(answer: str) -> None:
    assert part(answer) == (None, answer, True)


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\n{THOUGHT}",
        f"<|channel|>analysis<|message|>{THOUGHT}",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|>",
        f"analysis{THOUGHT}",
        f"[THINK]{THOUGHT}",
    ],
)
def test_a_thought_that_never_ends_leaves_no_answer(text: str) -> None:
    assert part(text) == (THOUGHT, "", False)


def test_a_thought_within_a_thought_is_a_part_of_it() -> None:
    text = "<think>One. <think>Two.</think> Three.\n</think>\n\nRome."
    assert part(text) == ("One. <think>Two.</think> Three.", "Rome.", True)
    assert part("<think>I write <think> first.</think>\nRome.") == ("I write <think> first.", "Rome.", True)


def test_an_empty_block_is_no_thought() -> None:
    assert part("<think>\n\n</think>\n\nRome.") == (None, "Rome.", True)


def test_a_prompt_that_opened_the_thought_says_where_the_text_begins() -> None:
    opened = opened_by("<|user|>Hi<|assistant|><think>\n")
    assert opened == Marks("<think>", "</think>")
    assert opened_by("<|user|>Hi<|assistant|><think>\n\n</think>\n\n") is None
    assert part("hm, it is a tag </think> Rome.", opened=opened) == ("hm, it is a tag ", "Rome.", True)
    assert part("hm", opened=opened) == ("hm", "", False)
    assert part("<think>hm</think>Rome.", opened=opened) == ("hm", "Rome.", True)


def test_a_closing_mark_that_a_thought_quotes_does_not_end_it() -> None:
    assert part("<think>I must write `</think>` here.</think>Rome.").answer == "Rome."


def test_a_template_says_which_marks_its_model_has() -> None:
    template = "{% if '[THINK]' in m %}{{ m.split('[/THINK]')[-1] }}{% endif %}"
    assert marks_in(template) == (Marks("[THINK]", "[/THINK]"),)
    assert marks_in("{{ messages[0].content }}") == ()


def test_marks_can_be_named() -> None:
    own = read_marks("<pad>, </pad>")
    assert part("<pad>hm</pad> Rome.", own) == ("hm", "Rome.", True)
    assert part("<think>hm</think>Rome.", own).answer == "Rome."
    assert part("<think>hm</think>Rome.", read_marks("none")) == (None, "<think>hm</think>Rome.", True)
    for wrong in ("", "<pad>", "<a>,<a>", "<a>,<b>,<c>"):
        with pytest.raises(ValueError, match="opening and the closing tag"):
            read_marks(wrong)


WORDS = st.text(st.sampled_from("abcXYZ .,\n\r\t<>/[]|`'\"é😀{}"), max_size=60)


@given(WORDS, WORDS, st.sampled_from(KNOWN), st.sampled_from(["", "\n", "\n\n", "\r\n \n"]))
def test_any_thought_before_any_answer(thought: str, answer: str, marks: Marks, between: str) -> None:
    """The answer comes back letter for letter, but for blank lines in front of it."""
    found = part(f"{marks.opens}{thought}a{marks.closes}{between}{answer}")
    assert found.ended
    assert answer.endswith(found.answer)
    assert not answer.removesuffix(found.answer).strip()
    assert found.thought == (thought + "a").strip("\r\n")


@given(WORDS)
def test_text_without_marks_is_left_alone(text: str) -> None:
    assert part(text) == (None, text, True)


@given(WORDS, st.sampled_from(KNOWN), WORDS)
def test_what_is_parted_once_stays_as_it_is(thought: str, marks: Marks, answer: str) -> None:
    found = part(f"{marks.opens}{thought}{marks.closes}\n{answer}")
    assert part(found.answer) == (None, found.answer, True)
