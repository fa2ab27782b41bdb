"""A reward model as an engine: what it says of a conversation that ends in an answer is a number."""

import gc
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from pairwright.chat import encode_answer
from pairwright.engines.base import Finished
from pairwright.engines.options import EngineOptions
from pairwright.engines.weights import model_identity, quiet, resolve_model
from pairwright.errors import UsageError
from pairwright.records import Completion, Job

if TYPE_CHECKING:
    from torch import Tensor


class Waiting(NamedTuple):
    """A job, and its conversation as token ids."""

    job: Job
    ids: list[int]


class RewardEngine:
    """A sequence classifier with one label, such as `pairwright reward` writes.

    A request's last message is the answer to score; the completion's text is the score, read at the
    last token that the attention mask shows, whatever the padding token is. Raises `UsageError` when
    the model cannot be loaded or is none.
    """

    reports_logprobs = False
    constrains = False

    def __init__(self, model: str, options: EngineOptions, spec: str) -> None:
        self.spec = spec
        self.identity = reward_identity(model, options)
        self.capacity = 8 * options.batch_size
        self._batch_size = options.batch_size
        self._model, self._tokenizer = _load(model, options)
        self._context = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        self._waiting: list[Waiting] = []
        self._finished: list[Finished] = []

    def submit(self, job: Job) -> None:
        """Take a job; a conversation that cannot be scored fails at the next `poll`."""
        *prompt, answer = job.request.messages
        try:
            prompt_ids, answer_ids = encode_answer(self._tokenizer, prompt, [answer])
        except UsageError as error:
            self._finish(job, Completion(failure=str(error)))
            return
        length = len(prompt_ids) + len(answer_ids)
        if self._context is not None and length > self._context:
            reason = f"context_overflow: {length} tokens do not fit into the model's {self._context}"
            self._finish(job, Completion(failure=reason))
            return
        self._waiting.append(Waiting(job, [*prompt_ids, *answer_ids]))

    def poll(self, timeout: float | None = None) -> list[Finished]:
        """Score a batch of what waits, the longest conversations first."""
        self._waiting.sort(key=lambda w: len(w.ids))
        batch = [self._waiting.pop() for _ in range(min(self._batch_size, len(self._waiting)))]
        if batch:
            for (job, ids), score in zip(batch, self._scores([w.ids for w in batch]), strict=True):
                self._finish(job, _completion(score, len(ids)))
        finished, self._finished = self._finished, []
        return finished

    def drain(self) -> list[Finished]:
        """Nothing is ever begun and not finished; what waits is given up."""
        self._waiting.clear()
        return self.poll()

    def close(self) -> None:
        """Free the model."""
        import torch

        self._waiting.clear()
        del self._model
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _scores(self, conversations: "list[list[int]]") -> list[float]:
        """The score of each conversation, padded on the right into one batch."""
        import torch

        longest = max(map(len, conversations))
        ids = torch.tensor([c + [0] * (longest - len(c)) for c in conversations])
        lengths = torch.tensor([len(c) for c in conversations])
        mask = (torch.arange(longest) < lengths[:, None]).long()
        heard: list[Tensor] = []
        handle = self._model.score.register_forward_hook(lambda _, __, output: heard.append(output))
        try:
            with torch.no_grad():
                device = self._model.device
                self._model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False)
        finally:
            handle.remove()
        scores: list[float] = heard[-1].float().cpu()[torch.arange(len(ids)), lengths - 1, 0].tolist()
        return scores

    def _finish(self, job: Job, completion: Completion) -> None:
        self._finished.append(Finished(job.key, completion.model_copy(update={"model": self.identity})))


def reward_identity(model: str, options: EngineOptions) -> str:
    """Model and revision, as request keys hold them."""
    return f"reward:{model_identity(model, options.dtype)}"


def _completion(score: float, tokens: int) -> Completion:
    if not math.isfinite(score):
        return Completion(failure=f"the score is {score}: the reward model's weights are unsound")
    return Completion(text=repr(score), prompt_tokens=tokens)


def _load(name: str, options: EngineOptions) -> tuple[Any, Any]:
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    from pairwright.engines.loading import device_of

    place, device = resolve_model(name), device_of(options.device)
    dtype = "float32" if options.dtype == "auto" else options.dtype
    try:
        with quiet():
            config = AutoConfig.from_pretrained(place)
            architecture = next(iter(config.architectures or ()), "a model of no name")
            if not architecture.endswith("ForSequenceClassification") or config.num_labels != 1:
                raise UsageError(
                    f"reward:{name}: holds {architecture} with {config.num_labels} labels; a reward model "
                    "is a sequence classifier with one, such as `pairwright reward` writes"
                )
            tokenizer = AutoTokenizer.from_pretrained(place)
            model = AutoModelForSequenceClassification.from_pretrained(place, dtype=getattr(torch, dtype))
    except (OSError, ValueError, ImportError) as error:
        raise UsageError(f"reward:{name} cannot be loaded: {str(error).strip().splitlines()[0]}") from error
    if not isinstance(getattr(model, "score", None), torch.nn.Linear):
        raise UsageError(f"reward:{name}: {architecture} has no head that reads one token")
    for settings in (model.config, model.config.get_text_config()):
        if settings.pad_token_id is None:
            settings.pad_token_id = 0  # transformers wants one to pool by; that pooling is not used
    return model.to(device).eval(), tokenizer
