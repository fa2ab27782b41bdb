"""Edits: found where they are meant, made there and nowhere else, all of them or none."""

import unicodedata
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revise.edits.anchors import folded, places
from revise.edits.apply import MOST_PROBLEMS, Edit, Edited, apply
from revise.edits.sentences import numbered, sentences

ANSWER = (
    "Two plus two is five. “That’s known,” he said;\nit is   known to everybody.\n\n"
    "```py\nx = 5  # five!\n```\n"
)


def one(find: str | int, replace: str, answer: str = ANSWER) -> Edited:
    return apply([Edit(find, replace)], answer)


@pytest.mark.parametrize(
    ("find", "stood", "match"),
    [
        ("two is five", "two is five", "exact"),
        ("x = 5  # five!", "x = 5  # five!", "exact"),
        ("it is known", "it is   known", "normalised"),
        ('"That\'s known," he', "“That’s known,” he", "normalised"),
        ("he said; it is known", "he said;\nit is   known", "normalised"),
        ("  Two plus two\n", "Two plus two", "normalised"),
        ("two iss fiive. That's known", "two is five. “That’s known", "fuzzy"),
        ("known to evrybody", "known to everybody", "fuzzy"),
    ],
)
def test_a_quotation_is_found_where_it_stands(find: str, stood: str, match: str) -> None:
    edited = one(find, "NEW")
    assert edited.problems == ()
    assert [(m.find, m.match) for m in edited.made] == [(stood, match)]
    assert edited.text == ANSWER.replace(stood, "NEW")


@pytest.mark.parametrize(
    ("answer", "find", "replace", "text"),
    [
        ("a:\nprint(i)", "print(i)", "    print(i)", "a:\n    print(i)"),
        ("a:\r\nprint(i)\r\nend", "\nprint(i)", "\n    print(i)", "a:\r\n    print(i)\r\nend"),
        ("a:\r\nprint(i)\r\nend", "a:\nprint(i)", "a:\n    print(i)", "a:\n    print(i)\r\nend"),
        ("a:\r\nprint(i)\r\nend", ":\nprint(i)\n", ":\nprint(j)\n", "a:\nprint(j)\r\nend"),
        ("flag = true", "true", "True", "flag = True"),
        ("x  ", "x  ", "x", "x"),
    ],
)
def test_changes_of_white_space_and_case_are_made(answer: str, find: str, replace: str, text: str) -> None:
    edited = one(find, replace, answer)
    assert (edited.text, edited.problems) == (text, ())


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ([("five", "four")], "“five” fits 2 places"),
        ([("six", "four")], "“six” does not stand in the answer"),
        ([("", "x")], "its `find` is empty"),
        ([(" \n", "x")], "its `find` is empty"),
        ([("t.*e", "x")], "does not stand"),
        ([("two is five", "a"), ("is five.", "b")], "two edits change the same text"),
        ([(99, "x")], "there is no sentence 99; the answer has 4"),
        ([(0, "x")], "there is no sentence 0"),
        ([(1, "x"), (1, "y")], "sentence 1 and sentence 1"),
        ([("Two plus", "One plus"), ("absent words", "x")], "edit 2: “absent words”"),
    ],
)
def test_what_cannot_be_placed_is_said_and_nothing_is_changed(
    edits: list[tuple[str | int, str]], words: str
) -> None:
    edited = apply([Edit(*e) for e in edits], ANSWER)
    assert (edited.text, edited.made) == (ANSWER, ())
    assert words in "; ".join(edited.problems)


def test_near_matches_are_whole_words_and_alone() -> None:
    answer = "I bought five apples today and went home."
    assert (
        one("bought fiive appls", "sold two pears", answer).text == "I sold two pears today and went home."
    )
    twice = "The first red apple tree is old. The first red apple tree is new."
    assert len(places("The frst red apple tree is", twice, 0.85)) == 2
    assert places("bought fiive appls", answer, 1.0) == []
    assert places("fiive", answer, 0.5) == []


def test_edits_that_change_nothing_or_come_twice_are_left_out() -> None:
    edits = [Edit("Two", "Two"), Edit("plus two", "and two"), Edit("plus two", "and two"), Edit(1, "")]
    assert apply(edits[:3], ANSWER).text == ANSWER.replace("plus two", "and two")
    assert apply([Edit("absent", "absent")], ANSWER) == Edited(ANSWER, (), ())
    assert apply([], ANSWER) == Edited(ANSWER, (), ())
    assert apply([Edit(ANSWER, "Four.")], ANSWER).text == "Four."


def test_problems_are_counted_as_the_reviser_counts_and_only_so_many_are_looked_for() -> None:
    edits = [Edit("Two", "Two"), Edit("plus", "and"), Edit("plus", "and", "again"), Edit("absent", "x")]
    assert apply(edits, ANSWER).problems == (
        "edit 4: “absent” does not stand in the answer; copy it letter for letter",
    )
    many = [Edit(f"absent words of number {n}", "x") for n in range(1000)]
    assert len(apply(many, ANSWER * 100).problems) == MOST_PROBLEMS


LATEX = "The sum is $\\frac{a}{b}$,\nand the angle is $\\theta$."


@pytest.mark.parametrize(
    "text", ["\x0crac{a}{c}", "\x08eta", "\theta", "\times 2", "\nabla", "\right)", "\ud83d"]
)
def test_what_json_made_of_a_single_backslash_is_refused(text: str) -> None:
    """Single backslashes of LaTeX are escapes in JSON, and would end up in the pair as what they name."""
    for edit in (Edit("the angle", text), Edit(text, "the angle")):
        [problem] = apply([edit], LATEX).problems
        assert "in JSON write every backslash twice" in problem
        problem.encode()
    assert apply([Edit("The sum", "a" + text)], text + " The sum").text == f"{text} a{text}"


@pytest.mark.parametrize("text", ["\ta table", "a\r\nb", "\none", "\\theta", "naïve\n\n- 🙂"])
def test_ordinary_white_space_is_no_broken_escape(text: str) -> None:
    assert apply([Edit("the angle", text)], LATEX).text == LATEX.replace("the angle", text)


def test_neighbours_may_touch() -> None:
    assert apply([Edit("b", "X"), Edit("a", "Y")], "ab").text == "YX"


def test_forms_of_one_character_are_the_same() -> None:
    decomposed = unicodedata.normalize("NFD", "Ein schöner Käse")
    assert one("schöner Käse", "Wein", decomposed).text == "Ein Wein"
    assert one("wait...", "go", "so wait… now").text == "so go now"
    assert one(".", "!", "wait…").problems
    assert one("a\nb", "c", "1\r\na\r\nb\r\n2").text == "1\r\nc\r\n2"


TEXT = st.text(
    st.sampled_from("abé ,.\n\r“\"’'…ﬁe\u0301#*`[]{}日。") | st.characters(codec="utf-8"), max_size=60
)


@given(TEXT, st.lists(st.tuples(TEXT | st.integers(0, 5), TEXT), max_size=4))
def test_nothing_outside_the_matched_text_ever_changes(
    answer: str, wanted: list[tuple[str | int, str]]
) -> None:
    edited = apply([Edit(*w) for w in wanted], answer)
    if edited.problems:
        assert (edited.text, edited.made) == (answer, ())
    rest, new = answer, edited.text
    for made in reversed(edited.made):
        at = max(
            i
            for i in range(len(rest) + 1)
            if rest[i : i + len(made.find)] == made.find
            and new.endswith(made.replace + rest[i + len(made.find) :])
        )
        after = rest[at + len(made.find) :]
        new = new[: len(new) - len(made.replace + after)]
        rest = rest[:at]
    assert new == rest


@given(st.text("ab \n.é“", max_size=40), st.text("ab \n.é“", max_size=40))
def test_exact_edits_of_a_diff_make_the_target(before: str, after: str) -> None:
    """Each change is widened until its quotation stands there once; what then overlaps is one edit."""
    spans: list[list[int]] = []
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        low, high = a, b
        while (low, high) != (0, len(before)) and (
            not before[low:high].strip()
            or sum(before.startswith(before[low:high], i) for i in range(len(before))) != 1
        ):
            low, high = max(low - 1, 0), min(high + 1, len(before))
        left, right = a - low, high - b
        if spans and low < spans[-1][1]:
            spans = [[0, len(before), 0, len(after)]]
            break
        spans.append([low, high, c - left, d + right])
    edits = [Edit(before[a:b], after[c:d]) for a, b, c, d in spans]
    if any(not str(e.find).strip() for e in edits):
        return
    edited = apply(edits, before)
    assert (edited.text, edited.problems) == (after, ())
    assert {m.match for m in edited.made} <= {"exact"}


@given(TEXT)
def test_folding_knows_where_everything_came_from(text: str) -> None:
    plain = folded(text)
    assert len(plain.text) == len(plain.starts) == len(plain.ends)
    assert plain.starts == sorted(plain.starts)
    assert all(0 <= s < e <= len(text) for s, e in zip(plain.starts, plain.ends, strict=True))


@given(TEXT)
def test_sentences_lose_nothing(text: str) -> None:
    done, between = 0, []
    for start, end in sentences(text):
        assert done <= start < end
        between.append(text[done:start])
        assert text[start:end] == text[start:end].strip()
        done = end
    assert not "".join([*between, text[done:]]).strip()
    shown = numbered(text)
    for number in range(len(between), 0, -1):
        shown = shown.replace(f"[S{number}] ", "", 1)
    assert shown == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Smith met J. Doe, e.g. in the U.S. embassy. Then 3.5 left.",
         ["Dr. Smith met J. Doe, e.g. in the U.S. embassy.", "Then 3.5 left."]),
        ("Steps:\n1. Boil it.\n2. Eat. Enjoy.\n- a nut",
         ["Steps:", "1. Boil it.", "2. Eat.", "Enjoy.", "- a nut"]),
        ("A line that\nwas full. Next", ["A line that\nwas full.", "Next"]),
        ("See:\n```\na. B\n\nc. D\n```\nDone.", ["See:", "```\na. B\n\nc. D\n```", "Done."]),
        ("```\nopen. Code", ["```\nopen. Code"]),
        ("“Go!” He went… Away.", ["“Go!”", "He went…", "Away."]),
        ("今日は。明日は！", ["今日は。", "明日は！"]),
        ("यह ठीक है। वह नहीं।", ["यह ठीक है।", "वह नहीं।"]),
        ("هل هذا صحيح؟ نعم.", ["هل هذا صحيح؟", "نعم."]),
        ("今天很好。明天呢？", ["今天很好。", "明天呢？"]),
        ("a\r\n\r\nB", ["a", "B"]),
        ("", []),
        (" \n", []),
    ],
)  # fmt: skip
def test_sentences_are_where_a_reader_sees_them(text: str, expected: list[str]) -> None:
    assert [text[a:b] for a, b in sentences(text)] == expected


def test_a_sentence_is_replaced_by_its_number() -> None:
    answer = "One is odd. Two is odd.\n\n- Three is odd."
    assert one(2, "[S2] Two is even.", answer).text == answer.replace("Two is odd.", "Two is even.")
    [made] = one(3, "- Three is prime.", answer).made
    assert (made.find, made.match) == ("- Three is odd.", "sentence")
    assert one(2, "Two is odd.", answer).made == ()
