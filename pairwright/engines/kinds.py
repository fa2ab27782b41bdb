"""From an engine's name to the engine."""

from pathlib import Path
from urllib.parse import urlsplit

from pairwright.engines.base import Engine
from pairwright.engines.options import EngineOptions
from pairwright.errors import UsageError
from pairwright.plugins import Wanted, load

KINDS = {
    "hf": "hf:MODEL (transformers; hf:smollm2 is built in)",
    "vllm": "vllm:MODEL (vLLM in a process of its own)",
    "openai": "openai:MODEL@URL (any OpenAI-compatible server)",
    "canned": "canned:FILE (replies from a JSONL file)",
    "reward": "reward:MODEL (a reward model, as a judge only)",
    "python": "python:FILE.py:NAME (a function of your own)",
    "check": "check:NAME (a shipped check, as a judge only)",
}
_FUNCTIONS = "pairwright.verifiers.engine:FunctionEngine"
"""Named, not imported: it stands on this room."""
_ENGINE = Wanted("an engine", "class NAME", callable)


def check_spec(spec: str) -> tuple[str, str]:
    """Kind and name in an engine spec. Raises `UsageError` listing the kinds there are."""
    kind, colon, name = spec.partition(":")
    if not colon or not name or kind not in KINDS:
        raise UsageError(f"{spec!r}: unknown engine; engines are {', '.join(KINDS.values())}")
    if kind == "openai":
        _model_and_url(spec, name)
    if kind == "canned" and not Path(name).is_file():
        raise UsageError(f"{spec}: no such file: {name}")
    return kind, name


def open_engine(spec: str, options: EngineOptions) -> Engine:
    """The engine that a spec names, ready for work. Heavy imports happen here, not before."""
    kind, name = check_spec(spec)
    if kind == "canned":
        from pairwright.engines.canned import CannedEngine

        return CannedEngine(Path(name), options, spec)
    if kind == "openai":
        from pairwright.engines.openai.engine import OpenAIEngine

        model, url = _model_and_url(spec, name)
        return OpenAIEngine(model, url, options, spec)
    if kind == "reward":
        from pairwright.engines.reward import RewardEngine

        return RewardEngine(name, options, spec)
    if kind in ("python", "check"):
        engine: Engine = load(_FUNCTIONS, _ENGINE).value(spec, options)
        return engine
    if kind == "vllm":
        from pairwright.engines.vllm.engine import VLLMEngine

        return VLLMEngine(name, options, spec)
    from pairwright.engines.hf.engine import HFEngine

    return HFEngine(name, options, spec)


def reports_logprobs(spec: str) -> bool:
    """Whether the engine behind a spec gives log-probabilities, without loading a model."""
    kind, name = check_spec(spec)
    if kind == "canned":
        from pairwright.engines.canned import read_replies

        return any(reply.top_logprobs for reply in read_replies(Path(name)))
    return kind not in ("reward", "python", "check")


def takes_schemas(spec: str) -> bool:
    """Whether the engine behind a spec can hold an answer to a JSON schema."""
    return spec.partition(":")[0] != "hf"


def engine_identity(spec: str, options: EngineOptions) -> str:
    """Model and revision behind a spec, as request keys hold them, without loading a model."""
    kind, name = check_spec(spec)
    if kind == "canned":
        from pairwright.engines.canned import canned_identity

        return canned_identity(Path(name))
    if kind == "openai":
        return f"openai:{_model_and_url(spec, name)[0]}"
    if kind in ("python", "check"):
        return str(load(_FUNCTIONS, _ENGINE).value.identify(spec, options))
    from pairwright.models.names import model_identity

    identity = model_identity(name, options.dtype)
    if kind == "vllm":
        from pairwright.engines.vllm.settings import vllm_identity

        return vllm_identity(identity, options.engine)
    return identity


def _model_and_url(spec: str, name: str) -> tuple[str, str]:
    model, at, url = name.partition("@http")
    url = f"http{url}"
    if "@" in urlsplit(url).netloc:
        raise UsageError(f"openai:{model}@URL: no user or password in the URL; set PAIRWRIGHT_API_KEY")
    if not at or not model or not urlsplit(url).netloc:
        raise UsageError(f"{spec}: write it as openai:MODEL@URL, with http:// or https:// in it")
    return model, url


def is_engine(stronger: str) -> bool:
    """Whether `--stronger` names an engine; else it names a column."""
    kind, colon, _ = stronger.partition(":")
    return bool(colon) and kind in KINDS
