"""Engines: requests in, completions out as they finish. Named by a spec such as `openai:M@URL`."""

from pairwright.engines.base import Engine, EngineKind
from pairwright.engines.kinds import check_spec, open_engine
from pairwright.engines.options import EngineOptions
from pairwright.records import Finished

__all__ = ["Engine", "EngineKind", "EngineOptions", "Finished", "check_spec", "open_engine"]
