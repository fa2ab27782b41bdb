"""Crossed pairs: one answer, revised for its prompt and for another one on the same task."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runs_on_disk import rows_of, write_jsonl

from pairwright import revise as revise_from_python
from pairwright.errors import UsageError
from pairwright.folders.journal import JOURNAL, Journal
from pairwright.folders.manifest import load_manifest
from pairwright.pairs.minimality import measure
from revise import ReviseConfig, revise

CHECKS = """
FORMS = {"upper": str.upper, "lower": str.lower, "title": str.title, "none": lambda said: None}

def repair(prompt, answer, row):
    return FORMS[row["form"]](answer)

def passes(prompt, answer, row):
    return answer == FORMS[row["form"]](answer), f"Say it in {row['form']}."
"""
LOOSE = {"min_kept_share": 0, "max_edit_distance": 1}


def asked(form: str, answer: str = "hI you", task: Any = "Say it.", **more: Any) -> dict[str, Any]:
    shown = task if isinstance(task, str) else "Say."
    return {"prompt": f"{shown} In {form}.", "response": answer, "plain": task, "form": form, **more}


def run(folder: Path, *rows: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    """Every row of a run, the kept ones first."""
    revise(config_of(folder, *rows, **changes))
    return rows_of(Path(changes.get("out", folder / "out")))


def config_of(folder: Path, *rows: dict[str, Any], **changes: Any) -> ReviseConfig:
    (folder / "checks.py").write_text(CHECKS)
    path = write_jsonl(folder / "answers.jsonl", rows)
    values = {
        "input": str(path), "out": str(folder / "out"), "reviser": f"python:{folder}/checks.py:repair",
        "verify": f"{folder}/checks.py:passes", "cross": "plain", "function_processes": 1, **LOOSE,
    }  # fmt: skip
    return ReviseConfig(**(values | changes))


def said(row: dict[str, Any], *columns: str) -> tuple[str, ...]:
    return tuple(row[column][-1]["content"] for column in columns)


def test_rejected_is_the_same_answer_revised_for_the_next_prompt_on_the_task(tmp_path: Path) -> None:
    rows = [asked("upper"), asked("upper", task="Another."), asked("lower"), asked("title"),
            asked("title", task="Another.")]  # fmt: skip
    found = run(tmp_path, *rows)
    assert [said(row, "prompt", "chosen", "rejected", "rejected_prompt") for row in found] == [
        ("Say it. In upper.", "HI YOU", "hi you", "Say it. In lower."),
        ("Another. In upper.", "HI YOU", "Hi You", "Another. In title."),
        ("Say it. In lower.", "hi you", "Hi You", "Say it. In title."),
        ("Say it. In title.", "Hi You", "HI YOU", "Say it. In upper."),
        ("Another. In title.", "Hi You", "HI YOU", "Another. In upper."),
    ]
    first = found[0]
    assert (first["source"], first["attempts"], first["answer_score"]) == ("clair_crossed", 2, 0.0)
    assert first["revision_score"] == 1.0
    wanted = measure("HI YOU", "hi you", original="hi you")._asdict()
    assert {name: first[name] for name in ("char_levenshtein", "kept_share")} == {
        name: wanted[name] for name in ("char_levenshtein", "kept_share")
    }
    assert first["chosen_model"] == first["rejected_model"]


def test_the_next_prompt_is_tried_until_one_makes_a_worse_answer(tmp_path: Path) -> None:
    """`none` revises nothing, and of one word the title is what the prompt asks for anyway."""
    rows = [asked("title", "yOU", n=1), asked("none", "yOU"), asked("upper", "yOU"), asked("lower", "yOU")]
    first = run(tmp_path, *rows)[0]
    assert said(first, "prompt", "chosen", "rejected") == ("Say it. In title.", "You", "YOU")
    assert first["attempts"] == 3


def test_rows_without_a_fitting_prompt_say_why(tmp_path: Path) -> None:
    rows = [
        asked("upper"), asked("none"), asked("upper", task="Alone."), asked("lower", task=None),
        asked("lower", task=" "), asked("lower", task="Twice."), asked("lower", "yOU ME", task="Twice."),
        {"prompt": "Of no task.", "response": "hI you", "form": "lower"},
    ]  # fmt: skip
    found = {said(row, "prompt") + said(row, "rejected"): row for row in run(tmp_path, *rows)}
    upper, none = found["Say it. In upper.", "hI you"], found["Say it. In none.", "hI you"]
    assert (upper["status"], none["status"]) == ("uncrossed", "no_change")
    assert said(upper, "chosen") == ("HI YOU",)  # what was found stays to be looked at
    assert "(1 tried; the last: no_change: " in upper["reason"]
    alone = [row for row in found.values() if row.get("reason") == "no other prompt has its `plain`"]
    assert len(alone) == 6  # one prompt twice is no other prompt
    assert load_manifest(tmp_path / "out").counts == {"uncrossed": 7, "no_change": 1}
    with Journal(tmp_path / "out" / JOURNAL) as journal:
        assert len(list(journal.keys())) == 5  # of the rows that are alone nothing was asked


def test_one_answer_to_two_prompts_is_revised_once_for_each(tmp_path: Path) -> None:
    run(tmp_path, asked("upper"), asked("lower"))
    with Journal(tmp_path / "out" / JOURNAL) as journal:  # two revisions, of which each row scores both,
        assert len(list(journal.keys())) == 8  # and the answer


def test_messages_may_be_what_rows_have_in_common(tmp_path: Path) -> None:
    task = [{"role": "user", "content": "Say it."}]
    turned = [dict(reversed(message.items())) for message in task]
    found = run(tmp_path, asked("upper", task=task), asked("lower", task=turned))
    assert [row["source"] for row in found] == ["clair_crossed"] * 2


def test_the_answers_of_a_sampled_run_are_crossed_by_what_was_asked_for_them(tmp_path: Path) -> None:
    from pairwright import sample

    prompts = [{key: row[key] for key in ("prompt", "plain", "form")} for row in map(asked, FORMS)]
    canned = write_jsonl(tmp_path / "policy.jsonl", [{"text": "hI you"}])
    path = write_jsonl(tmp_path / "prompts.jsonl", prompts)
    answers = tmp_path / "answers"
    sample(str(path), policy=f"canned:{canned}", prompt_column="plain", n=1, out=str(answers))
    config = config_of(tmp_path, cross="prompt", input=str(answers), prompt_column="input_prompt")
    revise(config)
    assert [said(row, "prompt", "rejected_prompt") for row in rows_of(tmp_path / "out")] == [
        ("Say it. In upper.", "Say it. In lower."),
        ("Say it. In lower.", "Say it. In title."),
        ("Say it. In title.", "Say it. In upper."),
    ]


FORMS = ("upper", "lower", "title")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(FORMS), st.sampled_from(["hI you", "a", "1", "HI"]), st.integers(0, 2)),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_chosen_passes_its_prompt_and_rejected_that_of_another_row(
    tmp_path: Path, rows: list[tuple[str, str, int]]
) -> None:
    namespace: dict[str, Any] = {}
    exec(CHECKS, namespace)
    passes, forms = namespace["passes"], namespace["FORMS"]
    given = [asked(form, answer, task=f"Task {task}.") for form, answer, task in rows]
    given += [asked("upper"), asked("lower")]  # else there may be nothing to cross
    found = run(tmp_path, *given, fresh=True)
    assert len(found) == len(given)
    answers = {(row["prompt"], row["response"]) for row in given}
    for row in found:
        if row.get("status", "kept") != "kept":
            continue
        [prompt, chosen, rejected, other] = said(row, "prompt", "chosen", "rejected", "rejected_prompt")
        assert passes(prompt, chosen, row)[0]
        assert not passes(prompt, rejected, row)[0]
        there = next(r for r in given if r["prompt"] == other)
        assert (there["plain"], there["prompt"] != prompt) == (row["plain"], True)
        assert any(
            (forms[row["form"]](answer), forms[there["form"]](answer)) == (chosen, rejected)
            for asked_for, answer in answers
            if asked_for == prompt
        )


def test_one_pair_in_three_brings_its_mirror_wherever_the_row_stands(tmp_path: Path) -> None:
    rows = [asked(form, f"hI you {n}", task=f"Task {n}.") for n in range(20) for form in FORMS]
    found = run(tmp_path, *rows, mirror="plain")
    mirrors = [row for row in found if row["source"] == "clair_mirrored"]
    assert len(found) - len(mirrors) == 60
    assert 12 <= len(mirrors) <= 28
    for row in mirrors:  # the answer as it was is right for the bare task
        prompt, chosen, rejected = said(row, "prompt", "chosen", "rejected")
        assert (prompt, chosen) == (row["plain"], f"hI you {row['plain'].split()[1].rstrip('.')}")
        assert rejected == getattr(chosen, row["form"])()
        assert row["rejected_prompt"] is None
    turned = run(tmp_path, *reversed(rows), mirror="plain", out=str(tmp_path / "turned"))
    limited = run(tmp_path, *rows, mirror="plain", out=str(tmp_path / "limited"), limit=30)
    of = {row["row_id"] for row in mirrors}
    assert {row["row_id"] for row in turned if row["source"] == "clair_mirrored"} == of
    ids = {row["row_id"] for row in limited}
    assert ids == {row["row_id"] for row in found if int(row["plain"].split()[1].rstrip(".")) < 10}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cross": "task"}, "no column `task`, and --cross goes by it; there are: `plain`, `form`"),
        ({"cross": "form"}, "no two prompts have the same `form` (--cross)"),
        ({"verify": None}, "name it with --verify"),
        ({"direction": "worsen"}, "give it without --direction worsen"),
        ({"mode": "edits", "pairs": "chain", "reviser": "canned:x"}, "give it without --pairs chain"),
        ({"reverse_constraints": True, "reviser": "canned:x"}, "give it without --reverse_constraints"),
    ],
)
def test_what_cannot_be_crossed_is_refused_in_a_sentence(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as error:
        run(tmp_path, asked("upper"), asked("lower"), **changes)
    assert sentence in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_finished_run_is_crossed_without_asking_for_its_revisions_again(tmp_path: Path) -> None:
    rows = [asked("upper"), asked("lower", "yOU me")]
    run(tmp_path, *rows, cross=None)
    with Journal(tmp_path / "out" / JOURNAL) as journal:
        before = set(journal.keys())
    found = run(tmp_path, *rows)
    with Journal(tmp_path / "out" / JOURNAL) as journal:
        assert before < set(journal.keys())
    assert [said(row, "chosen", "rejected") for row in found] == [
        ("HI YOU", "hi you"),
        ("you me", "YOU ME"),
    ]


def test_from_python(tmp_path: Path) -> None:
    def mend(prompt: str, answer: str, row: dict[str, Any]) -> str | None:
        return answer.upper() if row["form"] == "upper" else answer.lower()

    def good(prompt: str, answer: str, row: dict[str, Any]) -> bool:
        return answer == mend(prompt, answer, row)

    pairs = revise_from_python(
        [asked("upper"), asked("lower")], reviser=mend, verify=good, cross="plain",
        out=str(tmp_path / "out"), function_processes=1, **LOOSE,
    )  # fmt: skip
    assert pairs.counts == {"kept": 2}
    assert pq.read_table(tmp_path / "out" / "data").column("rejected_prompt").null_count == 0
