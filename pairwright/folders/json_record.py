"""JSON files of one object each, with one sentence for anything wrong in them."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pairwright.errors import PairwrightError

R = TypeVar("R", bound=BaseModel)


def read_json(path: Path, advice: str) -> dict[str, Any] | None:
    """Return the object in a file, or None when there is no file.

    Raises `PairwrightError` with the `advice` what to do when the file holds anything else.
    """
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _damaged(path, error, advice) from None
    if not isinstance(found, dict):
        raise PairwrightError(f"{path}: damaged (it holds no object); {advice}")
    return found


def read_record(path: Path, kind: type[R], advice: str) -> R | None:
    """Return the record in a file, or None without a file. Raises `PairwrightError` as `read_json` does."""
    values = read_json(path, advice)
    return None if values is None else parsed(path, values, kind, advice)


def parsed(path: Path, values: dict[str, Any], kind: type[R], advice: str) -> R:
    """Return the record that a file's object is. Raises `PairwrightError` as `read_json` does."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _damaged(path, error, advice) from None


def _damaged(path: Path, error: Exception, advice: str) -> PairwrightError:
    return PairwrightError(f"{path}: damaged ({str(error).splitlines()[0]}); {advice}")
