"""The budget of a run: a limit of tokens or of money, over all requests that its folder ever sent."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from pairwright.config import ADDED, OPERATIONAL, Config
from pairwright.errors import PairwrightError, UsageError
from pairwright.records import Completion, Record, Request
from pairwright.stages.streak import Streak

_CHARACTERS_A_TOKEN = 4


class BudgetConfig(Config):
    """Where to stop for the cost of it."""

    group: ClassVar[str] = "Budget"

    max_tokens_total: int | None = Field(default=None, gt=0, json_schema_extra=OPERATIONAL)
    """Ask nothing more when the folder's completions have used, or are about to use, this many tokens,
    those of prompts included; rows under way are finished and counted."""
    max_cost: float | None = Field(default=None, gt=0, allow_inf_nan=False, json_schema_extra=OPERATIONAL)
    """Ask nothing more when the folder's completions have cost, or are about to cost, this much, by the
    prices in --price_file; rows under way are finished and counted."""
    price_file: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """YAML with prices of a million tokens by model: `gpt-x: {prompt: 2.5, completion: 10}`; with
    `batch_prompt` and `batch_completion`, those of batch jobs."""
    max_consecutive_failures: int = Field(default=10, ge=0, json_schema_extra=OPERATIONAL | ADDED)
    """Stop when this many rows in a row end alike without an answer; 0 never does."""


class BudgetSpent(PairwrightError):
    """The run stopped at its own limit; what was finished is kept. Exit code 3."""

    exit_code = 3


class Price(Record):
    """What a million tokens cost, in whatever currency `--max_cost` is meant in."""

    prompt: float = Field(ge=0, allow_inf_nan=False)
    completion: float = Field(ge=0, allow_inf_nan=False)
    batch_prompt: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    batch_completion: float | None = Field(default=None, ge=0, allow_inf_nan=False)

    def of(self, prompt: int, generated: int, *, batch: bool) -> float:
        """Return the cost of these tokens; in a batch job at its own price, if there is one."""
        asked, given = self.prompt, self.completion
        if batch:
            asked = asked if self.batch_prompt is None else self.batch_prompt
            given = given if self.batch_completion is None else self.batch_completion
        return (prompt * asked + generated * given) / 1e6


class Budget:
    """Counts tokens and cost, and says when the limit is reached."""

    def __init__(self, config: BudgetConfig) -> None:
        if (config.max_cost is None) != (config.price_file is None):
            raise UsageError("--max_cost and --price_file need each other: a limit, and what tokens cost")
        self._most_tokens = config.max_tokens_total or math.inf
        self._most_cost = config.max_cost or math.inf
        self._prices = {} if config.price_file is None else read_prices(config.price_file)
        self._file = config.price_file
        self.failures = Streak(config.max_consecutive_failures)
        self.tokens = 0
        self.cost = 0.0
        self._answered = 0
        self._promised: dict[str, tuple[float, float]] = {}
        self._promised_tokens = 0.0
        self._promised_cost = 0.0

    @property
    def is_set(self) -> bool:
        """Whether there is any limit."""
        return min(self._most_tokens, self._most_cost) < math.inf

    def add(self, completion: Completion) -> None:
        """Count a completion. Raises `PairwrightError` when its cost cannot be known."""
        if not self.is_set:
            return
        self._count(completion, completion.unusable_prompt_tokens, completion.unusable_completion_tokens)
        if completion.failure is not None:
            return
        prompt, generated = completion.prompt_tokens, completion.completion_tokens
        if not prompt + generated and _is_function(completion.model):
            return
        if not prompt + generated and completion.finish_reason == "content_filter":
            return  # refused for what it asks, before anything was generated
        if not prompt + generated:
            raise PairwrightError(
                f"the model {completion.model!r} does not say how many tokens it uses, so no budget can be "
                "kept; finished completions are safe: run again without --max_tokens_total and --max_cost"
            )
        self._answered += 1
        self._count(completion, prompt, generated)

    def _count(self, completion: Completion, prompt: int, generated: int) -> None:
        self.tokens += prompt + generated
        if self._prices and prompt + generated:
            price = self._price(completion.model)
            self.cost += price.of(prompt, generated, batch=completion.batch)

    def promise(self, key: str, request: Request, model: str, *, batch: bool) -> None:
        """Reserve what a request under way is about to use: the mean of those answered, at first the most.

        In a batch job, which is sent long before it is answered, it is always the most.
        """
        if not self.is_set or _is_function(model):
            return
        if self._answered and not batch:
            tokens, cost = self.tokens / self._answered, self.cost / self._answered
        else:
            tokens, cost = self._most_of(request, _model_of(model), batch=batch)
        self._promised[key] = (tokens, cost)
        self._promised_tokens += tokens
        self._promised_cost += cost

    def _most_of(self, request: Request, model: str, *, batch: bool) -> tuple[float, float]:
        """The most tokens that a request may use, and their cost; at the dearest price if none is known."""
        prompt = sum(len(message.content) for message in request.messages) // _CHARACTERS_A_TOKEN
        generated = request.sampling.max_tokens
        if not self._prices:
            return prompt + generated, 0.0
        known = batch or self._name_of(model) in self._prices
        prices = [self._price(model)] if known else self._prices.values()
        return prompt + generated, max(price.of(prompt, generated, batch=batch) for price in prices)

    def settle(self, key: str) -> None:
        """Release the reservation of a request that has come back."""
        tokens, cost = self._promised.pop(key, (0.0, 0.0))
        self._promised_tokens -= tokens
        self._promised_cost -= cost

    @property
    def all_promised(self) -> bool:
        """Whether requests under way may use up everything that is left."""
        return (
            self.tokens + self._promised_tokens >= self._most_tokens
            or self.cost + self._promised_cost >= self._most_cost
        )

    @property
    def spent(self) -> str | None:
        """The limit that is reached, and how to raise it; None while something is left."""
        if self.tokens >= self._most_tokens:
            return (
                f"{self.tokens:,} tokens are used of --max_tokens_total {self._most_tokens:,}; "
                "run the same command with a larger one to go on"
            )
        if self.cost >= self._most_cost:
            return (
                f"{_money(self.cost)} is spent of --max_cost {_money(self._most_cost)}; "
                "run the same command with a larger one to go on"
            )
        return None

    def _price(self, model: str) -> Price:
        """The price of the model, by its name with a date or number of a version or without, or of `*`."""
        name = self._name_of(model)
        if name not in self._prices:
            raise PairwrightError(
                f"{self._file}: no price for the model {model!r}; add it, or `*` for any model. Finished "
                "completions are safe: run the same command again"
            )
        return self._prices[name]

    def _name_of(self, model: str) -> str:
        """The name in the file under which a model's price would stand."""
        named = (name for name in self._prices if model.startswith(name))
        return max((n for n in named if _VERSION.fullmatch(model[len(n) :])), key=len, default="*")


_VERSION = re.compile(r"|[-@:](?:latest|\d{3,8}(?:-\d\d){0,2})(?:-v\d+(?::\d+)?)?")
"""What follows a model's name where a version of it answers; `-mini` and `-pro` are other models."""
_FUNCTION = re.compile(r"(python|check):.*#[0-9a-f]+", re.DOTALL)


def _is_function(identity: str) -> bool:
    """Whether it is a function's or a check's, which end in the hash of their source; they cost nothing."""
    return _FUNCTION.fullmatch(identity) is not None


def _model_of(identity: str) -> str:
    """The model's name in an engine's identity: of `openai:MODEL@URL`, of `any:PROVIDER/MODEL`."""
    kind, _, named = identity.partition(":")
    return named.rpartition("@http")[0] or (named if kind == "any" else identity)


def read_prices(path: str) -> Mapping[str, Price]:
    """Return prices by model. Raises `UsageError` naming what is wrong in the file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        _refuse_twice(path, yaml.compose(text, Loader=yaml.SafeLoader))
        prices = TypeAdapter(dict[str, Price]).validate_python(yaml.safe_load(text))
    except OSError as error:
        raise UsageError(f"--price_file {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"--price_file {path}: not YAML ({str(error).splitlines()[0]})") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"--price_file {path}: {where or 'its content'}: {first['msg']}; write lines such as "
            "gpt-x: {prompt: 2.5, completion: 10}"
        ) from None
    if not prices:
        raise UsageError(f"--price_file {path}: no prices in it")
    return prices


def _refuse_twice(path: str, node: yaml.Node | None) -> None:
    """Raise `UsageError` where a model, or a price of one, has two values: YAML would take the last."""
    models = node.value if isinstance(node, yaml.MappingNode) else []
    prices = (price.value for _, price in models if isinstance(price, yaml.MappingNode))
    for entries in (models, *prices):
        lines: dict[str, int] = {}
        for key, _ in entries:
            line, name = key.start_mark.line + 1, str(key.value)
            if name in lines:
                raise UsageError(
                    f"--price_file {path} line {line}: `{name}` is given twice; first in line {lines[name]}"
                )
            lines[name] = line


def _money(amount: float) -> str:
    """An amount for people; a small one with its first digits."""
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.3g}"
