"""The proof's tables of rounds: a whole one of each, in miniature."""

import json
import re
import sys
from pathlib import Path

import pytest
from proof_scripts import scripts
from tiny_model import save_tiny_model

CHECKS = """
def passes(prompt, answer, row):
    return answer.endswith("!")

def repair(prompt, answer, row):
    return answer + "!"
"""


@pytest.mark.slow
@pytest.mark.parametrize("table", ["rounds", "game"])
def test_a_table_of_rounds_in_miniature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str):
    proof = scripts(monkeypatch)
    checks, runs = tmp_path / "checks.py", tmp_path / "runs"
    checks.write_text(CHECKS)
    files = {}
    for part in ("train", "held_out"):
        rows = [{"prompt": f"Say {n}, {part}!", "plain": f"Say {n}.", "form": "title"} for n in range(16)]
        files[part] = tmp_path / f"{part}.jsonl"
        files[part].write_text("\n".join(map(json.dumps, rows)))
    played, grounds = proof("played"), proof("grounds").GROUNDS
    arm = played.PLAYED[table][-1]
    command = re.sub(r"--train\.max_steps \d+", "", arm.command.replace("--rounds 4", "--rounds 1"))
    arm = arm._replace(command=command + " --train.max_steps 1", model=arm.model.replace("4", "1"))
    monkeypatch.setitem(played.PLAYED, table, (arm,))
    one = grounds["demo"].evaluations[0]._replace(prompts=str(files["held_out"]), verify=f"{checks}:passes")
    monkeypatch.setitem(
        grounds,
        "demo",
        grounds["demo"]._replace(
            train=str(files["train"]),
            once=str(files["train"]),
            repair=f"{checks}:repair",
            verify=f"{checks}:passes",
            evaluations=(one, one._replace(name="bare")),
        ),
    )
    model = save_tiny_model(tmp_path / "model", max_position_embeddings=512)
    argv = f"run_table.py {table} --runs {runs} --model {model} --seeds 1 --dtype float32 --settings="
    monkeypatch.setattr(sys, "argv", argv.split())
    proof("run_table").main()
    text = (runs / f"{table}.md").read_text()
    before, after = text.splitlines()[2].split(" | ")[3].split(" → ")
    assert before == "0.0%"
    assert float(after.rstrip("%")) >= 0
    assert [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| 1")] == ["| 1"]
