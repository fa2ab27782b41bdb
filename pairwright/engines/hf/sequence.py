"""One completion in the making: its random numbers, its tokens so far, and when it ends."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from pairwright.engines.hf.choices import Choices
from pairwright.records import Completion, FinishReason, Job

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(eq=False)
class Sequence:
    """A prompt, and the answer that grows behind it."""

    job: Job
    prompt: list[int]
    tokenizer: "PreTrainedTokenizerBase"
    ends: frozenset[int]
    """Tokens that end an answer."""
    choices: Choices | None = None
    opened: str = ""
    """The mark of a thought that the prompt ends with, as `<think>`; the text begins with it."""
    output: list[int] = field(default_factory=list)
    tops: list[dict[str, float]] = field(default_factory=list)
    result: Completion | None = None
    """Set when the sequence has ended."""

    def __post_init__(self) -> None:
        self.sampling = self.job.request.sampling
        self.budget = max(self.sampling.max_tokens, self.choices.length if self.choices else 0)
        generator = torch.Generator().manual_seed(self.job.seed)
        self._uniforms = torch.rand(self.budget, generator=generator).tolist()

    @property
    def uniform(self) -> float:
        """The number in [0, 1) that decides the next token: it depends on the job's seed alone."""
        return float(self._uniforms[len(self.output)])

    @property
    def length(self) -> int:
        """Tokens of the prompt and of the answer so far."""
        return len(self.prompt) + len(self.output)

    def take(self, token: int) -> None:
        """Append the drawn token, and end if it is the last one."""
        self.output.append(token)
        if self.choices is not None:
            self._end_choice(self.choices)
        elif token in self.ends:
            self._end(self._text(self.output[:-1]), "stop")
        elif len(self.output) >= self.budget:
            self._end(self._text(self.output), "length")

    def note(self, ids: list[int], logprobs: list[float]) -> None:
        """Keep the likeliest tokens of a position by their text; equal texts share their mass."""
        mass: dict[str, float] = {}
        for token, logprob in zip(ids, logprobs, strict=True):
            if logprob > -torch.inf:
                text = self.tokenizer.decode([token])
                known = mass.get(text)
                mass[text] = logprob if known is None else _log_sum(known, logprob)
        self.tops.append(mass)

    def fail(self, why: str) -> None:
        """End without a text."""
        self.result = Completion(failure=why, prompt_tokens=len(self.prompt))

    def _end_choice(self, choices: Choices) -> None:
        if (text := choices.chosen(self.output)) is not None:
            self._end(text, "stop")

    def _end(self, text: str, reason: FinishReason) -> None:
        self.result = Completion(
            text=self.opened + text,
            finish_reason=reason,
            prompt_tokens=len(self.prompt),
            completion_tokens=len(self.output),
            top_logprobs=tuple(self.tops),
        )

    def _text(self, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


def _log_sum(a: float, b: float) -> float:
    return float(torch.logaddexp(torch.tensor(a), torch.tensor(b)))
