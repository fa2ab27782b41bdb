"""Crossed pairs are made alike by one process and by several, are counted beforehand, and by a chain."""

from pathlib import Path

import cloudpickle
import pytest
from alone import alone, as_if_alone
from runs_on_disk import TAGGED, revise_config, rows_of, write_jsonl

from pairwright.cli import run_command
from pairwright.inputs.columns import Columns
from pairwright.inputs.rows import Input
from revise import ReviseConfig, revise
from revise.stage import ReviseStage

CHECKS = """
import zlib

def apt(prompt, answer, row):
    return zlib.crc32(f"{prompt}{answer}".encode()) % 5 / 4

def polite(prompt, answer, row):
    return row["end"] in answer, f"End with {row['end']}"

def mend(prompt, answer, row):
    return f"{answer} {row['end']}"
"""
ANSWER = "Oaks and elms grow in the park, and so do many other kinds of trees"
TWO = [
    {"prompt": f"Trees? End with {end}", "response": ANSWER, "task": "Trees?", "end": end} for end in "!?"
]


def checked(folder: Path, check: str) -> dict[str, object]:
    (folder / "checks.py").write_text(CHECKS)
    return {"verify": f"{folder}/checks.py:{check}", "function_processes": 1}


def test_workers_make_what_one_process_makes(tmp_path: Path) -> None:
    """Of a canned reviser and a verifier with a taste; every seventh row has one task."""
    config = revise_config(tmp_path, rows=60, cross="tag", **checked(tmp_path, "apt"))
    golden = alone(tmp_path, config)
    assert sum(row.get("source") == "clair_crossed" for row in rows_of(golden)) > 5
    for share in ("1/2", "0/2"):
        revise(config.model_copy(update={"shard": share}))
    as_if_alone(tmp_path / "run", golden)


def test_a_chain_goes_on_where_the_first_reviser_gives_nothing_that_verifies(tmp_path: Path) -> None:
    """The model knows one of the two ends; the function mends the answer for the other."""
    replies = [{"match": "with !", "text": TAGGED.format(f"{ANSWER} !")}, {"text": TAGGED.format(ANSWER)}]
    model = f"canned:{write_jsonl(tmp_path / 'reviser.jsonl', replies)}"
    path = write_jsonl(tmp_path / "answers.jsonl", TWO)
    chain = f"{model},python:{tmp_path}/checks.py:mend"
    revise(
        ReviseConfig(
            input=str(path), out=str(tmp_path / "out"), reviser=chain, cross="task", retry=False,
            **checked(tmp_path, "polite"),
        )
    )  # fmt: skip
    first, second = rows_of(tmp_path / "out")
    assert [first[side][0]["content"] for side in ("chosen", "rejected")] == [f"{ANSWER} !", f"{ANSWER} ?"]
    assert (first["chosen_model"], first["rejected_model"].startswith("python:")) == ("canned", True)
    assert (first["rejected_template"], first["chosen_template"] is None) == (None, False)
    assert (second["chosen_model"], second["rejected_model"]) == tuple(
        first[f"{side}_model"] for side in ("rejected", "chosen")
    )
    assert (first["attempts"], second["attempts"]) == (3, 3)


def test_the_second_revision_is_shown_and_counted_before_it_is_paid_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone_on_its_task = {**TWO[0], "prompt": "Birds?", "task": "Birds?"}
    path = write_jsonl(tmp_path / "answers.jsonl", [*TWO, alone_on_its_task])
    checks = checked(tmp_path, "polite")["verify"]
    command = ["revise", str(path), "--reviser", "hf:smollm2", "--verify", str(checks), "--cross", "task",
               "--out", str(tmp_path / "out")]  # fmt: skip
    run_command([*command, "--dry_run"])
    said = capsys.readouterr().out
    counts = [[cell.strip() for cell in line.split("│")] for line in said.splitlines() if "│" in line]
    assert [c[3] for c in counts if c[1] in ("reviser", "verifier")] == ["4", "4"]
    run_command([*command, "--preview"])
    shown = capsys.readouterr().out
    assert [shown.count(f"End with {end}") for end in "!?"] == [
        4,
        4,
    ]  # verified twice, revised, and crossed
    assert not (tmp_path / "out").exists()


def test_another_process_reads_the_tasks_itself(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "answers.jsonl", TWO)
    stage = ReviseStage(
        ReviseConfig(input=str(path), reviser="canned:x", cross="task", **checked(tmp_path, "polite"))
    )
    rows = Input(str(path), Columns(), None, stage.schema.names)
    stage.check(rows)
    there = cloudpickle.loads(cloudpickle.dumps(stage))
    there.check(rows)
    row = next(iter(rows))
    assert there.foreseen(row) == stage.foreseen(row) != []
