"""What is read from a reviser's completion, in every form that models have been seen to write."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairwright.engines.thoughts import part
from revise.rewriting import bare_revision, parse_revision

FORM = "<rationale>\nwhy\n</rationale>\n<revision>\n{}\n</revision>"

CASES: list[tuple[str, str, tuple[str, str] | None]] = [
    # the form that is asked for, and small slips
    ("as asked", FORM.format("text"), ("why", "text")),
    ("on one line", "<rationale>why</rationale><revision>text</revision>", ("why", "text")),
    ("several paragraphs", FORM.format("one\n\ntwo  \n three"), ("why", "one\n\ntwo  \n three")),
    ("capitals", "<RATIONALE>why</RATIONALE>\n<Revision>text</REVISION>", ("why", "text")),
    ("no rationale", "<revision>text</revision>", ("", "text")),
    ("rationale without tags", "I fix a slip.\n<revision>text</revision>", ("I fix a slip.", "text")),
    ("rationale named", "Rationale: why\n<revision>text</revision>", ("why", "text")),
    ("rationale named in bold", "**Rationale:** why\n<revision>text</revision>", ("why", "text")),
    ("rationale not closed", "<rationale>why\n<revision>text</revision>", ("why", "text")),
    ("words around it", "Sure!\n" + FORM.format("text") + "\nI hope this helps!", ("why", "text")),
    ("not closed", "<rationale>why</rationale>\n<revision>\ntext", ("why", "text")),
    ("closing tag cut off", "<rationale>why</rationale>\n<revision>\ntext\n</revis", ("why", "text")),
    ("spaces in tags", "<revision >text</ revision >", ("", "text")),
    ("attributes", '<revision lang="en">text</revision>', ("", "text")),
    ("a fence around it all", "```xml\n" + FORM.format("text") + "\n```", ("why", "text")),
    ("Windows lines", FORM.format("a\r\nb").replace("\n", "\r\n"), ("why", "a\r\r\nb")),
    ("other line breaks stay", FORM.format("a\x0bb\u2028c"), ("why", "a\x0bb\u2028c")),
    ("revision first", "<revision>text</revision>\n<rationale>why</rationale>", ("", "text")),
    ("revision in the rationale", "<rationale>why <revision>text</revision></rationale>", ("why", "text")),
    # markers that are spoken of
    ("opening tag in the rationale",
     "<rationale>it goes into <revision> tags</rationale>\n<revision>text</revision>",
     ("it goes into  tags", "text")),
    ("both tags in the rationale",
     "<rationale>a <revision> and </revision> b</rationale><revision>text</revision>",
     ("a  and  b", "text")),
    ("a tag in loose words before", "I put it into `<revision>`.\n<revision>\ntext</revision>",
     ("I put it into ``.", "text")),
    ("the revision speaks of tags", FORM.format("put <revision> and </revision> around"),
     ("why", "put <revision> and </revision> around")),
    ("the revision speaks of a closing tag", FORM.format("end with </revision> always"),
     ("why", "end with </revision> always")),
    ("the revision speaks of an opening tag", FORM.format("begin with <revision> always"),
     ("why", "begin with <revision> always")),
    ("the revision speaks of rationales", FORM.format("use <rationale>x</rationale>"),
     ("why", "use <rationale>x</rationale>")),
    ("the rationale says corrected answer",
     "<rationale>\nCorrected answer: needs 4\n</rationale>\n<revision>text</revision>",
     ("Corrected answer: needs 4", "text")),
    ("the revision has such a heading", FORM.format("Corrected answer: 4"), ("why", "Corrected answer: 4")),
    # several
    ("two, the last counts", FORM.format("draft") + "\nBetter:\n" + FORM.format("text"), ("why", "text")),
    ("two on a line", "<revision>draft</revision> or <revision>text</revision>",
     ("draft or", "text")),
    ("the second broke off", "<revision>text</revision>\n<revision>\nagain",
     ("", "text")),
    # thinking
    ("thinking", "<think>hm, <revision>draft</revision></think>\n" + FORM.format("text"), ("why", "text")),
    ("thinking whose tag the server ate", "hm, <revision>draft</revision></think>" + FORM.format("text"),
     ("why", "text")),
    ("thinking in other words", "<thinking>hm</thinking>" + FORM.format("text"), ("why", "text")),
    ("thinking without end", "<think>hm <revision>draft</revision>", None),
    ("the revision speaks of thinking",
     FORM.format("a <think>x</think> b"), ("why", "a <think>x</think> b")),
    ("the revision ends a thought",
     FORM.format("close it with </think>"), ("why", "close it with </think>")),
    # headings
    ("heading", "why\n\nCorrected answer: text", ("why", "text")),
    ("heading alone", "why\n\nCorrected answer:\n\ntext\nmore", ("why", "text\nmore")),
    ("heading without colon", "why\n## Corrected Answer\ntext", ("why", "text")),
    ("heading in bold", "why\n**Revised Answer:** text", ("why", "text")),
    ("heading in bold, colon outside", "why\n**Revised Answer**: text", ("why", "text")),
    ("heading in bold, alone", "why\n**Improved response**\ntext", ("why", "text")),
    ("heading in brackets", "why\n[Corrected version]\ntext", ("why", "text")),
    ("CLAIR's markers", "{teacher_reasoning}: why\n\n{corrected_student_solution}: text", ("why", "text")),
    ("CLAIR's, no colon", "{teacher_reasoning}\nwhy\n{corrected_student_solution}\ntext", ("why", "text")),
    ("CLAIR's, in bold",
     "**Teacher Reasoning:** why\n\n**Corrected Student Solution:** text", ("why", "text")),
    ("CLAIR's, braces in bold",
     "**{teacher_reasoning}:**\nwhy\n**{corrected_student_solution}:**\ntext", ("why", "text")),
    ("worsened", "why\nWorsened student solution: text", ("why", "text")),
    ("announced", "why\nHere is the corrected version of your answer:\n\ntext", ("why", "text")),
    ("announced shortly", "Here's the revised answer: text", ("", "text")),
    ("the last heading counts", "Corrected answer: draft\nno.\nCorrected answer: text",
     ("Corrected answer: draft\nno.", "text")),
    ("heading after a rationale's tags",
     "<rationale>why</rationale>\nCorrected answer: text", ("why", "text")),
    # fences around the revision
    ("fence", FORM.format("```\ntext\n```"), ("why", "text")),
    ("labelled fence", FORM.format("```markdown\ntext\n```"), ("why", "text")),
    ("triple quotes", FORM.format('"""\ntext\n"""'), ("why", "text")),
    ("code inside stays",
     FORM.format("```\na\n```\nb\n```\nc\n```"), ("why", "```\na\n```\nb\n```\nc\n```")),
    ("one line is no fence", FORM.format("```x```"), ("why", "```x```")),
    # nothing to be found
    ("nothing", "", None),
    ("an answer and no marker", "The capital of France is Paris.", None),
    ("empty", FORM.format(""), None),
    ("blank", FORM.format(" \n\t"), None),
    ("only an opening tag", "why\n<revision>", None),
    ("only a closing tag", "why</revision>", None),
    ("only a rationale", "<rationale>why</rationale>", None),
    ("an empty fence", FORM.format("```\n\n```"), None),
    ("a final answer is no revision", "Adding up, 40 + 2.\nFinal answer: 42", None),
    ("a sentence is no heading", "Corrected answers are good.\nFinal answer is 42.", None),
    ("nor is one with a colon later", "The corrected answer follows: see below", None),
    ("nor one that begins so", "Corrected answer sheets were sent: two of them", None),
    ("other tags", "<revisions>text</revisions>", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_parse(text: str, expected: tuple[str, str] | None) -> None:
    assert parse_revision(part(text).answer) == expected


def test_there_are_enough_cases_and_no_two_of_a_name() -> None:
    assert len({name for name, _, _ in CASES}) == len(CASES) >= 40


@pytest.mark.parametrize("fence", ["```python", "```", "~~~", '"""'])
def test_a_fence_that_the_original_has_stays(fence: str) -> None:
    end = fence.rstrip("python")
    code = f"{fence}\nprint(1)\n{end}"
    assert parse_revision(FORM.format(code), original=f"{fence}\nprint(2)\n{end}") == ("why", code)
    assert parse_revision(FORM.format(code), original="Say print.") == ("why", "print(1)")


def test_notes_at_the_start_of_a_rationale_are_not_cut_from_words() -> None:
    found = parse_revision("<rationale>Notes are missing: I add them.</rationale><revision>x</revision>")
    assert found == ("Notes are missing: I add them.", "x")


LINES = st.sampled_from(["\n", "\r\n"])
SPACED = (
    st.lists(st.sampled_from(["a", " ", "é", "\n", "\r\n", "\r", "\t", ".", "`"]))
    .map("".join)
    .filter(str.strip)
)


@given(st.text(), SPACED, LINES)
def test_whatever_stands_in_the_form_comes_out_letter_for_letter(
    rationale: str, revision: str, line: str
) -> None:
    """White space too: only the line breaks that set the tags on lines of their own are the form's."""
    text = f"<rationale>{rationale}</rationale>{line}<revision>{line}{revision}{line}</revision>{line}"
    found = parse_revision(text, original=revision)
    assert found is None or isinstance(found.rationale, str)
    if "<" not in rationale:
        assert found is not None
        assert found.text == revision


@given(SPACED)
def test_a_bare_reply_is_the_revision_letter_for_letter(reply: str) -> None:
    assert bare_revision(reply, original=reply) == ("", reply)
    said = part(f"<think>hm</think>\n\n{reply.lstrip()}").answer
    assert bare_revision(said, original=reply) == ("", reply.lstrip())


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("<revision>    indented</revision>", "    indented"),
        ("<revision> \n    indented\n  </revision>", "    indented"),
        ("<revision>\n\n\ntext\n\n</revision>", "\n\ntext\n"),
        ("<revision>\r\ntext\r\n\r\n</revision>", "text\r\n"),
        ("<revision>\n    not closed\n", "    not closed\n"),
        ("Corrected answer:\n\n    indented\n", "    indented\n"),
        ("Corrected answer:   text ", "text "),
        ("<revision>\n\n```\n    a\n\n```\n\n</revision>", "    a\n"),
        ("<revision>\r\n```\r\n  a\r\n```\r\n</revision>", "  a"),
    ],
)
def test_white_space_is_the_revisions_but_for_a_line_break_at_a_marker(reply: str, text: str) -> None:
    found = parse_revision(reply)
    assert found is not None
    assert found.text == text


@pytest.mark.parametrize(
    "piece",
    ["<revision>", "</revision>", "\n<revision>", "</revision>\n<revision>", "<", "</", " ", "*", "{", "_",
     "Corrected answer", "\n**", "<rationale>", "</rationale>", "<think>", "</think>",
     "\nhere is the revised text", "here is the corrected answer ", "```\n", '"'],
)  # fmt: skip
def test_hostile_repetition_takes_no_time(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    started = time.process_time()
    parse_revision(text)
    parse_revision(FORM.format(text))
    assert time.process_time() - started < 1
