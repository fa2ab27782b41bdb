"""The next round's answers, sampled on another device while this round trains: one round stale."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from threading import Event

from pairwright.errors import UsageError
from pairwright.terminal.interrupt import stopping_when
from train.on_policy.config import LoopConfig


class Ahead:
    """One thread that asks an engine while the main one trains."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "sampling")

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown()

    @contextmanager
    def meanwhile(self, work: Callable[[], object]) -> Iterator[None]:
        """Run some work in the thread while the block runs, and wait for both.

        Where the block fails or is interrupted the work is asked to stop, as by Ctrl-C, and what it has
        finished is kept. What the work raises is raised once the block is over.
        """
        failed = Event()

        def stoppable() -> None:
            with stopping_when(failed.is_set):
                work()

        doing = self._pool.submit(copy_context().run, stoppable)
        try:
            yield
            doing.result()
        except BaseException:
            failed.set()
            wait([doing])
            raise


def require_another_device(config: LoopConfig, *, cuda: bool) -> None:
    """Raise `UsageError` where answers would be sampled on the device that trains.

    `cuda` says whether this machine has a GPU, of which the first trains. A server is elsewhere, and so
    is vLLM on a CPU: in a process of its own, with cores of its own if it is given some.
    """
    policy = config.sample.policy
    if policy == "hf":
        raise UsageError(
            "--overlap: sample.policy hf answers in the process that trains; sample with vllm, which has a "
            "process of its own, or with a server (openai:{model}@URL)"
        )
    given = re.findall(r"\d+", config.sample.engine.get("device_ids", "0"))
    if policy == "vllm" and cuda and not config.train.use_cpu and "0" in given:
        raise UsageError(
            "--overlap: the next answers are sampled while this round is trained, and vLLM would be on the "
            "first GPU, as training is; give it others (--sample.engine.device_ids 1), or leave it out"
        )
