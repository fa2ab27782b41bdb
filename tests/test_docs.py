"""The documentation says what is so: it builds, its commands are commands, its names are names."""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_reference import config_of, reference
from in_process import run
from runs_on_disk import write_jsonl
from tiny_model import save_tiny_model

from pairwright.cli import COMMANDS
from pairwright.config import is_positional

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands_in(page: Path) -> list[str]:
    """Command lines in the page's blocks of shell, continued lines joined."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.partition(" #")[0].strip() for line in lines if line.startswith("pairwright ")]


def test_the_command_reference_is_written_from_the_settings():
    path = ROOT / "docs" / "commands.md"
    if os.environ.get("PAIRWRIGHT_GOLDEN") == "write":
        path.write_text(reference())
    assert path.read_text() == reference(), (
        "PAIRWRIGHT_GOLDEN=write pytest tests/test_docs.py writes it anew"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_shown_are_commands(page):
    """Every flag is one of the command's, and what must be given is given."""
    for line in commands_in(page):
        _, name, *rest = shlex.split(line)
        assert name in COMMANDS, line
        fields = config_of(name).model_fields
        flags = [part.removeprefix("--").replace("-", "_") for part in rest if part.startswith("--")]
        known = {*fields, "config", "help", *(f"no_{n}" for n in fields)}
        assert set(flags) <= known, line
        if not {"config", "help"} & set(flags):
            positional = [n for n, f in fields.items() if is_positional(f)]
            assert {n for n, f in fields.items() if f.is_required()} <= {*flags, *positional}, line


def test_every_equation_is_where_the_page_says():
    text = (ROOT / "docs" / "equations.md").read_text()
    found = re.findall(r"\| `([a-z_/]+\.py)` `(\w+)` \|$", text, re.MULTILINE)
    assert len(found) >= 20
    rows = [
        line
        for line in text.splitlines()
        if line.startswith("|") and not re.match(r"\|(-|.* code \|$)", line)
    ]
    assert len(rows) == len(found), "a row without a name in the code"
    for path, name in found:
        names = set()
        for node in ast.parse((ROOT / path).read_text()).body:
            names |= {getattr(node, "name", None)}
            for target in [*getattr(node, "targets", []), getattr(node, "target", None)]:
                names.add(getattr(target, "id", None))
        assert name in names, f"{path} has no {name}"


def test_the_first_page_works_as_it_stands(tmp_path, monkeypatch, capfd):
    """Its rows and its five commands, with canned revisions and a tiny model for the embedded one."""
    page = (ROOT / "docs" / "index.md").read_text()
    [rows] = re.findall(r'```json title="answers.jsonl"\n(.*?)```', page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "answers.jsonl").write_text(rows)
    revisions = {
        "Australia": "The capital of Australia is Canberra, far from the east coast.",
        "prime": "Seventeen is a prime number above ten.",
        "bees": "Bees make honey, which they keep in combs of wax and eat in winter.",
    }
    write_jsonl(tmp_path / "c.jsonl", [{"match": k, "text": v} for k, v in revisions.items()])
    model = save_tiny_model(tmp_path / "tiny")
    commands = commands_in(ROOT / "docs" / "index.md")
    assert len(commands) == 5
    for line in commands:
        line = line.replace("hf:smollm2", "canned:c.jsonl").replace(
            "--model smollm2", f"--model {model} --use_cpu"
        )
        code, _, err = run(capfd, *shlex.split(line)[1:])
        assert code == 0, (line, err)
    assert (tmp_path / "runs" / "pairs" / "report.html").exists()
    assert "held-out" in (tmp_path / "runs" / "model.html").read_text()


def test_the_sifting_page_works_as_it_stands(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for place, name in enumerate(("first", "second")):
        rows = [
            {"prompt": f"Question {n + 30 * place}?", "chosen": f"Yes, {n}.", "rejected": f"No, {n}."}
            for n in range(40)
        ]
        write_jsonl(tmp_path / f"{name}.jsonl", rows)
        assert run(capfd, "merge", f"{name}.jsonl", "--out", f"runs/{name}")[0] == 0
    write_jsonl(tmp_path / "test.jsonl", [{"question": "Question 5?"}])
    for line in commands_in(ROOT / "docs" / "sifting.md"):
        code, _, err = run(capfd, *shlex.split(line)[1:])
        assert code == 0, (line, err)
    assert (tmp_path / "exported" / "data" / "train.parquet").exists()


def test_the_looking_page_works_as_it_stands(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "rows.jsonl", [{"prompt": "Q?", "chosen": "Yes.", "rejected": "No."}])
    for name in ("pairs", "judged", "model"):
        assert run(capfd, "merge", "rows.jsonl", "--out", f"runs/{name}")[0] == 0
    for line in commands_in(ROOT / "docs" / "report.md"):
        code, _, err = run(capfd, *shlex.split(line)[1:])
        assert code == 0, (line, err)


def test_the_example_in_python_runs(tmp_path):
    answers = ["A tree is tall and old and green.", "A tree is a very tall plant, old and green."]
    replies = [{"text": text} for text in answers]
    write_jsonl(tmp_path / "c.jsonl", [*replies, {"text": "A tree is quite tall and old and green."}])
    write_jsonl(tmp_path / "p.jsonl", [{"prompt": f"What is tree {n}?"} for n in range(6)])
    model = save_tiny_model(tmp_path / "tiny")
    command = [sys.executable, str(ROOT / "examples" / "in_python.py"), str(tmp_path / "p.jsonl")]
    command += [
        "--engine",
        f"canned:{tmp_path / 'c.jsonl'}",
        "--model",
        model,
        "--out",
        str(tmp_path / "runs"),
    ]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "updates on" in done.stdout
    assert (tmp_path / "runs" / "report.html").exists()


def test_the_site_builds_strictly(tmp_path):
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "commands.html").exists()
