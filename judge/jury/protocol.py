"""The protocol interface: one way to ask a judge about pairs of answers to a prompt."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from judge.jury.config import Judge, JuryConfig
from judge.jury.labels import draw_nonce
from judge.jury.verdict import Vote
from pairwright.errors import UsageError
from pairwright.inputs.row import Row
from pairwright.records import Message, Request, Sampling, conversation, transcript
from pairwright.stages.asking import Asking
from prompts import Template, load
from prompts.template import Columns, TemplateError


class Case(NamedTuple):
    """A prompt and the answers to it that are compared."""

    row_id: str
    prompt: str
    texts: tuple[str, ...]
    occurrence: int = 0
    messages: tuple[Message, ...] = ()
    """The prompt as a conversation, for judges that are not asked in words."""
    columns: Mapping[str, Any] = MappingProxyType({})
    """The row's other columns, for functions and templates."""
    rubric: str | None = None
    """What this prompt is judged by, where there is something of the kind; empty when none was written."""
    unwritten: str = ""
    """Why none was written."""

    @classmethod
    def of(cls, row: Row, texts: Sequence[str]) -> "Case":
        """Return the case of a row: its prompt and the answers to it."""
        prompt = transcript(row.prompt)
        return cls(row.row_id, prompt, tuple(texts), row.occurrence, row.prompt, row.columns)

    @property
    def nonce(self) -> str:
        """A code that delimits the texts shown, and that none of them contains."""
        rubric = () if self.rubric is None else (self.rubric,)
        return draw_nonce(self.row_id, [self.prompt, *self.texts, *rubric])

    @property
    def shown(self) -> dict[str, Any]:
        """The variables that every template is given."""
        return {"prompt": self.prompt, "rubric": self.rubric, "row": Columns(self.columns)}


class JudgeProtocol(Protocol):
    """A way to ask a judge. It is made once for all the judges of a jury that are asked in this way."""

    pointwise: bool
    """Whether all pairs of answers cost no more than some: each is judged by itself, or all at once."""
    templates: Mapping[str, str]
    """The text of its templates, by name. Where they show columns, `columns` has the names of these."""

    def __init__(self, config: JuryConfig, judges: Sequence[Judge]) -> None:
        """Read the templates. Raises `UsageError` for one that cannot be used."""

    def votes(self, judge: Judge, case: Case, pairs: Sequence[tuple[int, int]]) -> Asking[list[list[Vote]]]:
        """Find the votes of a judge on each of the pairs, whose answers are given by their numbers."""
        ...


def loaded(
    name: str, variables: Sequence[str], *, shows: Sequence[str] = (), rubric: bool = False
) -> Template:
    """Return a template that uses no variables but these.

    It `shows` the answers by these, and must show a `rubric` if there is one. Raises `UsageError`.
    """
    try:
        template = load(name)
        template.require(*variables)
    except TemplateError as error:
        raise UsageError(str(error)) from None
    for answer in shows:
        if answer not in template.variables:
            raise UsageError(
                f"{name}: shows no {{{{ {answer} }}}}, and a judge must see what it judges; add it"
            )
    if rubric and "rubric" not in template.variables:
        raise UsageError(
            f"{name}: shows no {{{{ rubric }}}}, and --rubric is given; add it, or leave out --rubric"
        )
    return template


def rendered(template: Template, **variables: Any) -> tuple[Message, ...]:
    """Return the messages of a template. Raises `UsageError`."""
    try:
        return conversation(template.messages(**variables))
    except TemplateError as error:
        raise UsageError(str(error)) from None


def request(
    judge: Judge,
    case: Case,
    messages: tuple[Message, ...],
    max_tokens: int,
    logprobs: int = 0,
    choices: tuple[str, ...] = (),
    *,
    template: str = "",
) -> Request:
    """Return a request to a judge, sampled greedily; `template` is the hash of the rendered template."""
    return Request(
        role=judge.role,
        messages=messages,
        sampling=Sampling(max_tokens=max_tokens, temperature=0.0, logprobs=logprobs),
        choices=choices,
        template=template,
        sample_index=case.occurrence,
    )
