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
passes, repair, nothing_unasked = (CHECKS[name] for name in ("passes", "repair", "nothing_unasked"))
VALUES = {
    "opening": "Well,",
    "ending": "Good luck!",
    "bullets": "2",
    "title": "Tea",
    "postscript": "Enjoy!",
}

RIGHT = {
    "lowercase": "steep it briefly.",
    "capitals": "STEEP IT BRIEFLY.",
    "quotes": '"Steep it briefly."',
    "opening": "Well, steep it briefly.",
    "ending": "Steep it briefly. Good luck!",
    "no commas": "Steep it briefly.",
    "bullets": "* Boil water.\n* Steep it briefly.",
    "title": "<<Tea>>\nSteep it briefly.",
    "two answers": "Steep it briefly.\n******\nWait two minutes.",
    "postscript": "Steep it briefly.\n\nP.S. Enjoy!",
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
        assert form in ("bullets", "two answers")
        assert len(answer) == 1
    else:
        assert passes("", mended, row_of(form))[0]


def test_forms_that_nobody_asked_for_are_seen():
    assert nothing_unasked("", WRONG, {}) == (True, "")
    seen = {form for form, answer in RIGHT.items() if not nothing_unasked("", answer, {})[0]}
    assert seen == RIGHT.keys() - {"opening", "ending", "no commas"}
    assert nothing_unasked("", RIGHT["title"], {})[1] == "Nobody asked for title."


def test_nothing_that_is_held_out_is_trained_on():
    train, held_out = prompts("demo_prompts.jsonl"), prompts("demo_held_out.jsonl")
    assert len({row["prompt"] for row in train}) == 240
    assert len({row["prompt"] for row in held_out}) == 120
    for rows, each in ((train, 24), (held_out, 12)):
        assert set(Counter(row["form"] for row in rows).values()) == {each}
    assert not {row["plain"] for row in train} & {row["plain"] for row in held_out}
    requests = [{wording(row) for row in rows} for rows in (train, held_out)]
    assert not requests[0] & requests[1]
    assert len({row["plain"] for row in held_out[:40]}) == 40, "the demo asks these without a request"


def wording(row):
    """A prompt's request, without what it speaks of."""
    return row["prompt"].replace(row["plain"], "").replace(row["value"] or "\0", "").strip()


def test_the_prompts_are_those_that_their_script_writes(tmp_path, monkeypatch):
    script = runpy.run_path(str(BENCHMARKS / "proof" / "make_prompts.py"))
    monkeypatch.setitem(script["main"].__globals__, "EXAMPLES", tmp_path)
    script["main"]()
    for name in ("demo_prompts.jsonl", "demo_held_out.jsonl"):
        assert (tmp_path / name).read_bytes() == (EXAMPLES / name).read_bytes()
