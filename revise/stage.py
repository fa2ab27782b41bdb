"""The life of a row under revision: answer, revision, gates, one more try, pair."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pairwright.errors import UsageError
from pairwright.inputs.rows import Input, Row
from pairwright.pairs.minimality import Minimality, measure
from pairwright.records import KEPT, Completion, Message, Outcome, Request, Sampling, conversation
from pairwright.schema import PAIR
from pairwright.stages.sample import answer_request, answer_status
from pairwright.stages.stage import Work
from prompts import Template
from prompts.template import TemplateError
from revise.edits.editing import Editing
from revise.gates import Candidate, Verdict, check
from revise.mode import Mode
from revise.rewriting import Rewriting

if TYPE_CHECKING:
    from revise.config import ReviseConfig

SOURCE = {"improve": "clair", "worsen": "clair_worsened"}


class ReviseStage:
    """One item is one answer."""

    name = "revise"
    schema: Any = PAIR
    samples = 1

    def __init__(self, config: "ReviseConfig") -> None:
        self._config = config
        self._mode = mode_of(config)
        self.schema = self._mode.schema
        self.templates: Mapping[str, str] = templates_of(self._mode)
        policy = {} if config.policy is None else {"policy": config.policy}
        self.roles: Mapping[str, str] = {"reviser": config.reviser, **policy}
        self._sampling = Sampling(
            max_tokens=config.max_tokens, temperature=config.temperature, top_p=config.top_p
        )
        self._policy_sampling = Sampling(
            max_tokens=config.policy_max_tokens, temperature=config.policy_temperature
        )

    def check(self, rows: Input) -> None:
        """Every row needs an answer, or a policy that gives it one."""
        if self._config.policy is None and rows.unanswered is not None:
            raise UsageError(
                f"{rows.unanswered}: no answer to revise; name its column with --answer_column, "
                "or the engine that answers with --policy"
            )

    def work(self, row: Row, sample: int) -> Work:
        """Sample an answer if there is none; revise it; gate; try once more with feedback."""
        answer, model = row.answer, _model_of(row)
        sampled: list[Completion] = []
        if answer is None:
            sampled = yield [answer_request(row, self._policy_sampling, row.occurrence)]
            answer, model = sampled[0].text, sampled[0].model or self.roles["policy"]
            status, reason = answer_status(sampled[0])
            if status != KEPT:
                columns = self._columns(answer, model, sampled, [])
                return Outcome(status=status, reason=f"the policy's answer: {reason}", columns=columns)
        messages = self._messages(self._mode.first, **self._mode.variables(_text(row.prompt), answer))
        revised: list[Completion] = []
        for last in (not self._config.retry, True):
            revised += yield [self._request(row, messages, answer)]
            pair, verdict = self._judge(answer, revised[-1])
            if last or verdict.status == KEPT or self._final(verdict):
                break
            messages += (
                Message(role="assistant", content=revised[-1].text),
                *self._messages(self._mode.again, status=verdict.status, reason=verdict.reason),
            )
        columns = self._columns(answer, model, sampled, revised) | pair
        return Outcome(status=verdict.status, reason=verdict.reason, columns=columns)

    def _final(self, verdict: Verdict) -> bool:
        """A reviser that finds nothing to mend has answered; pressed, it would only reword."""
        return verdict.status in ("no_change", "blank_lines") and self._config.direction == "improve"

    def _request(self, row: Row, messages: tuple[Message, ...], answer: str) -> Request:
        return Request(
            role="reviser",
            messages=messages,
            sampling=self._sampling,
            json_schema=self._mode.json_schema(answer),
            template=self._mode.first.hash,
            sample_index=row.occurrence,
        )

    def _judge(self, answer: str, completion: Completion) -> tuple[dict[str, Any], Verdict]:
        """The columns that a reviser's completion fills, and what the gates say of it."""
        if completion.finish_reason == "content_filter":
            return {}, Verdict("refused", "withheld by the server's content filter")
        revision = self._mode.read(completion, answer)
        if isinstance(revision, Verdict):
            return {}, revision
        chosen, rejected = self._sides(answer, revision.text)
        measures = measure(chosen, rejected, original=answer)
        verdict = check(Candidate(answer, revision.text, measures), self._config)
        return _pair_columns(chosen, rejected, measures) | revision.columns, verdict

    def _sides(self, answer: Any, revision: Any) -> tuple[Any, Any]:
        """Chosen and rejected, from what belongs to the answer and what to the revision."""
        return (revision, answer) if self._config.direction == "improve" else (answer, revision)

    def _columns(
        self, answer: str, model: str | None, sampled: list[Completion], revised: list[Completion]
    ) -> dict[str, Any]:
        """Lineage and cost; and the answer's own side, for rows that come to no revision."""
        side = "rejected" if self._config.direction == "improve" else "chosen"
        reviser = revised[-1].model or self.roles["reviser"] if revised else None
        chosen_model, rejected_model = self._sides(model, reviser)
        chosen_template, rejected_template = self._sides(None, self._mode.first.hash)
        return {
            side: _assistant(answer),
            "source": SOURCE[self._config.direction],
            "chosen_model": chosen_model,
            "rejected_model": rejected_model,
            "chosen_template": chosen_template,
            "rejected_template": rejected_template,
            "attempts": len(revised),
            "prompt_tokens": sum(c.prompt_tokens for c in sampled + revised),
            "completion_tokens": sum(c.completion_tokens for c in sampled + revised),
        }

    def _messages(self, template: Template, **variables: str) -> tuple[Message, ...]:
        try:
            return conversation(template.messages(**variables))
        except TemplateError as error:
            raise UsageError(str(error)) from None


def _pair_columns(chosen: str, rejected: str, measures: Minimality) -> dict[str, Any]:
    return {"chosen": _assistant(chosen), "rejected": _assistant(rejected), **measures._asdict()}


def _assistant(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def _model_of(row: Row) -> str | None:
    """The model that gave a row's answer, when the input says so."""
    model = row.carried.get("completion_model")
    return model if isinstance(model, str) else None


def _text(prompt: tuple[Message, ...]) -> str:
    """A conversation as text: a lone user message as it is, several with their speakers."""
    if len(prompt) == 1:
        return prompt[0].content
    return "\n\n".join(f"{m.role.capitalize()}: {m.content}" for m in prompt)


def mode_of(config: "ReviseConfig") -> Mode:
    """The way to revise that the settings ask for. Raises `UsageError` for a template that is none."""
    try:
        mode: Mode = Rewriting(config) if config.mode == "rewrite" else Editing(config)
    except TemplateError as error:
        raise UsageError(str(error)) from None
    if mode.first.name == mode.again.name:
        raise UsageError(f"--template {config.template}: {mode.again.name} is the second try's; rename it")
    return mode


def templates_of(mode: Mode) -> Mapping[str, str]:
    """Text of a mode's templates, by name."""
    return {t.name: t.text for t in (mode.first, mode.again)}
