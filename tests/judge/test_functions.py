"""Functions and checks as judges, and as the last gate of pairs that were judged or given."""

from pathlib import Path
from typing import Any

import pytest
from runs_on_disk import rows_of, write_jsonl

from judge.command import judge
from judge.comparison.command import WinrateConfig, load_winrate, winrate
from judge.config import JudgeConfig
from pairwright.errors import UsageError
from pairwright.folders.shards import read_tables

CHECKS = """
def share(prompt, answer, row):
    found = [w for w in row["words"] if w in answer]
    return len(found) / len(row["words"]), f"has {', '.join(found) or 'none'}"

def number(completions, prompts, **columns):
    return [float(c.split()[-1]) if c[-1].isdigit() else None for c in completions]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checks.py").write_text(CHECKS)


def judged(*rows: dict[str, Any], **settings: Any) -> tuple[dict[str, int], list[dict[str, Any]]]:
    path = write_jsonl(Path("answers.jsonl"), list(rows))
    values = {"input": str(path), "out": "out", "function_processes": 1}
    manifest = judge(JudgeConfig(**(values | settings)))
    assert manifest is not None
    rows_of(Path("out"))  # checks every hash
    return manifest.counts, [row for table in read_tables(Path("out")) for row in table.to_pylist()]


def answers(a: str, b: str, c: str = "", **row: Any) -> dict[str, Any]:
    more = {"response_c": c} if c else {}
    return {"prompt": f"Say {a} or {b}.", "response_a": a, "response_b": b, **more, **row}


def test_a_margin_of_a_tenth_is_one_whichever_answer_comes_first() -> None:
    """In floats 0.55 is further from a half than 0.45 is."""
    (Path("checks.py")).write_text(
        "def tenths(prompt, answer, row):\n    return int(answer.split()[1]) / 10\n"
    )
    rows = [
        answers(*(f"has {n} tenths" for n in (m, m + 1)[::turn])) for m in range(10) for turn in (1, -1)
    ]
    counts, pairs = judged(*rows, judge="python:checks.py:tenths", min_margin=0.1)
    assert counts == {"kept": 20}
    assert all(pair["margin"] == pytest.approx(0.1) for pair in pairs)
    write_jsonl(Path("rows.jsonl"), rows)
    for a, b in ("ab", "ba"):
        sides = {side: f"rows.jsonl:response_{name}" for side, name in (("a", a), ("b", b))}
        winrate(
            WinrateConfig(**sides, judge="python:checks.py:tenths", out=f"{a}{b}", function_processes=1)
        )
        found = load_winrate(Path(f"{a}{b}"))
        assert (found.wins, found.losses, found.ties) == (10, 10, 0)


def test_pairs_by_the_score_of_a_function_with_its_difference_as_margin() -> None:
    words = ["oak", "elm", "fir", "yew"]
    counts, [pair] = judged(
        answers("an oak", "an oak and an elm", "an oak, an elm and a fir", words=words),
        judge="python:checks.py:share",
    )
    assert counts == {"kept": 1}
    assert pair["chosen"][0]["content"] == "an oak, an elm and a fir"
    assert pair["rejected"][0]["content"] == "an oak"
    assert pair["margin"] == pytest.approx(0.5)
    [vote] = pair["verdict"]["votes"]
    assert (vote["chosen_score"], vote["rejected_score"]) == (0.75, 0.25)
    assert vote["judge"] == "python:checks.py:share"
    assert "has oak, elm, fir" in vote["reply"]


def test_equal_scores_are_a_tie_and_none_is_no_verdict() -> None:
    counts, pairs = judged(
        answers("tree 1", "bush 1"), answers("tree 3", "tree 2"), answers("no number", "tree 2"),
        judge="checks.py:number", max_failed=1.0,
    )  # fmt: skip
    assert counts == {"kept": 1, "tie": 1, "unparsed": 1}
    assert pairs[0]["chosen"][0]["content"] == "tree 3"


def test_checks_judge_too_and_juries_mix() -> None:
    counts, [pair] = judged(
        answers("a long answer that goes on and on", "oak", words=["oak"]),
        judge="check:length(max_words=3),checks.py:share", agree="all",
    )  # fmt: skip
    assert counts == {"kept": 1}
    assert pair["chosen"][0]["content"] == "oak"


def test_given_pairs_pass_the_same_gate() -> None:
    """`--stronger chosen`: the pair as it was given, if the verifier finds it right."""
    rows = [
        {"prompt": "A tree?", "chosen": "an oak", "rejected": "a rose", "words": ["oak"]},
        {"prompt": "A bush?", "chosen": "a rose", "rejected": "an oak", "words": ["oak"]},
    ]
    settings = {"columns": "rejected", "stronger": "chosen", "verify": "checks.py:share"}
    counts, [pair] = judged(*rows, **settings)
    assert counts == {"kept": 1, "unverified": 1}
    assert (pair["chosen_score"], pair["rejected_score"]) == (1.0, 0.0)
    [dropped] = [row for table in read_tables(Path("out"), "dropped") for row in table.to_pylist()]
    assert dropped["reason"] == "the chosen scores 0, the rejected 1"


def test_judged_pairs_pass_it_one_by_one() -> None:
    counts, pairs = judged(
        answers("fir 1", "oak 2", "oak 3", words=["oak"]),
        judge="checks.py:number", pairs="all", verify="checks.py:share",
    )  # fmt: skip
    assert counts == {"kept": 1}
    found = {(p["chosen"][0]["content"], p["rejected"][0]["content"]) for p in pairs}
    assert found == {("oak 2", "fir 1"), ("oak 3", "fir 1")}  # the two oaks share the same score


def test_a_win_rate_by_a_function() -> None:
    path = write_jsonl(Path("both.jsonl"), [
        {"prompt": "1?", "a": "tree 2", "b": "tree 1"}, {"prompt": "2?", "a": "tree 2", "b": "tree 9"},
        {"prompt": "3?", "a": "tree 4", "b": "tree 1"}, {"prompt": "4?", "a": "bush 4", "b": "tree 4"},
    ])  # fmt: skip
    config = WinrateConfig(
        a="a", b="b", prompts=str(path), judge="checks.py:number", out="rate", function_processes=1
    )
    winrate(config)
    found = load_winrate(Path("rate"))
    assert (found.wins, found.losses, found.ties) == (2, 1, 1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"judge": "check:ifeval"}, "check:ifeval wants the columns `instruction_id_list`, `kwargs`"),
        ({"judge": "checks.py:nobody"}, "there is no 'nobody' in it; it has share, number"),
        ({"judge": "check:length(max_words=3)", "protocol": "text"}, "is given no prompt"),
        ({"judge": "checks.py:number", "verify": "check:code"}, "--allow_code"),
    ],
)
def test_what_cannot_judge_is_refused_before_anything_is_written(
    settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as error:
        judged(answers("tree 1", "tree 2"), **settings)
    assert sentence in str(error.value)
    assert not Path("out").exists()
