"""Every stage, every name of our columns, and every kind of value in a user's column of that name.

Values are carried unchanged, as `input_NAME` where the name is ours; the run ends as it ends without
them, and what it shows of itself is its own.
"""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from in_process import run
from places import GOLDEN

from pairwright.figures.folder import figures_of
from pairwright.folders.manifest import load_manifest
from pairwright.folders.ownership import RESERVED
from pairwright.inputs.sources import records

FROZEN = GOLDEN / "frozen" / "inputs"
KINDS: tuple[Any, ...] = ("text of the user's", 7.5, [1, 2], {"overall": 8, "why": "said"}, None)
NAMES = sorted(RESERVED)
ANSWER = "The capitol of France is Paris, on the Seine, and has been for a very long time."
REVISED = ANSWER.replace("capitol", "capital")
ROWS = 3

STAGES = {
    "sample": "sample ROWS --prompt_column ask --policy canned:policy.jsonl --n 2",
    "rewrite": "revise ROWS --prompt_column ask --answer_column said --reviser canned:reviser.jsonl",
    "edits": "revise ROWS --prompt_column ask --answer_column said --reviser canned:editor.jsonl "
    "--mode edits",
    "judge": "judge ROWS --prompt_column ask --columns said,better --judge reward:TASTE --min_margin 0 "
    "--device cpu",
    "stronger": "judge ROWS --prompt_column ask --stronger better --answer_column said",
    "calibrate": "calibrate ROWS --prompt_column ask --columns said,better --judge reward:TASTE "
    "--device cpu",
    "winrate": "winrate ROWS:said ROWS:better --prompts ROWS --prompt_column ask --judge reward:TASTE "
    "--device cpu",
    "score": "score TASTE ROWS --prompt_column ask --columns said,better --device cpu",
    "eval": 'eval canned:policy.jsonl --prompts ROWS --prompt_column ask --verify check:contains("answer")',
    "select": "select PAIRS --model MODEL --use_cpu --reference_store none --top 2 --order_by logp_chosen",
    "gate": "gate PAIRS",
    "merge": "merge ROWS",
    "dedup": "dedup ROWS --near 1",
    "decontaminate": "decontaminate ROWS --against other.jsonl",
}
PAIRED = {"select", "gate"}
SIFTED = {"merge", "dedup", "decontaminate", "select"}
QUICK = [
    pytest.param(stage, turn, marks=[pytest.mark.slow] if stage in {"eval", *PAIRED} and turn else [])
    for stage in STAGES
    for turn in range(len(KINDS))
]
"""All turns; of those stages whose rows go the way of another stage's, one."""


def written(folder: Path, values: dict[str, Any]) -> None:
    """The input, and what engines reply."""
    rows = [
        {"ask": f"Question {n}?", "said": f"{ANSWER} ({n})", "better": f"{REVISED} ({n})", "preference": 2}
        | ({"prompt": f"Question {n}?"} if "prompt" not in values else {})
        | values
        for n in range(ROWS)
    ]
    pairs = [{"prompt": row["ask"], "chosen": row["better"], "rejected": row["said"]} for row in rows]
    for name, some in (("rows", rows), ("pairs", [pair | values for pair in pairs])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    (folder / "other.jsonl").write_text(json.dumps({"text": "nothing of the kind"}) + "\n")
    replies = {
        "policy": [{"text": "An answer that is long enough."}],
        "reviser": [
            {"match": f"({n})", "text": f"<revision>\n{REVISED} ({n})\n</revision>"} for n in range(ROWS)
        ],
        "editor": [
            {"text": json.dumps({"edits": [{"find": "capitol", "replace": "capital", "reason": "x"}]})}
        ],
    }
    for name, some in replies.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(reply) + "\n" for reply in some))


def command(stage: str, out: str) -> list[str]:
    places = {"ROWS": "rows.jsonl", "PAIRS": "pairs.jsonl", "TASTE": "taste", "MODEL": "model"}
    words = STAGES[stage].split()
    for name, place in places.items():
        there = place if "." in place else str(FROZEN / place)
        words = [word.replace(name, there) for word in words]
    return [*words, "--out", out]


def values_of(turn: int, stage: str) -> dict[str, Any]:
    """A value for every name; over five turns each name has had a value of every kind."""
    read = {"prompt", "chosen", "rejected", "completion"} if stage in SIFTED | PAIRED else set()
    return {
        name: KINDS[(place + turn) % len(KINDS)] for place, name in enumerate(NAMES) if name not in read
    }


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """What comes of each stage without such columns."""
    return {}


@pytest.mark.parametrize(("stage", "turn"), QUICK)
def test_a_column_of_the_users_is_carried_whatever_it_is_called(
    stage: str,
    turn: int,
    plain: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    if stage not in plain:
        written(tmp_path, {})
        assert run(capfd, *command(stage, "plain"))[0] == 0
        plain[stage] = figures_of(Path("plain")).rows
        caplog.clear()
    values = values_of(turn, stage)
    written(tmp_path, values)
    code, _, said = run(capfd, *command(stage, "run"))
    assert code == 0, said
    if stage not in SIFTED:
        assert caplog.text.count("are renamed") == 1
        assert "`score` as `input_score`" in caplog.text
        caplog.clear()
    found = figures_of(Path("run")).rows
    assert found is not None
    if stage not in SIFTED:
        same = {"by_status", "kept_rows", "measures", "sources", "models", "verdicts"}
        assert found.model_dump(include=same) == plain[stage].model_dump(include=same)
    assert sum(found.by_status.values()) == load_manifest(Path("run")).items
    rows = list(records("run"))
    assert rows
    for name, value in values.items():
        kept = {"row_id", "prompt_id"} if stage in SIFTED else set()
        if name in kept:
            continue
        here = name if stage in SIFTED and f"input_{name}" not in rows[0] else f"input_{name}"
        for row in rows:
            assert row.get(here) == value, name
    for again in (["report", "run"], command(stage, "run")):
        code, _, said = run(capfd, *again)
        assert code == 0, said
    assert "are renamed" not in caplog.text
    assert "text of the user's" not in Path("run/README.md").read_text()
    assert pl.read_parquet("run/data/*.parquet").height == found.kept_rows


@pytest.mark.parametrize("turn", range(len(KINDS)))
def test_the_parts_of_a_split_carry_it_too(
    turn: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    values = values_of(turn, "merge")
    written(tmp_path, values)
    code, _, said = run(capfd, "split", "pairs.jsonl", "--test_share", "0.34", "--out", "run")
    assert code == 0, said
    rows = [row for part in ("train", "test") for row in records(f"run:{part}")]
    assert len(rows) == ROWS
    assert all(load_manifest(Path("run", part)).complete for part in ("train", "test"))
    for name in values.keys() - {"row_id", "prompt_id"}:
        here = name if f"input_{name}" not in rows[0] else f"input_{name}"
        assert [row.get(here) for row in rows] == [values[name]] * ROWS, name


def test_columns_of_a_run_are_read_by_whose_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What a run carries along is no answer, no score and no margin of its own."""
    monkeypatch.chdir(tmp_path)
    written(
        tmp_path, {"response_a": "x", "response_b": "y", "score": 3.5, "margin": 0.5, "system": "Be brief."}
    )
    assert run(capfd, *command("sample", "run"))[0] == 0
    assert all(row["prompt"][0]["content"] == "Be brief." for row in records("run"))
    judge = f"judge run --judge reward:{FROZEN}/taste --device cpu --out judged"
    code, _, said = run(capfd, *judge.split())
    assert (code, "the answers to every prompt are equal" in said) == (2, True)
    code, _, said = run(capfd, "export", "run", "--to", "trl", "--out", "exported")
    assert (code, "no `chosen`" in said) == (2, True)
