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
from runs_on_disk import TAGGED, write_jsonl
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
        flags = [flag for flag in flags if not flag.startswith("engine.")]  # the engine's own
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


REVISIONS = {
    "Australia": "The capital of Australia is Canberra, far from the east coast.",
    "prime": "Seventeen is a prime number above ten.",
    "bees": "Bees make honey, which they keep in combs of wax and eat in winter.",
}


@pytest.fixture
def workplace(tmp_path, monkeypatch, capfd):
    """A folder with the rows that the pages speak of, and a tiny model."""
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "index.md").read_text()
    [rows] = re.findall(r'```json title="answers.jsonl"\n(.*?)```', page, re.DOTALL)
    (tmp_path / "answers.jsonl").write_text(rows)
    write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": f"{word}?"} for word in REVISIONS])
    write_jsonl(tmp_path / "policy.jsonl", [{"text": "Bees make honey, which they keep in combs."}])
    write_jsonl(tmp_path / "bare.jsonl", [{"match": k, "text": v} for k, v in REVISIONS.items()])
    marked = [{"match": k, "text": TAGGED.format(v)} for k, v in REVISIONS.items()]
    write_jsonl(tmp_path / "marked.jsonl", marked)
    write_jsonl(tmp_path / "test.jsonl", [{"question": "Question 5?"}])
    save_tiny_model(tmp_path / "tiny")
    for place, name in enumerate(("first", "second", "judged")):
        numbers = range(30 * place, 30 * place + 40)
        pairs = [{"prompt": f"Question {n}?", "chosen": f"Yes, {n}.", "rejected": "No."} for n in numbers]
        write_jsonl(tmp_path / f"{name}.jsonl", pairs)
        assert run(capfd, "merge", f"{name}.jsonl", "--out", f"runs/{name}")[0] == 0
    return tmp_path


STAND_INS = {
    r"--reviser hf:smollm2": "--reviser canned:bare.jsonl",
    r"--reviser openai:\S+": "--reviser canned:marked.jsonl",
    r"--policy hf:\S+": "--policy canned:policy.jsonl",
    r"--model \S+": "--model tiny --use_cpu",
}


@pytest.mark.parametrize("page", ["index", "sifting", "report", "training", "coming_from", "README"])
def test_the_commands_of_a_page_work_in_order(page, workplace, capfd):
    """As they stand, but for canned replies and a tiny model in the place of engines and models."""
    path = ROOT / "README.md" if page == "README" else ROOT / "docs" / f"{page}.md"
    # examples/game is played by test_game.py
    commands = [line for line in commands_in(path) if not line.startswith("pairwright game")]
    assert len(commands) >= 2
    if page in ("training", "report"):
        assert run(capfd, "merge", "first.jsonl", "--out", "runs/pairs")[0] == 0
    if page == "report":
        model = ["--model", "tiny", "--data", "runs/pairs", "--output_dir", "runs/model", "--use_cpu"]
        assert run(capfd, "train", *model)[0] == 0
    for line in commands:
        for pattern, stand_in in STAND_INS.items():
            line = re.sub(pattern, stand_in, line)
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
    first = (tmp_path / "index.html").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.stem == "index" or f'href="{page.stem}.html"' in first, f"{page} cannot be reached"
