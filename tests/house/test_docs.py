"""The documentation says what is so: it builds, its names are names, its example runs."""

import ast
import os
import re
import subprocess
import sys

import command_reference
import door_reference
import pytest
import room_reference
from places import ROOT
from runs_on_disk import write_jsonl
from tiny_model import save_tiny_model


@pytest.mark.parametrize(
    ("page", "written"),
    [
        ("docs/commands.md", command_reference),
        ("docs/rooms.md", room_reference),
        ("pairwright/__init__.pyi", door_reference),
    ],
)
def test_what_is_written_from_the_code_is_up_to_date(page, written):
    path = ROOT / page
    if os.environ.get("PAIRWRIGHT_GOLDEN") == "write":
        path.write_text(written.reference())
    assert path.read_text() == written.reference(), (
        "PAIRWRIGHT_GOLDEN=write pytest tests/house/test_docs.py writes it anew"
    )


def test_the_rooms_in_the_readme_are_up_to_date():
    path = ROOT / "README.md"
    text = path.read_text()
    begin = text.index("pairwright/ ", text.index("## Rooms"))
    end = text.index("```", begin)
    if os.environ.get("PAIRWRIGHT_GOLDEN") == "write":
        path.write_text(text[:begin] + room_reference.in_readme() + text[end:])
        return
    assert text[begin:end] == room_reference.in_readme()


def test_tests_that_pages_name_are_there():
    for page in (ROOT / "docs").glob("*.md"):
        for name in re.findall(r"`([a-z_/]*test_[a-z_]+\.py)`", page.read_text()):
            assert list((ROOT / "tests").rglob(f"*{name.removeprefix('tests/')}")), f"{page.name}: {name}"


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
