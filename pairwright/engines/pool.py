"""The engines of a stage: one for each distinct spec, opened when first needed."""

import contextlib
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pairwright.engines.addresses import host_of, present_url
from pairwright.engines.asked import check_asked
from pairwright.engines.base import Engine
from pairwright.engines.kinds import engine_identity, kind_of, open_engine
from pairwright.engines.openai.batch.store import BatchStore
from pairwright.engines.openai.keys import key_variables, named_keys
from pairwright.engines.options import EngineOptions
from pairwright.engines.probe import lacks_logprobs, logprobs_probe
from pairwright.engines.providers.spec import rented
from pairwright.engines.thoughts import read_marks
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.durable import sweep_temporaries
from pairwright.folders.journal import Journal
from pairwright.records import Finished, content_hash
from pairwright.terminal.interrupt import Cancelled

log = logging.getLogger(__name__)

UNOPENED_CAPACITY = 256
"""Rows kept in the air while no engine is open, so that a journal can answer them all."""


@runtime_checkable
class _SendsBatches(Protocol):
    """An engine that may answer by batch jobs."""

    spec: str
    no_batches: str

    def send_batches(self, run: Path) -> None: ...

    @property
    def waits(self) -> str: ...

    def cancel_batches(self) -> list[Finished]: ...

    def forget_batches(self) -> None: ...


@runtime_checkable
class _SpeaksDialect(Protocol):
    """An engine that has to find out how it can be asked."""

    @property
    def dialect(self) -> dict[str, Any]: ...

    def besides(self) -> list[Finished]: ...


class EnginePool:
    """Engines by role. Roles with the same spec and the same options share one engine."""

    def __init__(self, roles: Mapping[str, str], options: EngineOptions) -> None:
        self._roles = dict(roles)
        self._options = options
        urls = [self._url(spec) for spec in self._roles.values() if spec.startswith("openai:")]
        providers = [
            rented(spec.removeprefix("any:")).provider for spec in roles.values() if spec.startswith("any:")
        ]
        named_keys(options.api_key_env, list(dict.fromkeys([*map(host_of, urls), *providers])))
        self._keys = key_variables(urls, options.api_key_env) if urls else {}
        self.found_keys = {} if options.api_key_env else self._keys
        """Variables of keys by host, where nobody said which."""
        self._open: dict[tuple[str, str], Engine] = {}
        self._besides: list[Finished] = []
        self._begun = False
        self.marks = read_marks(options.thinking_tags)
        """What stands before and after the thoughts in what these engines say."""
        if options.engine and not any(spec.startswith("vllm:") for spec in self._roles.values()):
            raise UsageError(
                f"--engine.{min(options.engine)}: settings of vLLM, and no engine here is vllm:MODEL"
            )
        if options.sends_batches and not urls:
            raise UsageError("--batch: for openai:MODEL@URL, and no engine here is one")
        heeds = {role: kind_of(spec).heeds for role, spec in self._roles.items()}
        check_asked(options, heeds)
        self._asked = {role: options.of_role(role, heeds[role]) for role in self._roles}
        self.identities = {
            role: engine_identity(spec, self._asked[role]) for role, spec in self._roles.items()
        }
        """Model and revision by role, known without loading anything; servers add to it once open."""

    def __enter__(self) -> "EnginePool":
        return self

    def __exit__(self, *error: object) -> None:
        for engine in self._open.values():
            engine.close()

    def __getitem__(self, role: str) -> Engine:
        name = self._engine_of(role)
        if name not in self._open:
            self._open[name] = open_engine(self._roles[role], self._options_of(role))
            self._recognise(role, self._open[name].identity)
        return self._open[name]

    def _url(self, spec: str) -> str:
        """Where the server of an engine is."""
        return present_url(spec.partition("@")[2], self._options.server_moved)

    def _engine_of(self, role: str) -> tuple[str, str]:
        """What roles that share an engine have in common: its spec and all that is asked of it."""
        return self._roles[role], repr(self._asked[role].asked)

    def _options_of(self, role: str) -> EngineOptions:
        """The options of one engine: of several servers, each is told its own key alone."""
        options, spec = self._asked[role], self._roles[role]
        if len(self._keys) < 2 or not spec.startswith("openai:"):
            return options
        host = host_of(self._url(spec))
        return options.model_copy(update={"api_key_env": f"{host}={self._keys[host]}"})

    def go_on(self, recorded: Mapping[str, str], settings: str) -> None:
        """Keep the engine names of a run that an earlier version began, which named no servers.

        `recorded` are the run's models by role, and `settings` all its settings as text: the servers in
        them must be the present ones, and no two of them share a name.
        """
        self._begun = True
        begun = set()
        for spec in re.findall(r"openai:[^\s,\"\\]+", settings):
            with contextlib.suppress(UsageError):
                begun.add(engine_identity(spec, self._options))
        planned = dict(self.identities)
        for role, identity in planned.items():
            old = recorded.get(role, "")
            if old.startswith(f"{identity}#"):
                self.identities[role] = old
            sharing = {planned.get(r) for r, name in recorded.items() if name == old}
            same = identity in begun and sharing == {identity}
            plain = not self._asked[role].asked.mark
            if plain and same and old.startswith("openai:") and identity.startswith(f"{old}@http"):
                self.identities[role] = old

    def _recognise(self, role: str, found: str) -> None:
        """Complete an engine's identity by what it says of itself; raise if another model answers now."""
        known = self.identities[role]
        if not self._begun and found.startswith(f"{known}#"):
            mine = self._engine_of(role)
            self.identities |= {r: found for r in self._roles if self._engine_of(r) == mine}
        elif self._begun and "#" in known and "#" in found and known != found:
            raise PairwrightError(
                f"{self._roles[role]}: another model answers there now, {found}, and this folder was begun "
                f"with {known}: choose another --out, or start this one over with --fresh"
            )
        elif self._begun and ("#" in known) != ("#" in found) and found.startswith(known.partition("#")[0]):
            log.warning(
                "%s: whether the model is the one that this folder was begun with cannot be told: it was "
                "%s and is %s now",
                self._roles[role],
                *(name.partition("#")[2] or "not said" for name in (known, found)),
            )

    def open_all(self) -> None:
        """Open every engine now, to find out what does not work before anything is written.

        Raises `UsageError` where a server that is to answer by batch jobs has none.
        """
        for role in self._roles:
            self[role]
        for engine in self._batching if self._options.sends_batches else ():
            if engine.no_batches:
                raise UsageError(
                    f"--batch: {engine.spec} has no batch jobs ({engine.no_batches}); run without --batch"
                )

    def require_logprobs(self, roles: Iterable[str]) -> None:
        """Ask each server that answers in one of these roles for one token and its log-probability.

        Raises `PairwrightError` where there is none, before anything else is asked.
        """
        for engine in {id(self[role]): self[role] for role in roles}.values():
            if isinstance(engine, _SpeaksDialect):
                engine.submit(logprobs_probe())
                found: list[Finished] = []
                while not found:
                    found = engine.poll()
                key, said = found[0]
                self._besides.append(Finished(content_hash([engine.identity, key]), said))
                if lacks_logprobs(said):
                    raise PairwrightError(
                        f"{engine.spec} gives no log-probabilities; judge with --protocol text, or choice"
                    )

    def require_servers(self, reads_logprobs: Iterable[str]) -> None:
        """Connect to every server now; those in the roles named must give log-probabilities.

        Models that are loaded here stay unloaded. Raises `PairwrightError` like `require_logprobs`.
        """
        served = [role for role, spec in self._roles.items() if spec.startswith("openai:")]
        for role in served:
            self[role]
        self.require_logprobs(role for role in reads_logprobs if role in served)

    def besides(self) -> list[Finished]:
        """Return what engines answered to questions that no row asks, such as probes; each answer once."""
        found, self._besides = self._besides, []
        opened: list[object] = list(self._open.values())
        return found + [one for e in opened if isinstance(e, _SpeaksDialect) for one in e.besides()]

    def begin_batches(self, run: Path, journal: Journal) -> None:
        """Have servers answer by batch jobs, recorded in a run's folder, if that is asked for.

        Raises `UsageError` where jobs are out and nobody wants their answers, or the reverse; `Cancelled`
        where they were to be cancelled, once they are over and their answers kept.
        """
        store = BatchStore(run)
        sweep_temporaries(store.folder)
        out = store.all()
        if self._options.cancel and not out:
            raise UsageError(f"--cancel: no batch jobs of {run} are out")
        if out and not self._options.sends_batches:
            requests = sum(batch.requests for batch in out)
            raise UsageError(
                f"{run}: {_jobs(len(out))} with {requests:,} requests not answered yet: run it again "
                "with --batch to have their answers, or with --cancel to cancel them"
            )
        if self._options.sends_batches:
            self.open_all()
            for engine in self._batching:
                engine.send_batches(run)
        if self._options.cancel:
            before = len(journal)
            for engine in self._batching:
                journal.add(engine.cancel_batches())
            self.forget_batches()
            raise Cancelled(
                f"{run}: {_jobs(len(out))} cancelled, and {len(journal) - before:,} answers of them kept; "
                "run the same command with --batch, or without, to go on"
            )

    def forget_batches(self) -> None:
        """Forget the batch jobs that are over: all their answers are kept."""
        for engine in self._batching:
            engine.forget_batches()

    @property
    def waits(self) -> str:
        """The open batch jobs and their state; empty without any."""
        return "; ".join(engine.waits for engine in self._batching if engine.waits)

    @property
    def by_batch(self) -> bool:
        """Whether any requests go in batch jobs."""
        return self._options.sends_batches

    def sends_batches(self, role: str) -> bool:
        """Return whether requests of a role go in batch jobs."""
        return self.by_batch and self._roles[role].startswith("openai:")

    @property
    def _batching(self) -> list[_SendsBatches]:
        opened: list[object] = list(self._open.values())
        return [engine for engine in opened if isinstance(engine, _SendsBatches)]

    @property
    def dialects(self) -> dict[str, dict[str, Any]]:
        """By role: how servers take their requests, as far as is known."""
        found = {}
        for role in self._roles:
            engine: object = self._open.get(self._engine_of(role))
            if isinstance(engine, _SpeaksDialect):
                found[role] = engine.dialect
        return found

    @property
    def capacity(self) -> int:
        """Jobs that keep every open engine busy."""
        return sum(e.capacity for e in self._open.values()) or UNOPENED_CAPACITY


def _jobs(number: int) -> str:
    return "1 batch job" if number == 1 else f"{number} batch jobs"
