"""The checks that are shipped, by name."""

import importlib.metadata
import inspect
from dataclasses import replace

from pydantic import ConfigDict, ValidationError, validate_call

from pairwright.engines.verifiers.check import Check
from pairwright.engines.verifiers.spec import parse_check
from pairwright.errors import UsageError
from pairwright.plugins import Wanted, load
from pairwright.records import content_hash

_HERE = "pairwright.engines.verifiers"
CHECKS = {
    "contains": f"{_HERE}.texts:contains",
    "excludes": f"{_HERE}.texts:excludes",
    "length": f"{_HERE}.texts:length",
    "regex": f"{_HERE}.texts:regex",
    "json": f"{_HERE}.json_schema:json_check",
    "math": f"{_HERE}.mathematics:math_check",
    "ifeval": f"{_HERE}.ifeval.check:ifeval",
    "ifbench": f"{_HERE}.ifbench:ifbench",
    "code": f"{_HERE}.programs:code",
}
"""Where each is made: a function of the arguments that gives a `Check`."""
_STRICT = ConfigDict(strict=True)
_MAKER = Wanted("a check's maker", "def NAME(**arguments) -> Check", callable)


def make_check(spec: str, *, allow_code: bool = False) -> Check:
    """Return the check that `check:NAME(…)` names. Raises `UsageError`, also if its library is missing."""
    call = parse_check(spec)
    if call.name not in CHECKS:
        raise UsageError(f"{spec}: no check {call.name!r}; checks are {', '.join(CHECKS)}")
    if call.name == "code" and not allow_code:
        raise UsageError(f"{spec} runs code that models wrote; give --allow_code to allow it")
    try:
        maker = load(CHECKS[call.name], _MAKER)
        inspect.signature(maker.value).bind(*call.positional, **call.named)
        check: Check = validate_call(config=_STRICT)(maker.value)(*call.positional, **call.named)
        versions = [f"{name} {importlib.metadata.version(name)}" for name in check.libraries]
    except ModuleNotFoundError as error:
        raise _missing(spec, error.name) from None
    except importlib.metadata.PackageNotFoundError as error:
        raise _missing(spec, error.name) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = f"{first['loc'][0]}=" if isinstance(first["loc"][0], str) else ""
        raise UsageError(f"{spec}: {where}{first['input']!r}: {first['msg']}") from None
    except TypeError as error:
        takes = ", ".join(str(p) for p in inspect.signature(maker.value).parameters.values())
        raise UsageError(f"{spec}: {error}; it takes ({takes})") from None
    said = ", ".join([*map(repr, call.positional), *(f"{n}={v!r}" for n, v in sorted(call.named.items()))])
    source = content_hash([maker.identity, versions, check.data])[:12]
    return replace(check, identity=f"check:{call.name}({said})#{source}")


def _missing(spec: str, module: str | None) -> UsageError:
    return UsageError(f"{spec} needs {module}; install it with pip install 'pairwright[verify]'")
