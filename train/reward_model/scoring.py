"""Answers scored by reward models, all answers to a prompt at once."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from statistics import fmean, pstdev
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from pairwright.engines.reward import members_of
from pairwright.engines.thoughts import read_marks
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.manifest import Manifest
from pairwright.inputs.candidates import Candidates, without_thought
from pairwright.inputs.row import Candidate, Row
from pairwright.inputs.rows import Input
from pairwright.models.chat import encode_answer
from pairwright.models.loading import load_for_scoring, load_tokenizer, require_reward_model
from pairwright.models.names import find_model
from pairwright.models.positions import learned_positions
from pairwright.records import EMPTY, KEPT, TOO_LONG, Message, Outcome
from pairwright.schema import ENSEMBLE, SCORED
from pairwright.stages.run import run_stage
from pairwright.stages.stage import Work
from pairwright.terminal.text import printable
from train.forward.answers import Answer
from train.forward.rewards import all_scores
from train.models.language import model_identity
from train.reward_model.config import ScoreConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CHUNK = 64
"""Prompts read ahead, so that answers of like length share a forward pass."""
_SHOWN = 3


class Score(NamedTuple):
    """An answer's score, and what each reward model says of it."""

    value: float
    members: tuple[float, ...]
    answer: Candidate


class ScoredAnswers(NamedTuple):
    """The answers to a prompt that could be scored, best first, and how many could not."""

    ranked: list[Score]
    too_long: int


class RewardScorer:
    """One or several reward models that score answers."""

    def __init__(self, config: ScoreConfig) -> None:
        self._config = config
        self._marks = read_marks(config.thinking_tags)
        self.members = members_of(config.reward_model)
        self._tokenizers: list[PreTrainedTokenizerBase] = list(map(load_tokenizer, self.members))
        self._models: list[Any] = []

    def bare(self, row: Row) -> Row:
        """Return the row with its answers' thoughts separated from their text."""
        answers = tuple(without_thought(candidate, self._marks) for candidate in row.candidates)
        return row._replace(candidates=answers)

    def encode(self, row: Row) -> list[tuple[Candidate, list[Answer]]]:
        """Return the answers to a prompt as token ids of each model."""
        found = []
        for candidate in row.candidates:
            message = Message(role="assistant", content=candidate.text)
            ids = [encode_answer(tokenizer, row.prompt, [message]) for tokenizer in self._tokenizers]
            answers = [Answer(*(np.array(part, dtype=np.int32) for part in one)) for one in ids]
            found.append((candidate, answers))
        return found

    def shown(self, answer: Answer) -> str:
        """Return a prompt and an answer as the model sees them."""
        return str(
            self._tokenizers[0].decode([*answer.prompt_tokens.tolist(), *answer.answer_ids.tolist()])
        )

    def __call__(self, rows: Sequence[Row]) -> list[ScoredAnswers]:
        """Scores of all answers to some prompts. Raises `PairwrightError`, naming the row, for NaN."""
        rows = [self.bare(row) for row in rows]
        everything = [(place, pair) for place, row in enumerate(rows) for pair in self.encode(row)]
        fits = [e for e in everything if _longest(e[1][1]) <= self.most_tokens]
        fits.sort(key=lambda e: -_longest(e[1][1]))
        size = self._config.batch_size
        batches = [(range(at, min(at + size, len(fits))), 1.0) for at in range(0, len(fits), size)]
        each = [
            all_scores(model, [answers[number] for _, (_, answers) in fits], batches).tolist()
            for number, model in enumerate(self._loaded() if fits else ())
        ]
        together = min if self._config.reward_ensemble == "lowest" else fmean
        found = [ScoredAnswers([], 0) for _ in rows]
        for (place, (candidate, _)), scores in zip(fits, zip(*each, strict=True), strict=True):
            bad = next((score for score in scores if not math.isfinite(score)), None)
            if bad is not None:
                raise PairwrightError(
                    f"row {rows[place].row_id}: its score is {bad}; the reward model's weights or "
                    "its number format are unsound (try --dtype float32)"
                )
            found[place].ranked.append(Score(together(scores), scores, candidate))
        for place, row in enumerate(rows):
            order = {id(candidate): number for number, candidate in enumerate(row.candidates)}
            found[place].ranked.sort(key=lambda s: (-s.value, order[id(s.answer)]))
            left_out = len(row.candidates) - len(found[place].ranked)
            found[place] = found[place]._replace(too_long=left_out)
        return found

    @property
    def most_tokens(self) -> int:
        """Most tokens of a prompt with an answer: `max_length`, or the models' learned positions."""
        looked_up = filter(None, map(learned_positions, self.members))
        return min([self._config.max_length, *looked_up])

    def _loaded(self) -> list[Any]:
        """The models, loaded when first needed: a finished run needs none."""
        if not self._models:
            dtype = "float32" if self._config.dtype == "auto" else self._config.dtype
            device = self._config.device
            self._models = [load_for_scoring(name, dtype, device).model for name in self.members]
        return self._models


def _longest(answers: Sequence[Answer]) -> int:
    """Tokens of a prompt with an answer, of the model that makes most of them."""
    return max(len(answer.prompt_tokens) + len(answer.answer_ids) for answer in answers)


class ScoreStage:
    """One item is one prompt with its answers; each answer becomes a row."""

    name = "score"
    samples = 1
    templates: Mapping[str, str] = MappingProxyType({})
    roles: Mapping[str, str] = MappingProxyType({})

    def __init__(self, config: ScoreConfig) -> None:
        self._config = config
        self._scorer = RewardScorer(config)
        self._several = len(self._scorer.members) > 1
        self.schema = pa.schema([*SCORED, *ENSEMBLE]) if self._several else SCORED
        self._ahead: Iterator[Row] = iter(())
        self._scored: dict[str, ScoredAnswers] = {}

    def check(self, rows: Input) -> None:
        """Require an answer somewhere."""
        if all(not row.candidates for row in rows):
            raise UsageError(f"{rows.info.path}: no answers to score; name their column, --answer_column")
        self._ahead = iter(rows)

    def work(self, row: Row, sample: int) -> Work:
        """Rank the answers by their scores. No engine is asked: the model is in this process."""
        yield from ()
        scored = self._of(row)
        if not scored.ranked:
            if row.candidates:
                reason = f"all answers have more than {self._scorer.most_tokens} tokens with the prompt"
                return Outcome(status=TOO_LONG, reason=reason)
            return Outcome(status=EMPTY, reason="there is no answer to the prompt")
        columns = [
            {
                "completion": [{"role": "assistant", "content": candidate.text}],
                "completion_model": candidate.model,
                "score": score,
                "rank": rank,
                "scored": len(scored.ranked),
                "too_long": scored.too_long,
                "reasoning": candidate.reasoning,
                **({"score_sd": pstdev(said), "member_scores": list(said)} if self._several else {}),
            }
            for rank, (score, said, candidate) in enumerate(scored.ranked, start=1)
        ]
        first, *further = columns[:1] if self._config.best_of_n else columns
        return Outcome(status=KEPT, columns=first, further=tuple(further))

    def _of(self, row: Row) -> ScoredAnswers:
        """Scores of a row, read ahead. Chunks begin at the same rows whenever work is taken up."""
        while row.row_id not in self._scored:
            chunk = list(islice(self._ahead, _CHUNK))
            if any(other.row_id == row.row_id for other in chunk):
                found = zip(chunk, self._scorer(chunk), strict=True)
                self._scored = {other.row_id: scored for other, scored in found}
        return self._scored[row.row_id]


def score_by_models(config: ScoreConfig) -> Manifest | None:
    """Score by one or several reward models in this process."""
    members = members_of(config.reward_model)
    for member in members:
        require_reward_model(find_model(member), member)
    if config.preview or config.dry_run:
        _look(config)
        return None
    found = " + ".join(map(model_identity, members))
    models = {"reward": f"{config.reward_ensemble} of {found}" if len(members) > 1 else found}
    return run_stage(ScoreStage(config), config, Candidates, models, run=config, budget=config)


def _look(config: ScoreConfig) -> None:
    """Show the first answers as the model would see them, or count all; score nothing."""
    rows = Candidates(
        config.source, config.wanted_columns, config.limit, SCORED.names, skip=config.skip_bad_rows
    )
    scorer = RewardScorer(config)
    answers = tokens = 0
    for number, row in enumerate(rows):
        found = scorer.encode(scorer.bare(row))
        if config.preview:
            for _, (answer, *_) in found:
                print(f"── {row.row_id}\n{printable(scorer.shown(answer))}")
            if number + 1 == _SHOWN:
                return
        answers += len(found)
        tokens += sum(len(ids) for _, answers_M in found for answer in answers_M for ids in answer)
    if config.dry_run:
        print(f"{rows.info.rows:,} prompts, {answers:,} answers, {tokens:,} tokens to score")
