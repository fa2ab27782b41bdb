"""`--config FILE.yaml`: a command's settings from a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pairwright.errors import UsageError


def load_settings(argv: Sequence[str]) -> tuple[list[str], tuple[str, dict[str, Any]] | None]:
    """Arguments without `--config FILE`, and the file's name and settings when there is one."""
    rest: list[str] = []
    name: str | None = None
    arguments = iter(argv)
    for argument in arguments:
        if argument == "--config":
            name = next(arguments, None)
            if name is None:
                raise UsageError("--config needs a file: --config FILE.yaml")
        elif argument.startswith("--config="):
            name = argument.removeprefix("--config=")
        else:
            rest.append(argument)
    return rest, (name, _read(Path(name))) if name is not None else None


def _read(path: Path) -> dict[str, Any]:
    try:
        settings = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # a SafeLoader
    except FileNotFoundError:
        raise UsageError(f"--config {path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise UsageError(f"--config {path}: {' '.join(str(error).split())}") from None
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise UsageError(
            f"--config {path}: must be `name: value` lines, and is a {type(settings).__name__}"
        )
    return {str(name).replace("-", "_"): value for name, value in settings.items()}


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a setting cannot stand twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"`{name}` stands twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)
