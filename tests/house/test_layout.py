"""The house: import direction, lightness, the README's tree, the wheel, the command from anywhere."""

import ast
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from places import ROOT

ROOMS = ("pairwright", "prompts", "revise", "judge", "train")
MAY_IMPORT = {
    "pairwright": {"pairwright"},
    "prompts": {"prompts"},
    "revise": {"pairwright", "prompts", "revise"},
    "judge": {"pairwright", "prompts", "judge"},
    "train": {"pairwright", "prompts", "train"},
}
CALLS_STAGES = {"train/on_policy/loop.py", "train/adversarial/game.py", "train/preference/auto.py"}
HEAVY = ("torch", "transformers", "vllm", "datasets", "peft", "accelerate")


def modules() -> list[Path]:
    return [p for room in ROOMS for p in sorted((ROOT / room).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_only_what_they_stand_on(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    allowed = MAY_IMPORT[room] | (
        {"revise", "judge"} if str(path.relative_to(ROOT)) in CALLS_STAGES else set()
    )
    assert imported(path) & set(ROOMS) <= allowed


def test_only_the_command_names_modules_of_other_rooms() -> None:
    """A lazy import by name would slip past the test above."""
    for path in (ROOT / "pairwright").rglob("*.py"):
        if path.name != "cli.py":
            assert "import_module" not in path.read_text(), path


def test_files_have_one_idea() -> None:
    for path in modules():
        assert path.stem not in ("utils", "common", "helpers"), path
        assert len(path.read_text().splitlines()) <= 300, path


def test_every_room_is_a_package_and_every_module_says_what_it_is() -> None:
    for room in ROOMS:
        assert (ROOT / room / "__init__.py").exists()
    for path in modules():
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_importing_the_light_rooms_loads_nothing_heavy() -> None:
    code = (
        "import sys, pairwright, prompts, revise, judge, pairwright.cli, train.config; "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def tree_in_readme() -> set[str]:
    """Paths in the README's tree: an indented file belongs to the folder above it."""
    [tree] = re.findall(r"```text\n(pyproject\.toml.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    found: set[str] = set()
    folders: list[str] = []
    for line in tree.splitlines():
        entry = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders = folders[:depth]
        assert len(line.split()) > 1, f"{entry} has no word of explanation"
        if entry.endswith("/"):
            folders.append(entry)
        else:
            found.add("".join(folders) + entry)
    return found


def test_the_readme_tree_is_the_disk() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    files = {f for f in listing.stdout.split("\n") if f and (ROOT / f).exists()}
    shown = tree_in_readme()
    assert shown <= files, f"not on disk: {sorted(shown - files)}"
    expected = {
        f for f in files if f.partition("/")[0] in (*ROOMS, "examples", "benchmarks") or "/" not in f
    }
    expected = {f for f in expected if f.rpartition("/")[2] not in ("__init__.py", "py.typed")}
    assert expected <= shown | {".gitignore", ".pre-commit-config.yaml"}, sorted(expected - shown)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return path


def test_the_wheel_holds_exactly_our_packages(wheel: Path) -> None:
    names = [n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n]
    assert {n.partition("/")[0] for n in names} == set(ROOMS)
    on_disk = {
        str(p.relative_to(ROOT))
        for room in ROOMS
        for p in (ROOT / room).rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    assert set(names) == on_disk


def test_the_installed_wheel_works_beside_the_users_own_names(wheel: Path, tmp_path: Path) -> None:
    """A folder with `train.py`, `judge.py`, `revise/` and `prompts/` of its own shadows nothing."""
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--ignore-installed"]
    pip += ["--prefix", str(target), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    [site] = target.glob("lib/python*/site-packages")
    mine = tmp_path / "mine"
    (mine / "prompts").mkdir(parents=True)
    (mine / "revise").mkdir()
    for name in ("train.py", "judge.py", "prompts/__init__.py", "revise/__init__.py", "pairwright.py"):
        (mine / name).write_text("raise SystemExit('the wrong module was imported')\n")
    (mine / "answers.jsonl").write_text(
        json.dumps({"prompt": "Name a tree.", "response": "An oak is."}) + "\n"
    )
    (mine / "reviser.jsonl").write_text(json.dumps({"text": "<revision>An old oak is.</revision>"}) + "\n")
    environment = os.environ | {"PYTHONPATH": str(site)}
    command = [str(target / "bin" / "pairwright"), "revise", "answers.jsonl"]
    command += ["--reviser", "canned:reviser.jsonl", "--out", "run"]
    run = subprocess.run(command, cwd=mine, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    manifest = json.loads((mine / "run" / "run.json").read_text())
    assert manifest["counts"] == {"kept": 1}
    where = [sys.executable, "-P", "-c", "import revise; print(revise.__file__)"]
    found = subprocess.run(where, cwd=mine, env=environment, capture_output=True, text=True, check=True)
    assert str(site) in found.stdout
    trained = subprocess.run(
        [command[0], "train", "--help"],
        cwd=mine,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert trained.returncode == 0, trained.stderr
