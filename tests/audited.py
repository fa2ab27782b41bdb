"""`pairwright` with a witness: appends the key of every request that an engine is asked to a file.

Run as `python tests/audited.py LOG COMMAND …`; tests kill it and read LOG afterwards.
"""

import os
import sys
from typing import Any

from pairwright.cli import main
from pairwright.engines.canned import CannedEngine
from pairwright.engines.openai import OpenAIEngine
from pairwright.engines.vllm import VLLMEngine
from pairwright.records import Job

log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def witness(engine: type[Any]) -> None:
    submit = engine.submit

    def audited(self: Any, job: Job) -> None:
        os.write(log, f"{job.key}\n".encode())
        submit(self, job)

    engine.submit = audited


witness(CannedEngine)
witness(OpenAIEngine)
witness(VLLMEngine)
main(sys.argv[2:])
