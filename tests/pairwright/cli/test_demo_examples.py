"""The example that the demo runs on: its checks are right, and what is held out is held out."""

import json
import runpy
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import BENCHMARKS, ROOT

EXAMPLES = ROOT / "examples"
CHECKS = runpy.run_path(str(EXAMPLES / "checks.py"))
passes, repair, says_something, nothing_unasked = (
    CHECKS[name] for name in ("passes", "repair", "says_something", "nothing_unasked")
)
SENTENCES = st.lists(
    st.sampled_from(
        ["Boil some water.", "Wait, then pour slowly.", "Is your cup hot?", "- Stir everything!"]
    ),
    min_size=1,
)
VALUES = {
    "opening": "Well,",
    "title": "Tea",
    "postscript": "Enjoy!",
}

RIGHT = {
    "quotes": '"Steep them briefly with boiling water."',
    "opening": "Well, steep them briefly with boiling water.",
    "no commas": "Steep them briefly with boiling water.",
    "bullets": "* Take boiling water.\n* Steep them briefly.",
    "title": "<<Tea>>\nSteep them briefly with boiling water.",
    "postscript": "Steep them briefly with boiling water.\n\nP.S. Enjoy!",
}
WRONG = "First, boil Water. Then steep it for two minutes. That is all."


def prompts(name):
    return [json.loads(line) for line in (EXAMPLES / name).read_text().splitlines()]


def row_of(form):
    return {"form": form, "value": VALUES.get(form, "")}


@pytest.mark.parametrize("form", RIGHT)
def test_a_form_is_kept_by_its_own_example_and_not_by_another_answer(form):
    assert passes("", RIGHT[form], row_of(form))[0]
    assert not passes("", WRONG, row_of(form))[0]


@pytest.mark.parametrize("form", RIGHT)
@given(
    answer=st.lists(
        st.sampled_from(["Boil water.", "Wait, then pour.", "Is it hot?", "- Stir!"]), min_size=1
    )
)
def test_a_repaired_answer_passes(form, answer):
    mended = repair("", "\n".join(answer), row_of(form))
    if mended is None:
        assert form == "bullets"
        assert len(answer) == 1
    else:
        assert passes("", mended, row_of(form))[0] or not says_something("", mended)


@pytest.mark.parametrize(
    "answer",
    ["<<Tea>>", "<<Tea>>\n<<Tea>>", "<<A Title>>\nHow long should green tea steep?", "Good.\n" * 6],
)
def test_a_form_alone_is_no_answer(answer):
    prompt = "How long should green tea steep? Give it a title, such as <<A Title>>."
    assert passes(prompt, answer, row_of("title")) == (False, passes(prompt, "", row_of("title"))[1])


def test_forms_that_nobody_asked_for_are_seen():
    assert nothing_unasked("", WRONG, {}) == (True, "")
    seen = {form for form, answer in RIGHT.items() if not nothing_unasked("", answer, {})[0]}
    assert seen == RIGHT.keys() - {"opening", "no commas"}
    assert nothing_unasked("", RIGHT["title"], {})[1] == "Nobody asked for title."


def test_nothing_that_is_held_out_is_trained_on():
    train, held_out = prompts("demo_prompts.jsonl"), prompts("demo_held_out.jsonl")
    assert len({row["prompt"] for row in train}) == 270
    assert len({row["prompt"] for row in held_out}) == 180
    for rows, each in ((train, 45), (held_out, 30)):
        assert set(Counter(row["form"] for row in rows).values()) == {each}
    assert not {row["plain"] for row in train} & {row["plain"] for row in held_out}
    requests = [{wording(row) for row in rows} for rows in (train, held_out)]
    assert not requests[0] & requests[1]
    assert len({row["plain"] for row in held_out[:40]}) == 40, "the demo asks these without a request"


def wording(row):
    """A prompt's request, without what it speaks of."""
    return row["prompt"].replace(row["plain"], "").replace(row["value"] or "\0", "").strip()


def test_the_prompts_are_those_that_their_script_writes(tmp_path):
    script = runpy.run_path(str(BENCHMARKS / "proof" / "make_prompts.py"))
    script["main"](tmp_path)
    for name in ("demo_prompts.jsonl", "demo_held_out.jsonl"):
        assert (tmp_path / name).read_bytes() == (EXAMPLES / name).read_bytes()
