"""Batched generation: sequences join the batch when they begin and leave it when they end.

Rows are aligned at the right, so the newest token of each is in the last column; what pads them at the left
is masked, and positions are counted per row. Shapes: B rows, T columns, V vocabulary.
"""

import inspect
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers.cache_utils import Cache

from pairwright.engines.hf.kvcache import Part, empty_cache, joined
from pairwright.engines.hf.sampling import drawn, only, top_logprobs
from pairwright.engines.hf.sequence import Sequence
from pairwright.models.products import fast_products

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_WORTH_SHARING = 16


class _Batch(NamedTuple):
    """Sequences in the making, and what the model has read of them."""

    sequences: list[Sequence]
    cache: Cache
    mask: Tensor
    """(B, T): 1 where a column holds a token of the row, 0 where it pads."""


class Decoder:
    """Generates for the sequences it is given, until each has a result."""

    def __init__(self, model: "PreTrainedModel") -> None:
        self._model = model
        self._batch: _Batch | None = None
        self._may_share = _attends_to_all(model)
        known = inspect.signature(model.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
        self._cache_name = "cache" if "cache" in known else "past_key_values"
        """The second is the older name; from transformers 5.24 on it is warned of."""

    @property
    def active(self) -> int:
        """How many sequences have no result yet."""
        return sum(s.result is None for s in self._batch.sequences) if self._batch else 0

    @fast_products()
    @torch.inference_mode()
    def admit(self, sequences: list[Sequence]) -> list[Sequence]:
        """Take sequences in, and give each its first token. Returns those that end with it."""
        new = self._read(sequences)
        self._batch = _gathered([self._batch, new] if self._batch else [new])
        return [s for s in sequences if s.result]

    @torch.inference_mode()
    def step(self) -> list[Sequence]:
        """Sample one more token for every sequence; return the sequences that end with it."""
        if self._batch and 4 * self.active <= 3 * len(self._batch.sequences):
            self._batch = _gathered([self._batch])
        if not self._batch:
            return []
        sequences, cache, mask = self._batch
        running = [s for s in sequences if s.result is None]
        last = self._tensor([[s.output[-1]] for s in sequences])
        positions = self._tensor([[s.length - 1] for s in sequences])
        mask = pad(mask, (0, 1), value=1)
        self._batch = _Batch(sequences, cache, mask)
        self._extend(sequences, self._logits(last, mask, positions, cache))
        return [s for s in running if s.result]

    def _read(self, sequences: list[Sequence]) -> _Batch:
        """A batch of prompts, read, and the first token of each answer."""
        prompts = [s.prompt for s in sequences]
        shared = self._shared(prompts)
        cache = self._read_once(prompts[0][:shared], len(prompts)) if shared else empty_cache()
        width = max(map(len, prompts)) - shared
        tokens, mask = (torch.zeros(len(prompts), width, dtype=torch.long) for _ in range(2))
        for row, prompt in enumerate(prompts):
            tokens[row, shared + width - len(prompt) :] = torch.tensor(prompt[shared:])
            mask[row, shared + width - len(prompt) :] = 1
        positions = shared + (mask.cumsum(-1) - 1).clamp(min=0)
        tokens, mask, positions = (t.to(self._model.device) for t in (tokens, mask, positions))
        mask = pad(mask, (shared, 0), value=1)
        self._extend(sequences, self._logits(tokens, mask, positions, cache))
        return _Batch(sequences, cache, mask)

    def _shared(self, prompts: list[list[int]]) -> int:
        """Length of the beginning that all prompts share, if reading it once is worth it.

        It leaves a gap behind short prompts, which only a model that counts no columns can bear.
        """
        if not self._may_share or len(prompts) == 1:
            return 0
        ends = zip(min(prompts), max(prompts), strict=False)  # between these two lie all others
        same = sum(1 for _ in takewhile(lambda ids: ids[0] == ids[1], ends))
        length = min(same, min(map(len, prompts)) - 1)
        return length if length >= _WORTH_SHARING else 0

    def _read_once(self, ids: list[int], rows: int) -> Cache:
        """The cache of one reading of `ids`, repeated for every row."""
        cache, tokens = empty_cache(), self._tensor([ids])
        positions = torch.arange(len(ids), device=tokens.device)[None]
        self._logits(tokens, torch.ones_like(tokens), positions, cache)
        return joined([Part(cache, torch.zeros(rows, dtype=torch.long, device=tokens.device), 0)])

    def _logits(self, tokens: Tensor, mask: Tensor, positions: Tensor, cache: Cache) -> Tensor:
        """Logits of the next token, (B, V) in float32."""
        out = self._model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            use_cache=True,
            **{self._cache_name: cache},
            **self._last_only,
        )
        logits: Tensor = out.logits[:, -1].float()
        return logits

    def _extend(self, sequences: list[Sequence], logits_BV: Tensor) -> None:
        """Draw a token for every sequence that goes on; one with bad logits fails alone."""
        finite = logits_BV.amax(-1).isfinite().tolist()
        for sequence, good in zip(sequences, finite, strict=True):
            if not good and sequence.result is None:
                sequence.fail("non-finite logits")
        rows = [row for row, s in enumerate(sequences) if s.result is None]
        if not rows:
            return
        running = [sequences[row] for row in rows]
        logits = logits_BV if len(rows) == len(sequences) else logits_BV[rows]
        for row, sequence in enumerate(running):
            if sequence.choices is not None:
                logits[row] = only(logits[row], sequence.choices.allowed(sequence.output))
        self._draw(running, logits)

    def _draw(self, running: list[Sequence], logits_BV: Tensor) -> None:
        settings = [(s.sampling.temperature, s.sampling.top_p, s.uniform) for s in running]
        temperature, top_p, uniform = torch.tensor(settings, device=logits_BV.device).unbind(-1)
        tokens = drawn(logits_BV, temperature, top_p, uniform).tolist()
        _note(running, logits_BV)
        for sequence, token in zip(running, tokens, strict=True):
            sequence.take(token)

    def _tensor(self, values: list[list[int]]) -> Tensor:
        return torch.tensor(values, device=self._model.device)


def _note(running: list[Sequence], logits_BV: Tensor) -> None:
    """Write down the likeliest tokens for the sequences that want them."""
    rows = [row for row, s in enumerate(running) if s.sampling.logprobs]
    if not rows:
        return
    count = max(running[row].sampling.logprobs for row in rows)
    ids, logprobs = top_logprobs(logits_BV[rows], count)
    for row, its_ids, its_logprobs in zip(rows, ids, logprobs, strict=True):
        wanted = running[row].sampling.logprobs
        running[row].note(its_ids[:wanted], its_logprobs[:wanted])


def _gathered(batches: list[_Batch]) -> _Batch | None:
    """One batch of all rows that go on, without columns that pad every row."""
    parts, masks, sequences = [], [], []
    for batch in batches:
        rows = [row for row, s in enumerate(batch.sequences) if s.result is None]
        if not rows:
            continue
        mask = batch.mask[rows]
        skip = int(mask.any(0).int().argmax())
        parts.append(Part(batch.cache, torch.tensor(rows, device=mask.device), skip))
        masks.append(mask[:, skip:])
        sequences += [batch.sequences[row] for row in rows]
    if not sequences:
        return None
    width = max(mask.shape[1] for mask in masks)
    mask = torch.cat([pad(mask, (width - mask.shape[1], 0)) for mask in masks])
    return _Batch(sequences, joined(parts), mask)


def _attends_to_all(model: "PreTrainedModel") -> bool:
    """Whether every layer sees every earlier token, however far back its column lies."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None) or ["full_attention"]
    window = getattr(config, "sliding_window", None)
    return set(kinds) == {"full_attention"} and not window
