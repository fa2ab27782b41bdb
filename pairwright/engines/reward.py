"""A reward model as an engine: shown a prompt and an answer, it replies with a score."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pairwright.engines.base import Engine, EngineKind
from pairwright.engines.options import EngineOptions
from pairwright.errors import UsageError
from pairwright.models.chat import encode_answer
from pairwright.models.names import model_identity
from pairwright.models.remote_code import trusting
from pairwright.records import Completion, Finished, Job

if TYPE_CHECKING:
    from torch import Tensor


class RewardKind(EngineKind):
    """A reward model: it scores answers and gives none."""

    help: ClassVar = "reward:MODEL (a reward model, as a judge only; reward:DIR+DIR several)"

    def open(self, name: str, options: EngineOptions, spec: str) -> Engine:
        """Load the model."""
        return RewardEngine(name, options, spec)

    def identity(self, name: str, options: EngineOptions) -> str:
        """Return the model's name and a hash of its files, or its commit, and the number format."""
        return _identity(name, options)


def members_of(name: str) -> list[str]:
    """Return the reward models of an engine: one, or several with `+` between them."""
    members = [name] if Path(name).exists() else name.split("+")
    if not all(members) or len(set(members)) < len(members):
        raise UsageError(f"reward models {name!r}: different names with + between them")
    return members


def _identity(name: str, options: EngineOptions) -> str:
    members = [model_identity(member, options.dtype) for member in members_of(name)]
    return members[0] if len(members) == 1 else f"{options.reward_ensemble} of {' + '.join(members)}"


class RewardEngine:
    """A local sequence classifier of one label. The text of a completion is the score, as `repr` has it.

    Of several, each reads answers with its own tokenizer, and the score is the mean or the lowest of
    theirs: an answer that only one of them overrates is not taken for good (Coste et al. 2023,
    https://arxiv.org/abs/2310.02743).

    Scores are the model's own logits; only differences of answers to one prompt mean anything.
    Raises `UsageError` when the folder holds no reward model.
    """

    def __init__(self, model: str, options: EngineOptions, spec: str) -> None:
        from pairwright.models.loading import load_for_scoring

        self.spec = spec
        self.identity = _identity(model, options)
        self._lowest = options.reward_ensemble == "lowest"
        self.capacity = 8 * options.batch_size
        self._batch_size = options.batch_size
        with trusting(options.trust_remote_code):
            self._loaded: list[Any] = [
                load_for_scoring(member, options.dtype, options.device) for member in members_of(model)
            ]
        self._waiting: list[tuple[Job, list[list[int]]]] = []
        self._finished: list[Finished] = []

    def submit(self, job: Job) -> None:
        """Take a job; what cannot be scored fails at the next `poll`."""
        try:
            self._waiting.append((job, self._ids(job)))
        except UsageError as error:
            self._finish(job, Completion(failure=str(error)))

    def poll(self, timeout: float | None = None) -> list[Finished]:
        """Score the job that waits longest and those nearest to it in length."""
        if not self._finished and self._waiting:
            self._score_some()
        finished, self._finished = self._finished, []
        return finished

    def drain(self) -> list[Finished]:
        """Give up the jobs that wait; none is under way between two calls."""
        self._waiting.clear()
        return self.poll()

    def close(self) -> None:
        """Free the model. Jobs in hand are given up."""
        import torch

        self._waiting.clear()
        self._loaded.clear()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _ids(self, job: Job) -> list[list[int]]:
        """Prompt and answer as tokens of each model. Raises `UsageError` if they cannot be scored."""
        *prompt, answer = job.request.messages
        if answer.role != "assistant" or not prompt:
            raise UsageError(f"{self.spec} is a reward model: it scores answers and gives none")
        found = []
        for loaded in self._loaded:
            ids = [i for part in encode_answer(loaded.tokenizer, prompt, [answer]) for i in part]
            if loaded.context is not None and len(ids) > loaded.context:
                raise UsageError(
                    f"context_overflow: {len(ids)} tokens do not fit into the model's {loaded.context}"
                )
            found.append(ids)
        return found

    def _score_some(self) -> None:
        length = len(self._waiting[0][1][0])
        order = sorted(range(len(self._waiting)), key=lambda i: abs(len(self._waiting[i][1][0]) - length))
        taken = set(order[: self._batch_size])
        batch = [self._waiting[i] for i in sorted(taken)]
        self._waiting = [w for i, w in enumerate(self._waiting) if i not in taken]
        each = [
            last_token_scores(loaded.model, [ids[place] for _, ids in batch]).tolist()
            for place, loaded in enumerate(self._loaded)
        ]
        for (job, ids), found in zip(batch, zip(*each, strict=True), strict=True):
            bad = next((score for score in found if score - score != 0), None)
            score = min(found) if self._lowest else sum(found) / len(found)
            score = score if bad is None else bad
            if score - score != 0:
                self._finish(job, Completion(failure=f"the score is {score}; try --dtype float32"))
            else:
                self._finish(job, Completion(text=repr(score), prompt_tokens=sum(map(len, ids))))

    def _finish(self, job: Job, completion: Completion) -> None:
        completion = completion.model_copy(update={"model": self.identity})
        self._finished.append(Finished(job.key, completion))


def last_token_scores(model: Any, sequences: list[list[int]]) -> "Tensor":
    """Return the head's value at the last token of each sequence, float32."""
    import torch

    from pairwright.models.products import fast_products
    from pairwright.models.reward_head import reading

    device = next(model.parameters()).device
    lengths = torch.tensor([len(ids) for ids in sequences], device=device)
    longest = int(lengths.max())
    input_ids = torch.tensor([ids + [0] * (longest - len(ids)) for ids in sequences], device=device)
    mask = (torch.arange(longest, device=device) < lengths[:, None]).long()
    rows = torch.arange(len(sequences), device=device)
    scored = reading(model.score, rows, lengths - 1)
    with scored as read, torch.inference_mode(), fast_products():
        model(input_ids=input_ids, attention_mask=mask, use_cache=False)
    return read()
