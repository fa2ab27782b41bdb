"""The engines of a stage: one for each distinct spec, opened when first needed."""

from collections.abc import Mapping

from pairwright.engines.base import Engine
from pairwright.engines.kinds import engine_identity, open_engine
from pairwright.engines.options import EngineOptions
from pairwright.engines.thoughts import read_marks
from pairwright.errors import UsageError

UNOPENED_CAPACITY = 256
"""Rows kept in the air while no engine is open, so that a journal can answer them all."""


class EnginePool:
    """Engines by role. Roles with the same spec share one engine."""

    def __init__(self, roles: Mapping[str, str], options: EngineOptions) -> None:
        self._roles = dict(roles)
        self._options = options
        self._open: dict[str, Engine] = {}
        self.marks = read_marks(options.thinking_tags)
        """What stands before and after the thoughts in what these engines say."""
        if options.engine and not any(spec.startswith("vllm:") for spec in self._roles.values()):
            raise UsageError(
                f"--engine.{min(options.engine)}: settings of vLLM, and no engine here is vllm:MODEL"
            )
        self.identities = {role: engine_identity(spec, options) for role, spec in self._roles.items()}
        """Model and revision by role, known without loading anything."""

    def __enter__(self) -> "EnginePool":
        return self

    def __exit__(self, *error: object) -> None:
        for engine in self._open.values():
            engine.close()

    def __getitem__(self, role: str) -> Engine:
        spec = self._roles[role]
        if spec not in self._open:
            self._open[spec] = open_engine(spec, self._options)
        return self._open[spec]

    def open_all(self) -> None:
        """Open every engine now, to find out what does not work before anything is written."""
        for role in self._roles:
            self[role]

    @property
    def capacity(self) -> int:
        """Jobs that keep every open engine busy."""
        return sum(e.capacity for e in self._open.values()) or UNOPENED_CAPACITY
