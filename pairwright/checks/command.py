"""`pairwright doctor`: whether this machine, and an engine, can do what a run will ask of them."""

from collections.abc import Iterator
from itertools import chain

from pydantic import Field
from rich.console import Console

from pairwright.checks.machine import Finding, machine_findings
from pairwright.config import POSITIONAL, Config
from pairwright.engines import EngineOptions, check_spec
from pairwright.errors import PairwrightError
from pairwright.terminal.text import one_line

_MARKS = {True: "ok", False: "FAILED", None: "-"}


class ExaminedConfig(Config):
    """What is examined besides the machine."""

    spec: str | None = Field(default=None, json_schema_extra=POSITIONAL)
    """Engine to examine, such as `vllm:smollm2`; it is asked about fifty short things."""


class DoctorConfig(EngineOptions, ExaminedConfig):
    """Examine this machine and, when one is named, an engine.

    Example: pairwright doctor openai:MODEL@http://localhost:8000/v1
    """


def doctor(config: DoctorConfig) -> None:
    """Print what was found as it is found. Raises `PairwrightError` when something has failed."""
    if config.spec is not None:
        check_spec(config.spec)
    console = Console(emoji=False)
    failed = 0
    for finding in _findings(config):
        mark = _MARKS[finding.ok]
        line = f"{mark:<6} {finding.what:<20} {one_line(finding.detail)}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
        if not finding.ok and finding.advice:
            console.print(f"{'':<27} → {finding.advice}", markup=False, highlight=False, soft_wrap=True)
        failed += finding.ok is False
    if failed:
        raise PairwrightError(f"{failed} of these failed; each says above what to do")


def _findings(config: DoctorConfig) -> Iterator[Finding]:
    if config.spec is None:
        return machine_findings(config)
    from pairwright.checks.engine import engine_findings

    return chain(machine_findings(config), engine_findings(config.spec, config))
