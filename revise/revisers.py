"""The revisers of a run: engines that are prompted, and functions; several are tried in turn."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from pairwright.engines.kinds import is_function
from pairwright.engines.verifiers.engine import REVISION_SCHEMA
from pairwright.engines.verifiers.lookup import look_up
from pairwright.engines.verifiers.spec import split_specs
from pairwright.errors import UsageError
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.plugins.handed import MARK
from pairwright.records import (
    NO_CHANGE,
    REFUSED,
    Completion,
    Ending,
    Message,
    Request,
    Sampling,
    conversation,
    transcript,
)
from pairwright.schema import PAIR
from prompts import Template
from prompts.template import Columns, TemplateError
from revise.config import ReviseConfig
from revise.edits.editing import Editing
from revise.mode import Mode, Revised
from revise.rewriting import Rewriting


class Reviser(NamedTuple):
    """One reviser of a chain."""

    role: str
    spec: str
    mode: Mode | None
    """How it is asked in words; None for a function."""
    tries: int
    sampling: Sampling

    @property
    def is_function(self) -> bool:
        """Whether it is a function: its failures are the row's, where a server's are its own."""
        return self.mode is None

    @property
    def template(self) -> str | None:
        """Hash of the template it is asked with."""
        return None if self.mode is None else self.mode.first.hash

    def first(self, row: Row, answer: str, feedback: str) -> tuple[Message, ...]:
        """Return the messages of the first try."""
        if self.mode is None:
            return (*row.prompt, Message(role="assistant", content=answer))
        given = self.mode.variables(transcript(row.prompt), answer)
        wanted = self.mode.first.variables
        more = {"feedback": feedback, "row": Columns(row.columns)}
        return rendered(self.mode.first, **given, **{n: value for n, value in more.items() if n in wanted})

    def check(self, rows: Input) -> None:
        """Raise `UsageError` when its template shows a column that the rows lack."""
        if self.mode is None:
            return
        template = self.mode.first
        for name in template.columns:
            rows.require_column(name, f"--template {template.name}.j2: shows {{{{ row.{name} }}}}")

    def again(self, said: str, ending: Ending) -> tuple[Message, ...]:
        """Return the messages that are added for the next try, which say what was wrong."""
        assert self.mode is not None
        wrong = rendered(self.mode.again, status=ending.status, reason=ending.reason)
        return (Message(role="assistant", content=said), *wrong)

    def request(self, row: Row, messages: tuple[Message, ...], answer: str) -> Request:
        """Return the request of a try."""
        if self.mode is None:
            return Request(
                role=self.role,
                messages=messages,
                json_schema=REVISION_SCHEMA,
                columns=row.columns,
                sample_index=row.occurrence,
            )
        return Request(
            role=self.role,
            messages=messages,
            sampling=self.sampling,
            json_schema=self.mode.json_schema(answer),
            template=self.mode.first.hash,
            sample_index=row.occurrence,
        )

    def read(self, completion: Completion, answer: str) -> Revised | Ending:
        """Return the revision in a completion, or why there is none."""
        if completion.finish_reason == "content_filter":
            return Ending(REFUSED, "withheld by the server's content filter")
        if self.mode is not None:
            return self.mode.read(completion, answer)
        text: Any = json.loads(completion.text)
        if text is None or not text.strip():
            return Ending(NO_CHANGE, f"{self.spec.replace(MARK, '')} gives no revision")
        return Revised(text, {})


def revisers_of(config: ReviseConfig) -> list[Reviser]:
    """Return the chain of revisers that the settings name. Raises `UsageError`."""
    specs = split_specs(config.reviser)
    if not specs:
        raise UsageError("--reviser must name an engine, or a function as python:FILE.py:NAME")
    if len(set(specs)) < len(specs):
        raise UsageError(f"--reviser {config.reviser}: a reviser is named twice")
    if all(map(is_function, specs)):
        _refuse_settings_of_models(config)
    roles = ["reviser"] if len(specs) == 1 else [f"reviser_{n}" for n in range(1, len(specs) + 1)]
    return list(_revisers(config, roles, specs))


def _refuse_settings_of_models(config: ReviseConfig) -> None:
    """Raise `UsageError` for a setting that says how a model is asked, where functions alone revise."""
    for name in ("mode", "edit_unit", "template", "reply"):
        value = getattr(config, name)
        if value != type(config).model_fields[name].default:
            raise UsageError(f"--{name} {value}: no model revises, so it has no effect; leave it out")


def _revisers(config: ReviseConfig, roles: list[str], specs: list[str]) -> Iterator[Reviser]:
    tries = config.tries if config.retry else 1
    sampling = Sampling(max_tokens=config.max_tokens, temperature=config.temperature, top_p=config.top_p)
    for role, spec in zip(roles, specs, strict=True):
        if is_function(spec):
            look_up(spec, "revision")
            yield Reviser(role, spec, None, 1, sampling)
        else:
            yield Reviser(role, spec, _mode(config, spec), tries, sampling)


def _mode(config: ReviseConfig, spec: str) -> Mode:
    """The mode of revision in the settings. Raises `UsageError` for a template that cannot be used."""
    try:
        mode: Mode = Rewriting(config) if config.mode == "rewrite" else Editing(config, spec)
    except TemplateError as error:
        raise UsageError(str(error)) from None
    if mode.first.name == mode.again.name:
        raise UsageError(
            f"--template {config.template}: {mode.again.name} names the template "
            "of the second try; rename yours"
        )
    return mode


def schema_of(revisers: list[Reviser]) -> Any:
    """Return the schema of the pairs they make."""
    return next((r.mode.schema for r in revisers if r.mode is not None), PAIR)


def templates_of(revisers: list[Reviser]) -> dict[str, str]:
    """Return the texts of all their templates, by name."""
    used = [t for r in revisers if r.mode is not None for t in (r.mode.first, r.mode.again)]
    return {template.name: template.text for template in used}


def rendered(template: Template, **variables: Any) -> tuple[Message, ...]:
    """Return a template's messages. Raises `UsageError` when it cannot be rendered."""
    try:
        return conversation(template.messages(**variables))
    except TemplateError as error:
        raise UsageError(str(error)) from None
