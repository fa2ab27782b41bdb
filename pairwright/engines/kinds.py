"""The kinds of engines: from an engine's spec to its kind, and to the engine."""

from functools import cache
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import Any

from pairwright.engines.base import Engine, EngineKind
from pairwright.engines.guarded import guarded_identity, open_guarded
from pairwright.engines.options import EngineOptions
from pairwright.errors import UsageError

ENTRY_POINTS = "pairwright.engines"
"""Where other packages list kinds of their own: an `EngineKind` under the name before the colon."""

_OURS = {
    "hf": "pairwright.engines.hf.kind:HFKind",
    "vllm": "pairwright.engines.vllm.kind:VLLMKind",
    "openai": "pairwright.engines.openai.kind:OpenAIKind",
    "any": "pairwright.engines.providers.kind:AnyKind",
    "canned": "pairwright.engines.canned:CannedKind",
    "reward": "pairwright.engines.reward:RewardKind",
    "python": "pairwright.engines.verifiers.kinds:PythonKind",
    "check": "pairwright.engines.verifiers.kinds:CheckKind",
}
"""Named, not imported: the last two stand on this room, and none is needed before it is asked for."""


def check_spec(spec: str) -> tuple[str, str]:
    """Return kind and name in an engine spec. Raises `UsageError` listing the kinds there are."""
    kind, name = _parts(spec)
    kind_of(spec).check(name)
    return kind, name


def kind_of(spec: str) -> EngineKind:
    """Return the kind of engine that a spec names. Raises `UsageError` listing the kinds there are."""
    kind, name = _parts(spec)
    if not name or not _is_kind(kind):
        raise UsageError(f"{spec!r}: unknown engine; engines are {kinds_listed()}")
    return _kind(kind)


def kinds_listed() -> str:
    """Return all kinds of engines in one text, with a few words on each."""
    return ", ".join(_kind(known).help for known in (*_OURS, *_theirs()))


def is_engine(text: str) -> bool:
    """Return whether a setting that also takes other things, such as a column, names an engine."""
    kind, colon, _ = text.partition(":")
    return bool(colon) and _is_kind(kind)


def open_engine(spec: str, options: EngineOptions) -> Engine:
    """Return the engine that a spec names, ready for work. Heavy imports happen here, not before."""
    named, name = check_spec(spec)
    kind = kind_of(spec)
    own = options.of_role("", kind.heeds)
    return kind.open(name, own, spec) if named in _OURS else open_guarded(kind, name, own, spec)


def engine_identity(spec: str, options: EngineOptions) -> str:
    """Return the model, its revision and its settings as request keys hold them; loads no model."""
    named, name = check_spec(spec)
    kind = kind_of(spec)
    own = options.of_role("", kind.heeds)
    if named in _OURS:
        return kind.identity(name, own) + own.asked.mark
    return guarded_identity(kind, name, own, spec) + own.asked.mark


def reports_logprobs(spec: str) -> bool:
    """Return whether the engine behind a spec gives log-probabilities, without loading a model."""
    _, name = check_spec(spec)
    return kind_of(spec).reports_logprobs(name)


def is_function(spec: str) -> bool:
    """Return whether a spec names a function or a check, not an engine that is asked in words."""
    kind, name = _parts(spec)
    return _is_kind(kind) and _kind(kind).is_function(name)


def holds_schemas(spec: str) -> bool:
    """Return whether the engine behind a spec can hold an answer to a JSON schema."""
    return kind_of(spec).holds_schemas


def _parts(spec: str) -> tuple[str, str]:
    kind, _, name = spec.partition(":")
    return kind, name


def _is_kind(kind: str) -> bool:
    return kind in _OURS or kind in _theirs()


@cache
def _kind(kind: str) -> EngineKind:
    if kind in _OURS:
        found: Any = resolve_name(_OURS[kind])
    else:
        entry = _theirs()[kind]
        try:
            found = entry.load()
        except Exception as error:
            raise UsageError(f"{kind}: {entry.value} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, EngineKind)):
        raise UsageError(f"{kind}: {found!r} is not a subclass of pairwright.engines.EngineKind")
    made: EngineKind = found()
    return made


@cache
def _theirs() -> dict[str, Any]:
    """Kinds that other packages bring along, by name; none takes the name of one of ours."""
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS) if entry.name not in _OURS}
