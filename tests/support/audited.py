"""`pairwright` with a witness: appends the key of every request that an engine is asked to a file.

Run as `python tests/support/audited.py LOG COMMAND …`; tests kill it and read LOG afterwards.
"""

import os
import sys
from typing import Any

from pairwright.cli import main
from pairwright.engines.canned import CannedEngine
from pairwright.engines.openai.engine import OpenAIEngine
from pairwright.engines.verifiers.engine import FunctionEngine
from pairwright.engines.vllm.engine import VLLMEngine
from pairwright.records import Job


def witness(engine: type[Any], log: int) -> None:
    submit = engine.submit

    def audited(self: Any, job: Job) -> None:
        os.write(log, f"{job.key}\n".encode())
        submit(self, job)

    engine.submit = audited


def run(log: str, command: list[str]) -> None:
    """The command, witnessed, in a process of its own."""
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for engine in (CannedEngine, FunctionEngine, OpenAIEngine, VLLMEngine):
        witness(engine, written)
    main(command)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
