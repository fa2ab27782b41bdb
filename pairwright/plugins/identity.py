"""A hash of a module's source and of the local modules that it imports.

Local is what lies beside the module (the modules of its own folder, or of the folder in which its
top-level package lies), and whatever else `sys.path` leads to that is not installed: the version of what
is belongs to the machine.
"""

import ast
import hashlib
import sysconfig
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

_OURS = [Path(__file__).parents[2] / name for name in ("pairwright", "prompts", "revise", "judge", "train")]
"""What is worked on in place is installed too."""


def source_hash(path: Path, dotted: str | None = None) -> str:
    """Return the hash of a module's source and of all local modules behind it: 12 hex digits.

    `dotted` is the name by which it is imported; a file that is run by its path has none. The folder
    in which it lies does not matter.
    """
    digest = hashlib.sha256()
    for relative, source in sorted(_sources(path.resolve(), dotted or path.stem).values()):
        digest.update(f"{relative}\0{len(source)}\0".encode() + source)
    return digest.hexdigest()[:12]


def _sources(path: Path, dotted: str) -> dict[Path, tuple[str, bytes]]:
    """Every file that counts, each with its path from the folder from which it is imported."""
    package = dotted if path.name == "__init__.py" else dotted.rpartition(".")[0]
    depth = package.count(".") + 1 if package else 0
    root = path.parents[depth]
    if is_installed(path):
        return {path: (path.name, path.read_bytes())}
    found: dict[Path, tuple[str, bytes]] = {}
    waiting = [(path, package, root)]
    while waiting:
        here, inside, base = waiting.pop()
        if here not in found:
            found[here] = here.relative_to(base).as_posix(), here.read_bytes()
            waiting += _local_imports(found[here][1], (root, base), inside)
    return found


_Local = tuple[Path, str, Path]
"""A file, the package that it belongs to, and the folder from which it is imported."""


def _local_imports(source: bytes, roots: Sequence[Path], package: str) -> Iterator[_Local]:
    """Local files that a module imports, anywhere in it, first from `roots`."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(alias.name, roots)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            module = ".".join(filter(None, [*above, node.module]))
            for alias in node.names:
                yield from _files(f"{module}.{alias.name}" if module else alias.name, roots)


def _files(dotted: str, roots: Sequence[Path]) -> Iterator[_Local]:
    """The files that importing a dotted name runs, as far as they are local."""
    top = dotted.partition(".")[0]
    root = next((r for r in roots if PathFinder.find_spec(top, [str(r)])), None) or _elsewhere(top)
    if root is None:
        return
    path, inside = [str(root)], ""
    for part in dotted.split("."):
        full = f"{inside}.{part}" if inside else part
        spec = PathFinder.find_spec(full, path)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            if spec is None or spec.submodule_search_locations is None:
                return
        else:
            yield Path(spec.origin), full if spec.submodule_search_locations is not None else inside, root
        if spec.submodule_search_locations is None:
            return
        path, inside = list(spec.submodule_search_locations), full


def _elsewhere(top: str) -> Path | None:
    """The folder on `sys.path` from which a module or a package is imported that is not installed."""
    spec = PathFinder.find_spec(top)
    if spec is None:
        return None
    within = list(spec.submodule_search_locations or ())
    if not within and not (spec.origin or "").endswith(".py"):
        return None
    place = Path(within[0] if within else str(spec.origin))
    if is_installed(place) or any(place.resolve().is_relative_to(folder) for folder in _OURS):
        return None
    return place.parent


def is_installed(path: Path) -> bool:
    """Return whether a file belongs to Python or to a package that was installed."""
    if not {"site-packages", "dist-packages"}.isdisjoint(path.parts):
        return True
    return any(path.resolve().is_relative_to(folder) for folder in _folders_of_python())


@cache
def _folders_of_python() -> list[Path]:
    names = ("purelib", "platlib", "stdlib", "platstdlib")
    return [Path(sysconfig.get_path(name)).resolve() for name in names]
