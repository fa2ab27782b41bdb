"""Shorthand for tests that ask an engine something."""

import random
import time
from collections.abc import Sequence
from typing import Any

from pairwright.engines.base import Engine
from pairwright.engines.openai.engine import OpenAIEngine
from pairwright.engines.openai.retry import Backoff
from pairwright.engines.options import EngineOptions
from pairwright.records import Completion, Job, Request, Sampling, conversation


def job(prompt: str, *, logprobs: int = 0, **request: Any) -> Job:
    """A job whose last message is `prompt`."""
    asked = Request(
        role="policy",
        messages=conversation(prompt),
        sampling=Sampling(max_tokens=16, logprobs=logprobs),
        **request,
    )
    return Job(key=asked.key("test"), request=asked)


def ask(engine: Engine, jobs: Sequence[Job], within: float = 30.0) -> list[Completion]:
    """The completions of jobs, in their order; each must come exactly once, in time."""
    for one in jobs:
        engine.submit(one)
    found: dict[str, Completion] = {}
    ends = time.monotonic() + within
    while len(found) < len(jobs):
        for key, completion in engine.poll(timeout=1.0):
            assert key not in found, "a job was answered twice"
            found[key] = completion
        assert time.monotonic() < ends, f"{len(jobs) - len(found)} jobs without an answer"
    assert engine.poll(timeout=0) == []
    return [found[one.key] for one in jobs]


def openai_engine(url: str, **options: Any) -> OpenAIEngine:
    """An engine that is quick to lose patience, so that tests are quick too."""
    settings = EngineOptions(**{"deadline": 5.0, "max_concurrency": 8, **options})
    backoff = Backoff(base=0.01, cap=0.05, rng=random.Random(0))
    return OpenAIEngine("m", url, settings, f"openai:m@{url}", backoff=backoff, patience=1.0)
