"""The engine that runs a transformers model in this process."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from pairwright.engines.hf.choices import Choices
from pairwright.engines.options import EngineOptions
from pairwright.engines.prompting import Prompting
from pairwright.errors import PairwrightError, UsageError
from pairwright.models.chat import encode_text, end_of_turn
from pairwright.models.names import model_identity
from pairwright.models.remote_code import trusting
from pairwright.records import Completion, Finished, Job

if TYPE_CHECKING:
    from pairwright.engines.hf.sequence import Sequence

_READ_AT_ONCE = 2**14
"""Most prompt tokens, padding included, that go through the model at once; it bounds the memory."""


class HFEngine:
    """A local model, generating for a batch that jobs join and leave as they begin and end.

    `model` is what `resolve_model` takes. Raises `UsageError` when it cannot be loaded, has no chat
    template, or is of a kind that cannot be batched here.
    """

    def __init__(self, model: str, options: EngineOptions, spec: str) -> None:
        from pairwright.engines.hf.decoding import Decoder
        from pairwright.models.loading import load_for_generation

        self.spec = spec
        self.identity = model_identity(model, options.dtype) + options.asked.mark
        self.capacity = 8 * options.batch_size
        self._batch_size = options.batch_size
        with trusting(options.trust_remote_code):
            loaded = load_for_generation(
                model, options.dtype, options.device, adapter=options.asked.adapter
            )
        self._tokenizer, self._context = loaded.tokenizer, loaded.context
        self._prompting = Prompting(loaded.tokenizer, options.asked, spec)
        self._end = end_of_turn(loaded.tokenizer)
        self._ends = loaded.ends | {self._end}
        self._decoder = Decoder(loaded.model)
        self._waiting: list[Sequence] = []
        self._finished: list[Finished] = []

    def submit(self, job: Job) -> None:
        """Take a job; what this model cannot be asked fails at the next `poll`."""
        try:
            self._waiting.append(self._sequence(job))
        except UsageError as error:
            self._finish(job, Completion(failure=str(error)))

    def poll(self, timeout: float | None = None) -> list[Finished]:
        """Generate until something is finished, or a token for each after `timeout` seconds."""
        begun = monotonic()
        while not self._finished and (self._waiting or self._decoder.active):
            self._admit()
            self._step()
            if timeout is not None and monotonic() - begun >= timeout:
                break
        return self._handed_over()

    def drain(self) -> list[Finished]:
        """Finish what has begun. What waits is given up."""
        self._waiting.clear()
        while self._decoder.active:
            self._step()
        return self._handed_over()

    def close(self) -> None:
        """Free the model. Jobs in hand are given up."""
        import torch

        self._waiting.clear()
        del self._decoder
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _sequence(self, job: Job) -> "Sequence":
        """The job as token ids. Raises `UsageError` if it cannot be asked of this model."""
        from pairwright.engines.hf.sequence import Sequence

        request = job.request
        if request.json_schema is not None:
            raise UsageError(
                f"json_schema: {self.spec} cannot hold an answer to a JSON schema; "
                "use a vllm: or openai: engine"
            )
        prompt, opened = self._prompting.prompt(request)
        choices = self._choices(request.choices) if request.choices else None
        sequence = Sequence(job, prompt, self._tokenizer, self._ends, choices, opened)
        if self._context is not None and len(prompt) + sequence.budget > self._context:
            raise UsageError(
                f"context_overflow: {len(prompt)} tokens of prompt and {sequence.budget} of answer "
                f"do not fit into the model's {self._context}"
            )
        return sequence

    def _choices(self, texts: tuple[str, ...]) -> Choices:
        ids = tuple(tuple(encode_text(self._tokenizer, text)) for text in texts)
        return Choices(texts, ids, self._end)

    def _admit(self) -> None:
        """Fill the batch up, once enough of it is free to be worth a reading of prompts."""
        free = self._batch_size - self._decoder.active
        if self._waiting and 4 * free >= self._batch_size:
            with _memory_in_mind():
                self._collect(self._decoder.admit(self._next(free)))

    def _step(self) -> None:
        with _memory_in_mind():
            self._collect(self._decoder.step())

    def _next(self, free: int) -> "list[Sequence]":
        """The job that waits longest and those nearest to it in length, for little padding."""
        length = len(self._waiting[0].prompt)
        nearest = sorted(self._waiting, key=lambda s: abs(len(s.prompt) - length))[:free]
        while len(nearest) > 1 and len(nearest) * _longest(nearest) > _READ_AT_ONCE:
            nearest.pop()
        taken = set(map(id, nearest))
        self._waiting = [s for s in self._waiting if id(s) not in taken]
        return nearest

    def _collect(self, ended: "list[Sequence]") -> None:
        for sequence in ended:
            assert sequence.result is not None
            self._finish(sequence.job, sequence.result)

    def _finish(self, job: Job, completion: Completion) -> None:
        completion = completion.model_copy(update={"model": self.identity})
        self._finished.append(Finished(job.key, completion))

    def _handed_over(self) -> list[Finished]:
        finished, self._finished = self._finished, []
        return finished


def _longest(sequences: "list[Sequence]") -> int:
    return max(len(s.prompt) for s in sequences)


@contextmanager
def _memory_in_mind() -> Iterator[None]:
    """Say what to do when the GPU is full."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise PairwrightError("The GPU is out of memory; use a smaller --batch-size.") from error
