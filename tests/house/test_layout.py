"""The house: import direction, lightness, the README's tree, the wheel, the command from anywhere."""

import ast
import json
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from places import ROOT

from pairwright.commands import COMMANDS

ROOMS = ("pairwright", "prompts", "revise", "judge", "train")
FLOORS = {
    "": (("train",), ("revise", "judge"), ("pairwright", "prompts")),
    "train": (
        ("on_policy", "adversarial"),
        ("training", "selection"),
        ("preference", "reward_model"),
        ("trainer",),
        ("output", "forward"),
        ("models",),
        ("devices", "data"),
        ("losses", "config", "rounds"),
    ),
}
"""Rooms from the top floor down: one imports from its own and from lower floors only."""
APART = {("revise", "judge"), ("judge", "revise"), ("pairwright", "prompts"), ("prompts", "pairwright")}
"""Rooms of one floor that never import each other."""
CALLS_STAGES = (
    "train/selection/hyperparameters/",
    "train/on_policy/",
    "train/adversarial/",
    "train/rounds/",
    "train/preference/auto.py",
)
"""The only places of `train` that call stages of `revise` and `judge`."""
NAME_MODULES = ("commands.py", "plugins/loading.py", "engines/kinds.py")
"""The files that import by a name that they are given."""
ROOMS_AT_THE_TOP = {"pairwright": 24, "train": 16}
"""How many files and folders stand at the top of a room at most, so that one look takes them in."""
HEAVY = ("torch", "transformers", "vllm", "datasets", "peft", "accelerate")


def modules() -> list[Path]:
    return [p for room in ROOMS for p in sorted((ROOT / room).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Modules of ours that a file imports, anywhere in it, as dotted names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if is_module(name) else node.module for name in names}
    return {name for name in found if name.partition(".")[0] in ROOMS}


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def floor_of(name: str, inside: str) -> int | None:
    """Number of the floor, from the top, on which a module stands inside a room."""
    below = name if not inside else name.removeprefix(f"{inside}.")
    room = below.partition(".")[0]
    return next((n for n, rooms in enumerate(FLOORS[inside]) if room in rooms), None)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_import_runs_up(path: Path) -> None:
    name, place = name_of(path), str(path.relative_to(ROOT))
    for other in imported(path):
        rooms = (name.partition(".")[0], other.partition(".")[0])
        assert rooms not in APART, f"{place} imports {other}"
        if rooms[0] == "train" and rooms[1] in ("revise", "judge"):
            assert place.startswith(CALLS_STAGES), f"{place} imports {other}"
        for inside in FLOORS:
            if not inside or (name.startswith(f"{inside}.") and other.startswith(f"{inside}.")):
                mine, theirs = floor_of(name, inside), floor_of(other, inside)
                assert None not in (mine, theirs), f"{name} or {other} stands on no floor"
                assert mine <= theirs, f"{place} imports {other}, which stands above it"


def circles(edges: dict[str, set[str]]) -> list[set[str]]:
    """Groups of more than one that can all be reached from each other."""
    reach: dict[str, set[str]] = {}
    for start in edges:
        seen, todo = set(), list(edges[start])
        while todo:
            if (at := todo.pop()) not in seen:
                seen.add(at)
                todo += edges.get(at, ())
        reach[start] = seen
    found = {frozenset(b for b in reach[a] if a in reach.get(b, ())) for a in edges if a in reach[a]}
    return [set(group) for group in found if len(group) > 1]


def test_no_imports_run_in_a_circle() -> None:
    """Neither files nor folders; a package that hands out its modules' names is not one of them."""
    files = {name_of(path): imported(path) for path in modules() if path.name != "__init__.py"}
    assert circles(files) == []
    folders: dict[str, set[str]] = {}
    for name, others in files.items():
        folder = name.rpartition(".")[0]
        inside = {other.rpartition(".")[0] if other in files else other for other in others}
        folders.setdefault(folder, set()).update(o for o in inside if o != folder)
    for parent in {folder.rpartition(".")[0] for folder in folders}:
        under = f"{parent}." if parent else ""
        depth = under.count(".") + 1
        siblings: dict[str, set[str]] = {}
        for name, others in files.items():
            if name.startswith(under):
                top = ".".join(name.split(".")[:depth])
                tops = {".".join(o.split(".")[:depth]) for o in others if o.startswith(under)}
                siblings.setdefault(top, set()).update(tops - {top, parent})
        assert circles(siblings) == [], f"in {parent or 'the house'}"


def test_only_the_command_names_modules_of_other_rooms() -> None:
    """A lazy import by name would slip past the test above."""
    for path in (ROOT / "pairwright").rglob("*.py"):
        if path.relative_to(ROOT / "pairwright").as_posix() not in NAME_MODULES:
            text = path.read_text()
            assert "import_module" not in text, path
            assert "resolve_name" not in text, path


def test_files_have_one_idea() -> None:
    tests = [p for room in ("tests", "benchmarks", "examples") for p in sorted((ROOT / room).rglob("*.py"))]
    for path in (*modules(), *tests):
        assert path.stem not in ("utils", "common", "helpers"), path
        assert len(path.read_text().splitlines()) <= 300, path


def test_no_short_file_has_a_single_reader() -> None:
    """It stands with its reader, unless it is a seam: settings, or a file that is loaded when it is named.

    Those are the entries of commands, kinds of engines and shipped checks, each named in a table, and
    what a check needs is installed only where it is asked for. An equation stands alone too.
    """
    readers = Counter(other for path in modules() for other in imported(path))
    texts = [path.read_text() for path in modules()]
    for path in modules():
        name = name_of(path)
        seam = path.stem in ("__init__", "__main__", "config") or name.startswith("train.losses.")
        if seam or len(path.read_text().splitlines()) >= 40 or readers[name] > 1:
            continue
        named = rf"(\"{re.escape(name)}|}}\.{path.stem})[\":]"
        assert any(re.search(named, text) for text in texts), f"{name} is short, and read by one file only"


@pytest.mark.parametrize("room", ROOMS_AT_THE_TOP)
def test_one_look_takes_in_the_top_of_a_room(room: str) -> None:
    pythons_own = {"__pycache__", "__main__.py", "__init__.pyi", "py.typed"}
    there = {p.name for p in (ROOT / room).iterdir()} - pythons_own
    assert len(there) <= ROOMS_AT_THE_TOP[room], sorted(there)


def test_no_room_bears_the_name_of_a_command() -> None:
    """The first import of such a room would take the place of the function of that name."""
    rooms = {path.parent.name for path in modules() if path.name == "__init__.py"}
    doors = {path.stem for path in (ROOT / "pairwright").iterdir()}
    assert not (rooms - set(ROOMS) | doors) & COMMANDS.keys()


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
