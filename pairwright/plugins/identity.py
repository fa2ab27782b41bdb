"""A hash of a module's source and of the local modules that it imports.

Local is what lies beside the module: the modules of its own folder, or of the folder in which its
top-level package lies. What is installed is not: its version belongs to the machine.
"""

import ast
import hashlib
import sysconfig
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path


def source_hash(path: Path, dotted: str | None = None) -> str:
    """Return the hash of a module's source and of all local modules behind it: 12 hex digits.

    `dotted` is the name by which it is imported; a file that is run by its path has none. The folder
    in which it lies does not matter.
    """
    digest = hashlib.sha256()
    for relative, source in sorted(_sources(path.resolve(), dotted or path.stem).items()):
        digest.update(f"{relative}\0{len(source)}\0".encode() + source)
    return digest.hexdigest()[:12]


def _sources(path: Path, dotted: str) -> dict[str, bytes]:
    """Every file that counts, under its path from the folder that all lie in."""
    package = dotted if path.name == "__init__.py" else dotted.rpartition(".")[0]
    depth = package.count(".") + 1 if package else 0
    root = path.parents[depth]
    if _is_installed(path):
        return {path.name: path.read_bytes()}
    found: dict[str, bytes] = {}
    waiting = [(path, package)]
    while waiting:
        here, inside = waiting.pop()
        relative = here.relative_to(root).as_posix()
        if relative not in found:
            found[relative] = here.read_bytes()
            waiting += _local_imports(found[relative], root, inside)
    return found


def _local_imports(source: bytes, root: Path, package: str) -> Iterator[tuple[Path, str]]:
    """Files under `root` that a module imports, anywhere in it, each with the package it belongs to."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(alias.name, root)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            module = ".".join(filter(None, [*above, node.module]))
            for alias in node.names:
                yield from _files(f"{module}.{alias.name}" if module else alias.name, root)


def _files(dotted: str, root: Path) -> Iterator[tuple[Path, str]]:
    """The files that importing a dotted name runs, as far as they lie under `root`."""
    path, inside = [str(root)], ""
    for part in dotted.split("."):
        full = f"{inside}.{part}" if inside else part
        spec = PathFinder.find_spec(full, path)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            if spec is None or spec.submodule_search_locations is None:
                return
        else:
            yield Path(spec.origin), full if spec.submodule_search_locations is not None else inside
        if spec.submodule_search_locations is None:
            return
        path, inside = list(spec.submodule_search_locations), full


def _is_installed(path: Path) -> bool:
    folders = (sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib"))
    return any(path.is_relative_to(Path(folder).resolve()) for folder in folders)
