"""Which revisions become pairs: exact limits, order, and honest answers that must pass."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pairwright.errors import UsageError
from pairwright.pairs.minimality import Minimality, measure
from pairwright.records import Ending
from revise import ReviseConfig, revise
from revise.gates import (
    SLACK_TOKENS,
    GateConfig,
    Revision,
    check,
    length_drift,
    lost_content,
    no_change,
    rewritten,
)

ANY = GateConfig()
OPEN = GateConfig(min_kept_share=0, max_edit_distance=1, min_length_ratio=0, max_length_ratio=1e9)


def candidate(original: str, revision: str) -> Revision:
    return Revision(original, revision, measure(revision, original, original=original))


def status(original: str, revision: str, config: GateConfig = ANY) -> str:
    return check(candidate(original, revision), config).status


@pytest.mark.parametrize(
    ("original", "revision", "same"),
    [
        ("Paris.", "Paris.", True),
        ("", "", True),
        ("Paris.", "paris.", False),
        ("a b\n\nc", "a  b c", False),
        ("flag = true", "flag = True", False),
        ("for i in x:\nprint(i)", "for i in x:\n    print(i)", False),
        ("print(i)", "    print(i)", False),
        ("a\r\nb", "a\nb", False),
        ("Paris.", "Paris", False),
        ("it's", "its", False),
        ("ab", "a b", False),
        ("2+2=5", "2+2=4", False),
    ],
)
def test_no_change(original: str, revision: str, same: bool) -> None:
    assert (no_change(candidate(original, revision), ANY) is not None) is same


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


@given(*[st.text("12.,a \n\u0663\u2003", max_size=30)] * 4)
def test_numbers_are_lost_whatever_else_is_shared(
    before: str, after: str, beginning: str, end: str
) -> None:
    """Against a look at all numbers of both texts."""
    before, after = f"{beginning}{before}{end}", f"{beginning}{after}{end}"
    numbers, others = (set(re.findall(r"\d+(?:[.,]\d+)*", text)) for text in (before, after))
    gone = len(numbers - others)
    lost = f"{gone} of the answer's {len(numbers)} numbers are missing"
    expected = Ending("lost_content", lost) if len(numbers) > 2 and 2 * gone > len(numbers) else None
    assert lost_content(candidate(before, after), ANY) == expected


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


def measured(kept_share: float, edit_distance: float) -> Revision:
    return Revision("a", "b", Minimality(0, 0, edit_distance, 0.0, kept_share, 0, 1.0, ()))


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
    assert verdict == Ending(
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
    assert status(code, code) == "no_change"
    assert status(code, f"\n{code}\n\n") == "blank_lines"
    assert status(code, code.upper()) == "rewritten"
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
