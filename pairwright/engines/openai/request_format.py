"""How requests to one server are written: by its family, its refusals, and the user's settings."""

import json
import logging
import re
from collections import Counter
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from pairwright.engines.asked import Asked
from pairwright.engines.openai.access import Place
from pairwright.engines.openai.body import request_body
from pairwright.engines.openai.constraints import as_sent, constrained, ways_for
from pairwright.engines.openai.dialect import Dialect, adapted
from pairwright.engines.openai.families import THINKING, UNKNOWN, Family, family_listed
from pairwright.engines.openai.faults import Known
from pairwright.engines.openai.listed import model_names
from pairwright.engines.openai.tools import beside_in
from pairwright.engines.probe import Kind, constraint_kind
from pairwright.engines.thoughts import apart, used_up
from pairwright.folders.manifest import SYSTEMS, several_systems
from pairwright.records import Completion, Job, Request

log = logging.getLogger(__name__)

_SLACK = 16
"""Tokens beside the text that a server may count."""
_TEXT = "judge with --protocol text"
_TOLD = "each answer is recorded under the name that it gives"
_LEAVE = "leave out --thinking, or switch it as this server wants it with --extra_body"


class Useless(NamedTuple):
    """The end of a sentence that begins with the server: why it can answer no request."""

    why: str


class RequestFormat:
    """What is known of one server, and the bodies of requests that follow from it."""

    def __init__(self, model: str, access: Place, asked: Asked, family: Family) -> None:
        self._model = model
        self._shown = access.shown
        self.known = Known(model, variable=access.variable)
        self._asked = asked
        self._heeds_length = True
        self._thinks: bool | None = None
        """Whether an answer came with a thought, the last one with one or without."""
        self._systems: Counter[str] = Counter()
        """How many answers came from each `system_fingerprint` that the server named."""
        self._named: set[str] = set()
        """The models that answers named as theirs."""
        self.quiet = asked.thinking == "off"
        """Whether thinking is switched off where log-probabilities are read."""
        self.family = UNKNOWN
        self.dialect = Dialect()
        self.ways: dict[Kind, str | None] = {}
        """By kind of constraint: the way that is used, None where the server has none."""
        self._is(family)

    def meet(self, listed: bytes, server: str) -> None:
        """Note a server's list of models, and its own name."""
        self.known = self.known._replace(models=model_names(listed))
        if self.family is UNKNOWN:
            self._is(family_listed(listed, server))

    def _is(self, family: Family) -> None:
        self.family = family
        self.dialect = Dialect(
            dict(family.renamed), frozenset(family.without.split()), family.most_logprobs
        )

    @property
    def dialect_found(self) -> dict[str, Any]:
        """What is known of the server by now, for people and for `run.json`."""
        said: dict[str, Any] = {"family": self.family.name}
        if self.dialect.renamed:
            said["renamed"] = dict(self.dialect.renamed)
        if self.dialect.left_out:
            said["left_out"] = sorted(self.dialect.left_out)
        if self.dialect.most_logprobs != Dialect().most_logprobs:
            said["most_logprobs"] = self.dialect.most_logprobs
        said |= {f"{kind}s": way or "none" for kind, way in sorted(self.ways.items())}
        if self._thinks is not None or self.quiet:
            said["thoughts"] = "off" if self.quiet else "yes" if self._thinks else "no"
        if self._systems:
            said[SYSTEMS] = dict(self._systems)
        return said

    def candidates(self, kind: Kind) -> list[str]:
        """Return the ways of writing a constraint that are worth a try, the likeliest first."""
        return ways_for(kind, self.family.ways.split())

    def no_way(self, kind: Kind, why: str) -> Useless | None:
        """Note that a server enforces no constraint of a kind, and how that is known."""
        if kind == "choice":
            return Useless(why)
        self.ways[kind] = None
        log.warning("%s: it %s; answers are asked for in words alone", self._shown, why.partition(" (")[0])
        return None

    def sent(self, request: Request) -> Request:
        """Return a request in the form that this server takes."""
        kind = constraint_kind(request)
        return request if kind is None else as_sent(request, self._way(kind))

    def _way(self, kind: Kind) -> str | None:
        return self.ways[kind] if kind in self.ways else next(iter(self.candidates(kind)), None)

    def body(self, job: Job) -> dict[str, Any]:
        """Return the body of a job's request, before the server's dialect is applied."""
        job = job.model_copy(update={"request": self.sent(job.request)})
        body = request_body(job, self._model)
        if (kind := constraint_kind(job.request)) is not None:
            body = constrained(body, job.request, self._way(kind))
        thinking = self._asked.thinking
        if thinking == "auto" and self.quiet and job.request.sampling.logprobs:
            thinking = "off"
        if thinking != "auto":
            body = _merged(body, THINKING[self.family.thinking][thinking == "on"])
        if self._asked.reasoning_effort:
            body["reasoning_effort"] = self._asked.reasoning_effort
        if self._asked.template:
            body = _merged(body, {"chat_template_kwargs": self._asked.template})
        if (beside := beside_in(job.request)) is not None:
            further = {"documents": beside.documents, "chat_template_kwargs": beside.chat_template_kwargs}
            body = _merged(body, {name: json.loads(text) for name, text in further.items() if text})
        return _merged(body, self._asked.body)

    def cannot_show(self, request: Request) -> Useless | None:
        """Return why the model would not be shown what a request has besides messages, or None."""
        beside = beside_in(request)
        if beside is None or self.family.thinking == "template":
            return None
        fields = [name for name in ("documents", "chat_template_kwargs") if getattr(beside, name)]
        if not fields:
            return None
        return Useless(
            f"is asked as {self.family.name} is, which shows no `{fields[0]}` of a row to its model: write "
            f"it into the messages, or keep it apart with --carry_only {fields[0]}"
        )

    def learn(self, dialect: Dialect, sent: Mapping[str, Any], reply: bytes) -> bool:
        """Return whether a refusal of a request, written in `dialect`, shows how to write it instead."""
        if self.dialect != dialect:
            return True  # learnt meanwhile, by another request
        found = adapted(dialect, sent, reply)
        if found is None or found[0] == dialect:
            return False
        self.dialect, said = found
        if said:
            log.warning("%s: %s", self._shown, said)
        return True

    def refused(self, field: str, value: float | None, *, ever_answered: bool) -> Useless | None:
        """Return the consequence of a refusal of a field that cannot be left out, or of its value alone."""
        if ever_answered:
            return None
        if (flag := self._asked.flag_of(field)) is not None:
            return Useless(f"takes no `{field}` as it is sent: leave out --{flag}, or give another value")
        thinking = {*THINKING[self.family.thinking][0], "thinking", "reasoning", "chat_template_kwargs"}
        if field in thinking:
            if self._asked.thinking == "auto":
                return Useless(f"thinks before it answers, and takes no `{field}` to stop it; {_TEXT}")
            return Useless(f"takes no `{field}`, by which thinking would be switched: {_LEAVE}")
        if value is not None:
            flag = "max_tokens" if field in self.dialect.renamed.values() else field
            return Useless(f"takes no `{field}` of {value}: choose another --{flag}")
        instead = f"; {_TEXT}" if "logprobs" in field else ""
        return Useless(f"refuses every request for its `{field}`{instead}")

    def heard(self, request: Request, completion: Completion, *, quiet: bool) -> bool | Useless:
        """Return whether an answer will do; False if it must be asked for again with thinking off.

        `quiet` is what `self.quiet` was when the request was sent.
        """
        self._notice_length(request, completion)
        self._answered_by(completion.system_fingerprint)
        self._named_by(completion.model)
        told = apart(completion)
        thought = bool(told.reasoning or told.reasoning_tokens) or used_up(told)
        before, self._thinks = self._thinks, thought
        if self._asked.thinking == "on" and not thought and before is None:
            log.warning("%s: its first answer came with no thought, although --thinking is on", self._shown)
        if not thought or before is False:
            return True
        if self._asked.thinking == "off":
            return Useless(
                f"thinks although --thinking is off: it has no switch, or none that is known; {_LEAVE}"
            )
        if not request.sampling.logprobs or completion.top_logprobs:
            return True
        if self._asked.thinking == "on":
            return Useless(f"reports no log-probabilities of an answer while --thinking is on; {_TEXT}")
        if quiet:
            return True  # whoever asks says what an answer without log-probabilities is good for
        if not self.quiet:
            self.quiet, self._thinks = True, None
            log.warning("%s: it thinks; that is switched off where log-probabilities are read", self._shown)
        return False

    def _notice_length(self, request: Request, completion: Completion) -> None:
        """Say once where a server goes on after as many tokens as it may generate."""
        spent = completion.completion_tokens - (completion.reasoning_tokens or 0)
        if self._heeds_length and not request.choices and spent > request.sampling.max_tokens + _SLACK:
            self._heeds_length = False
            log.warning(
                "%s: an answer has %d tokens of %d: it does not heed --max_tokens",
                self._shown,
                spent,
                request.sampling.max_tokens,
            )

    def _answered_by(self, system: str) -> None:
        """Take note of which system answered, and say once that there is another."""
        if not system:
            return
        if self._systems and system not in self._systems and len(self._systems) == 1:
            log.warning(several_systems(self._shown, *self._systems, system))
        self._systems[system] += 1

    def _named_by(self, model: str) -> None:
        """Take note of the model that an answer names; say once if it is another, or if there are two."""
        if not model or model in self._named or len(self._named) > 1:
            return
        self._named.add(model)
        if len(self._named) > 1:
            names = " and ".join(sorted(self._named))
            log.warning("%s: its answers name several models as theirs, %s; %s", self._shown, names, _TOLD)
        elif not _are_alike(self._model, model):
            log.warning("%s: asked for %s, it answers as %s; %s", self._shown, self._model, model, _TOLD)


def _are_alike(asked: str, named: str) -> bool:
    """Whether two names may be one model's: with a date, a provider or a file's ending more, say."""
    one, other = (re.sub(r"[^a-z0-9]", "", name.rpartition("/")[2].lower()) for name in (asked, named))
    return one in other or other in one or SequenceMatcher(None, one, other).ratio() >= 0.5


def _merged(body: Mapping[str, Any], further: Mapping[str, Any]) -> dict[str, Any]:
    """The body with further fields, those inside of `chat_template_kwargs` too; None leaves one out."""
    found = dict(body)
    for name, value in further.items():
        if isinstance(value, Mapping) and isinstance(found.get(name), Mapping):
            value = _merged(found[name], value)
        found[name] = value
    return {name: value for name, value in found.items() if value is not None}
