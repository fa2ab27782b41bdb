"""The judges of a jury, and how each is asked."""

from difflib import get_close_matches
from typing import ClassVar, Literal, NamedTuple, get_args

from pydantic import Field, PositiveInt, field_validator

from judge.jury.verdict import Agree
from pairwright.config import ADDED, GATE, OPERATIONAL, PLUGINS, Config
from pairwright.engines.kinds import check_spec, is_function, reports_logprobs
from pairwright.engines.verifiers.spec import named_spec, split_specs
from pairwright.errors import UsageError
from pairwright.plugins import Named, NamedEngine, is_plugin

Protocol = Literal["logprob", "choice", "text", "score", "rank"]
TOP = 20
"""How many of the likeliest first tokens are looked at; no server gives more."""


FIRST_TOKEN = ("logprob", "rank")
"""Protocols that read nothing but log-probabilities where a judge has them."""
SCORING = ("reward", "function")
"""Protocols of judges that are not asked in words."""


class JuryConfig(Config):
    """Who judges, and what a verdict is."""

    group: ClassVar[str] = "Judges"

    judge: NamedEngine | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Engine that judges: `vllm:MODEL`, `hf:MODEL`, `hf:smollm2`, `openai:MODEL@URL`,
    `any:PROVIDER/MODEL`, `canned:FILE`; `reward:MODEL`, a reward model; `FILE.py:NAME`, a function, or
    `check:NAME`, by their scores. Several with commas between them are a jury."""
    protocol: Protocol | Named | None = Field(default=None, json_schema_extra=PLUGINS)
    """`logprob`: probability of each label as the first token. `choice`: reasoning, then one of the
    labels. `text`: reasoning that ends with a verdict. `score`: each answer is rated by itself.
    `rank`: all answers in one question. `FILE.py:NAME`: a protocol of your own. Default: `logprob`
    where the engine gives log-probabilities, else `choice`."""

    @field_validator("protocol")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        names = get_args(Protocol)
        if value is None or value in names or is_plugin(value):
            return value
        close = get_close_matches(value, names, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}, FILE.py:NAME"
        raise ValueError(f"no protocol of this name; {hint}")

    agree: Agree = Field(default="majority", json_schema_extra=GATE)
    """`majority` or `all` of the judges must prefer the same answer in both orders; `mean` goes by
    the mean of their probabilities."""
    min_margin: float = Field(default=0.1, ge=0, le=1, json_schema_extra=GATE)
    """Least margin |2p - 1| of a pair, p being the mean probability that one answer is better."""
    min_label_mass: float = Field(default=0.01, ge=0, le=1, json_schema_extra=GATE)
    """Least probability of the labels together; below it the judge is not answering the question."""
    aspects: str = "correctness:2,helpfulness:2,clarity:1"
    """What `score` rates, with weights."""
    judge_template: str | None = None
    """Prompt template for the judge: a name in `prompts/` or a .j2 file. It can show any column of the row:
    `{{ row.reference }}`."""
    rubric: str | None = Field(default=None, json_schema_extra=ADDED)
    """What each prompt is judged by: a column with a rubric or a list of criteria, or `write`: the first
    judge writes a checklist for every prompt before it sees an answer, and it is kept (`rubric`)."""
    reasoning_tokens: PositiveInt = 512
    """Most tokens of a judge's reasoning: in `choice` and `text`, in `score` where it thinks, and before a
    rubric that it writes."""


class Judge(NamedTuple):
    """One judge of a jury."""

    role: str
    spec: str
    protocol: str
    """As on the command line; `reward` or `function`: each answer is given a number of its own."""
    logprobs: int


def judges_of(config: JuryConfig) -> list[Judge]:
    """Return the judges that the settings name, each with its role. Raises `UsageError`."""
    specs = [named_spec(spec) for spec in split_specs(config.judge or "")]
    if not specs:
        raise UsageError("--judge must be given: the engine that compares answers, such as hf:smollm2")
    if len(set(specs)) < len(specs):
        raise UsageError(f"--judge {config.judge}: a judge is named twice")
    if config.protocol is not None and all(
        spec.startswith("reward:") or is_function(spec) for spec in specs
    ):
        raise UsageError(
            f"--protocol {config.protocol}: a reward model or function is given no prompt; leave it out"
        )
    roles = ["judge"] if len(specs) == 1 else [f"judge_{n}" for n in range(1, len(specs) + 1)]
    return [_judge(role, spec, config.protocol) for role, spec in zip(roles, specs, strict=True)]


def _judge(role: str, spec: str, wanted: str | None) -> Judge:
    kind, _ = check_spec(spec)
    if kind == "reward":
        return Judge(role, spec, "reward", 0)
    if is_function(spec):
        return Judge(role, spec, "function", 0)
    speaks = reports_logprobs(spec)
    if wanted == "logprob" and not speaks:
        raise UsageError(f"{spec} gives no log-probabilities; use --protocol choice or text")
    protocol = wanted or ("logprob" if speaks else "choice")
    return Judge(role, spec, protocol, TOP if speaks else 0)


def names(text: str | None) -> list[str]:
    """Return the parts of a comma-separated list."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]
