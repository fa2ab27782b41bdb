"""The page of all rooms, written from the first lines of what stands in them."""

import ast
from pathlib import Path

from places import ROOT

HOUSE = ("pairwright", "prompts", "revise", "judge", "train")
_ABOUT = """\
# Rooms

What stands where, from the first line of every file; written by a command, and held by a test. A room
imports from its own files and from rooms below it, never from one above.
"""


def rooms() -> list[Path]:
    """Every package of ours, from the root."""
    return [p.parent for top in HOUSE for p in sorted((ROOT / top).rglob("__init__.py"))]


def first_line(path: Path) -> str:
    """The first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


def in_readme() -> str:
    """The README's list: a line for every room, but for those inside rooms of a room."""
    lines = []
    for room in rooms():
        if len(room.relative_to(ROOT).parts) > 2:
            continue
        name = f"{room.relative_to(ROOT)}/"
        top, _, below = name.partition("/")
        shown = f"  {below}" if below else f"{top}/"
        lines.append(f"{shown:<22} {first_line(room / '__init__.py')}\n")
    return "".join(lines)


def reference() -> str:
    """The page, in Markdown."""
    lines = [_ABOUT]
    for room in rooms():
        lines += [f"## {room.relative_to(ROOT)}/\n", f"{first_line(room / '__init__.py')}\n"]
        files = [p for p in sorted(room.glob("*.py")) if p.name != "__init__.py"]
        if files:
            lines += ["| file | |", "|---|---|"]
            lines += [f"| `{p.name}` | {first_line(p)} |".replace(" | |", " |") for p in files]
            lines.append("")
    return "\n".join(lines)
