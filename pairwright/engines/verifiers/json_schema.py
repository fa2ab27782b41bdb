"""`check:json`: an answer that is JSON, and valid under a schema."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

from pairwright.engines.verifiers.check import Check, Score, first_given
from pairwright.errors import UsageError
from pairwright.records import content_hash

_FENCED = re.compile(r"\A\s*```(?:json)?[ \t]*\n(.*)\n[ \t]*```\s*\Z", re.DOTALL | re.IGNORECASE)


def json_check(schema: str | None = None, *, column: str | None = None, fenced: bool = False) -> Check:
    """Make the check that an answer is JSON and valid under a schema, from a file or from a column.

    Without either, any JSON passes. `fenced`: it may stand in a code block, with nothing beside it.
    """
    if schema is not None and column is not None:
        raise UsageError("check:json is given a schema's file or column=NAME, not both")
    read = None if schema is None else _read(Path(schema))
    of_all = None if schema is None else _validator(read, schema)

    def score(prompt: str, answer: str, row: Mapping[str, Any]) -> Score:
        validator = of_all
        if column is not None:
            validator = _validator(_parsed(first_given(row, column)), f"the column `{column}`")
        inside = _FENCED.match(answer) if fenced else None
        try:
            value = json.loads(inside[1] if inside else answer, parse_constant=_refuse_constant)
        except ValueError as error:
            return 0.0, f"the answer is not JSON: {error}"
        except RecursionError:
            return 0.0, "the answer is not JSON that can be read: it is nested too deep"
        wrong = (
            None if validator is None else jsonschema.exceptions.best_match(validator.iter_errors(value))
        )
        if wrong is None:
            return 1.0, ""
        return 0.0, f"at {wrong.json_path}: {wrong.message}"

    wants = () if column is None else (column,)
    return Check(score, wants, ("jsonschema",), data=content_hash(read))


def _refuse_constant(name: str) -> Any:
    """Python reads NaN and Infinity, which JSON does not have."""
    raise ValueError(f"{name} is no number of JSON")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"check:json: cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"check:json: {path} is not JSON: {error}") from None


def _parsed(schema: Any) -> Any:
    return json.loads(schema) if isinstance(schema, str) else schema


def _validator(schema: Any, where: str) -> Any:
    kind = jsonschema.validators.validator_for(schema)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise UsageError(f"check:json: {where} is no JSON schema: {error.message}") from None
    return kind(schema)
