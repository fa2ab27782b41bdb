"""`pairwright sample`: answers of a model to prompts."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from pairwright.engines.calls import with_calls
from pairwright.engines.thoughts import used_up
from pairwright.errors import UsageError
from pairwright.folders.manifest import Manifest
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.records import (
    EMPTY,
    KEPT,
    REFUSED,
    TRUNCATED,
    Completion,
    Ending,
    Message,
    Outcome,
    Request,
    Sampling,
    stored,
)
from pairwright.schema import ANSWER
from pairwright.stages.config import SampleSettings, SharedStageConfig, TurnConfig
from pairwright.stages.run import run_stage
from pairwright.stages.stage import Work


class SampleConfig(SampleSettings, TurnConfig, SharedStageConfig):
    """Sample answers to prompts.

    Example: pairwright sample prompts.jsonl --policy hf:smollm2 --out runs/answers
    """


def sample(config: SampleConfig) -> Manifest | None:
    """Sample `n` answers to every prompt of the input into a run folder.

    Returns the finished run's manifest; None after `preview` or `dry_run`.
    """
    read = partial(Input, answers=False)
    return run_stage(SampleStage(config), config, read, run=config, workers=config, budget=config)


class SampleStage:
    """One item is one answer."""

    name = "sample"
    schema = ANSWER
    templates: Mapping[str, str] = MappingProxyType({})

    def __init__(self, config: SampleConfig) -> None:
        self.samples = config.n
        self.roles: Mapping[str, str] = {"policy": config.policy}
        self._sampling = Sampling(
            max_tokens=config.max_tokens, temperature=config.temperature, top_p=config.top_p
        )

    def check(self, rows: Input) -> None:
        """Accept anything: what has a prompt can be sampled."""

    def work(self, row: Row, sample: int) -> Work:
        """Ask once; keep what ends by itself and says something."""
        index = row.occurrence * self.samples + sample
        [completion] = yield [answer_request(row, self._sampling, index)]
        if row.prompt[0].beside is not None and row.prompt[0].beside.tools:
            completion = with_calls(completion)
        called = completion.tool_calls and completion.finish_reason == "stop"
        status, reason = Ending(KEPT) if called else answer_status(completion)
        return Outcome(
            status=status,
            reason=reason,
            columns={
                "completion": stored([answer_of(completion)]),
                "source": "sample",
                "completion_model": completion.model or self.roles["policy"],
                "sample_index": index,
                "finish_reason": completion.finish_reason,
                "prompt_tokens": completion.prompt_tokens,
                "completion_tokens": completion.completion_tokens,
                "reasoning": completion.reasoning,
                "reasoning_tokens": completion.reasoning_tokens,
            },
        )


def answer_request(row: Row, sampling: Sampling, index: int) -> Request:
    """Return the request for a row's `index`-th answer."""
    if row.prompt[-1].role == "assistant":
        raise UsageError(
            f"row {row.row_id}: the prompt ends with an assistant message; end it with the user's"
        )
    return Request(role="policy", messages=row.prompt, sampling=sampling, sample_index=index)


def answer_of(completion: Completion) -> Message:
    """Return the assistant's message in a completion."""
    return Message(role="assistant", content=completion.text, tool_calls=completion.tool_calls)


def answer_status(completion: Completion) -> Ending:
    """Return the status of a policy's completion: `kept` if pairs can be made of it, else why not."""
    if completion.finish_reason == "length":
        return Ending(TRUNCATED, cut_off(completion))
    if completion.finish_reason == "content_filter":
        return Ending(REFUSED, "withheld by the server's content filter")
    if completion.tool_calls:
        return Ending(
            EMPTY, f"calls `{completion.tool_calls[0].function.name}`, and only texts are compared"
        )
    if not completion.text.strip():
        said = "the model thought, and gave no answer" if used_up(completion) else "the model said nothing"
        return Ending(EMPTY, said)
    return Ending(KEPT)


def cut_off(completion: Completion) -> str:
    """Return where a completion was cut off, and what to do where that was within its thoughts."""
    where = f"cut off after {completion.completion_tokens} tokens"
    if used_up(completion):
        where += ", all of them thoughts: allow more tokens"
    return where
