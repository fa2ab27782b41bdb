"""One word for a thing: statuses are constants, docstrings begin with a verb, old names stay gone."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

from pairwright import records

ROOMS = ("pairwright", "prompts", "revise", "judge", "train")
NO_VERBS = [
    "A",
    "All",
    "An",
    "And",
    "As",
    "At",
    "Both",
    "Each",
    "Every",
    "Everything",
    "For",
    "How",
    "In",
    "It",
    "Its",
    "Most",
    "No",
    "None",
    "Nothing",
    "Of",
    "On",
    "One",
    "Only",
    "So",
    "That",
    "The",
    "Them",
    "There",
    "These",
    "They",
    "This",
    "Those",
    "Two",
    "What",
    "Whatever",
    "When",
    "Where",
    "Whether",
    "Which",
    "Who",
    "Whose",
    "Why",
    "With",
    "Within",
    "Without",
]
EQUATIONS = "train/losses/"
"""The name of a loss is what its docstring begins with."""
GONE = (
    r"Trainee|TrainRecord|\bwhy_not\b|way_of|KeptProcess|ask_no_hub|as_they_stand|let_go|class Patient"
    r"|class Laid\b|Looking before leaping|no choice of anybody"
)


def modules() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def public_functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions and methods that others may call; properties are named like what they are."""
    for holder in ast.walk(tree):
        if isinstance(holder, ast.Module) or (
            isinstance(holder, ast.ClassDef) and not holder.name.startswith("_")
        ):
            for node in holder.body:
                is_public = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_"
                if is_public and not any("property" in ast.unparse(d) for d in node.decorator_list):
                    yield node


def test_docstrings_of_functions_begin_with_a_verb() -> None:
    wrong = []
    for path in modules():
        place = path.relative_to(ROOT).as_posix()
        if place.startswith(EQUATIONS):
            continue
        for node in public_functions(ast.parse(path.read_text())):
            words = (ast.get_docstring(node) or "Say").split()
            if words[0].strip(",.:") in NO_VERBS:
                wrong.append(f"{place}:{node.lineno} {node.name}: {' '.join(words[:5])} …")
    assert wrong == [], "\n".join(wrong)


def test_a_status_that_several_files_give_is_a_constant() -> None:
    known = {
        value: name for name, value in vars(records).items() if name.isupper() and isinstance(value, str)
    }
    places: dict[str, set[str]] = defaultdict(set)
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Ending", "Outcome"):
                given = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "status")]
                for value in given:
                    if isinstance(value, ast.Constant) and isinstance(value.value, str):
                        places[value.value].add(path.relative_to(ROOT).as_posix())
    for status, files in places.items():
        assert status not in known, f"{files} write {status!r}, which is records.{known.get(status)}"
        assert len(files) == 1, f"{files} each write {status!r}: a constant of records"


@pytest.mark.parametrize("room", ROOMS)
def test_names_that_were_given_up_do_not_come_back(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        found = re.search(GONE, path.read_text())
        assert found is None, f"{path}: {found and found[0]}"
