"""A job as the line that vLLM's worker reads, and a completion out of the line that it answers."""

import json
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pairwright.engines.asked import PLAIN, Asked
from pairwright.engines.constraint import broken_constraint
from pairwright.engines.prompting import Prompting
from pairwright.errors import UsageError
from pairwright.models.chat import end_of_turn
from pairwright.records import Completion, Job, Request

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class JobLines:
    """Turns jobs into lines and lines into completions, for one model.

    Prompts go out as token ids, so that text from data can never become a control token.
    Raises `UsageError` if the tokenizer has no chat template.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        identity: str,
        asked: Asked = PLAIN,
        spec: str = "vllm",
    ) -> None:
        self._tokenizer = tokenizer
        self._prompting = Prompting(tokenizer, asked, spec)
        self._further = dict(asked.body)
        self._opened: dict[str, str] = {}
        self._end = end_of_turn(tokenizer)
        self._identity = identity
        self._spelled = lru_cache(2**17)(self._spell)

    def line(self, job: Job, context: int) -> bytes:
        """Return the line of a job. Raises `UsageError` when it does not fit into `context` tokens."""
        request, sampling = job.request, job.request.sampling
        (prompt, opened), budget = self._prompting.prompt(request), _budget(request)
        if len(prompt) + budget > context:
            raise UsageError(
                f"context_overflow: {len(prompt)} tokens of prompt and {budget} of answer "
                f"do not fit into the {context} that vLLM was started with"
            )
        asked: dict[str, Any] = {
            "key": job.key,
            "prompt": prompt,
            "max_tokens": budget,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": job.seed,
            "stop_token_ids": [self._end],
        }
        if opened:
            self._opened[job.key] = opened
        if self._further:
            asked["further"] = self._further
        if sampling.logprobs:
            asked["logprobs"] = sampling.logprobs
        if request.choices:
            asked["choices"] = request.choices
        elif request.json_schema is not None:
            asked["json_schema"] = request.json_schema
        return json.dumps(asked).encode()

    def completion(self, said: dict[str, Any], request: Request) -> Completion:
        """Return what the worker said of a request."""
        if "failure" in said:
            return Completion(failure=f"vllm: {said['failure']}", model=self._identity)
        text, finish = self._opened.pop(said["key"], "") + said["text"], said["finish_reason"]
        if text in request.choices:
            finish = "stop"  # a whole choice is complete even where it used up the token budget
        if finish == "stop" and (how := broken_constraint(text, request)):
            return Completion(failure=f"vllm ignores the constraint: {how}", model=self._identity)
        wanted = request.sampling.logprobs
        return Completion(
            text=text,
            finish_reason=finish,
            prompt_tokens=said["prompt_tokens"],
            completion_tokens=said["completion_tokens"],
            top_logprobs=tuple(self._position(tops[:wanted]) for tops in said["tops"]),
            model=self._identity,
        )

    def _position(self, tops: list[tuple[int, float]]) -> dict[str, float]:
        """The likeliest tokens of a position by their text; equal texts share their mass."""
        mass: dict[str, float] = {}
        for token, logprob in tops:
            if math.isfinite(logprob):
                text = self._spelled(token)
                mass[text] = _log_sum(mass.get(text, -math.inf), logprob)
        return mass

    def _spell(self, token: int) -> str:
        text: str = self._tokenizer.decode([token])
        return text


def _budget(request: Request) -> int:
    """Most tokens of an answer: a choice may come in any tokens, of a byte each at the least."""
    longest = max((len(choice.encode("utf-8", "replace")) for choice in request.choices), default=-1)
    return max(request.sampling.max_tokens, longest + 1)


def _log_sum(a: float, b: float) -> float:
    high, low = max(a, b), min(a, b)
    return min(0.0, high + math.log1p(math.exp(low - high)))
