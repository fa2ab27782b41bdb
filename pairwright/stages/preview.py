"""Preview and dry run of a stage: what was read, the messages, and how many requests they make."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pairwright.engines.kinds import check_spec
from pairwright.errors import PairwrightError
from pairwright.inputs.beside import columns_beside
from pairwright.inputs.columns import CONVERSATIONS
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.records import BAD_ROW, Completion, Request, spoken
from pairwright.stages.asking import Asking, Unanswered
from pairwright.stages.stage import Foresees, Stage
from pairwright.terminal.text import printable

log = logging.getLogger(__name__)

PREVIEW_ROWS = 3
CHARACTERS_A_TOKEN = 4
"""Rule of thumb for English text in the vocabularies of current models."""
_WORDS = ("word", "line", "page", "book", "time", "hand", "part", "side", "room", "work", "name", "year")
_RATES = {"one GPU, 7B (about 2,500 tok/s)": 2500, "two cores, 135M (about 200 tok/s)": 200}


def show_preview(stage: Stage, rows: Input) -> None:
    """Print the messages of the first rows, as a model would get them. Asks nothing."""
    _check_engines(stage)
    console = Console()
    if not stage.roles:
        _show_unasked(stage, rows)
    if stage.templates and rows.columns:
        names = ", ".join(rows.columns)
        console.print(
            Text(f"columns that a template of yours can show as {{{{ row.NAME }}}}: {names}", style="dim")
        )
    for row in islice((row for row in rows if row.problem is None), PREVIEW_ROWS):
        for request in _first_asked(stage, row):
            console.rule(Text(f"{row.row_id} → {request.role}: {stage.roles[request.role]}"))
            for message in request.messages:
                console.print(Text(message.role, style="bold"))
                for name, shown in columns_beside((message,)).items():
                    console.print(Text(printable(f"{name}: {shown}"), style="italic"), soft_wrap=True)
                console.print(Text(printable(spoken(message))), soft_wrap=True)
            settings = request.sampling.model_dump(exclude={"stop", "logprobs"}).items()
            console.print(Text(" · ".join(f"{n} {v}" for n, v in settings), style="dim"))


def show_dry_run(stage: Stage, rows: Input) -> None:
    """Print how many requests and tokens the run takes at most without retries. Asks nothing."""
    _check_engines(stage)
    if not stage.roles:
        _show_unasked(stage, rows)
        return
    requests: Counter[str] = Counter()
    prompt: Counter[str] = Counter()
    completion: Counter[str] = Counter()
    for row in (row for row in rows if row.problem is None):
        for request in _asked(stage, row):
            requests[request.role] += stage.samples
            characters = sum(len(m.content) for m in request.messages)
            prompt[request.role] += stage.samples * (characters // CHARACTERS_A_TOKEN + 1)
            completion[request.role] += stage.samples * request.sampling.max_tokens
    table = Table(title=f"{stage.name}: {rows.info.rows:,} rows")
    for column in ("role", "engine", "requests", "prompt tokens", "completion tokens at most"):
        words = column in ("role", "engine")
        table.add_column(column, justify="left" if words else "right", overflow="fold")
    for role, count in requests.items():
        numbers = (count, prompt[role], completion[role])
        table.add_row(role, Text(stage.roles[role]), *(f"{n:,}" for n in numbers))
    console = Console()
    console.print(table)
    most = sum(completion.values())
    for machine, rate in _RATES.items():
        seconds = most / rate
        time = f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
        console.print(f"at most {time} on {machine}", highlight=False)
    console.print(
        f"price: {sum(prompt.values()) / 1e6:,.3f} × your price for a million prompt tokens, plus at "
        f"most {most / 1e6:,.3f} × that for completion tokens; a second try after a gate adds to it",
        highlight=False,
    )


def filler_text(tokens: int) -> str:
    """Return words of four letters, in no order, as filler for an answer of `tokens` tokens."""
    return " ".join(Random(0).choices(_WORDS, k=tokens * CHARACTERS_A_TOKEN // 5))


def _show_unasked(stage: Stage, rows: Input) -> None:
    Console().print(f"{stage.name}: nothing is asked of any engine; {rows.info.rows:,} rows are read")


def _check_engines(stage: Stage) -> None:
    for spec in stage.roles.values():
        check_spec(spec)


def _first_asked(stage: Stage, row: Row) -> Iterator[Request]:
    """What a row asks each engine first, with filler text standing in for answers."""
    work = stage.work(row, 0)
    seen: set[str] = set()
    shown: set[str] = set()
    try:
        requests = next(work)
        while not any(r.role in seen for r in requests):
            yield from requests
            shown.update(r.key("") for r in requests)
            seen.update(r.role for r in requests)
            if seen == set(stage.roles):
                break
            requests = work.send([_filler(r) for r in requests])
    except StopIteration:
        pass
    finally:
        work.close()
    if isinstance(stage, Foresees):
        yield from (request for request in stage.foreseen(row) if request.key("") not in shown)


def _asked(stage: Stage, row: Row) -> Iterator[Request]:
    """All that a row asks; of a stage that tries again, its first tries."""
    return _first_asked(stage, row) if isinstance(stage, Foresees) else played(stage.work(row, 0))


def played(asking: Asking[Any]) -> Iterator[Request]:
    """Yield what is asked in the course of a conversation in which filler stands in for answers."""
    try:
        requests = next(asking)
        while True:
            yield from requests
            requests = asking.send([_filler(r) for r in requests])
    except (StopIteration, PairwrightError, Unanswered):  # a protocol of somebody's own may refuse filler
        return


def _filler(request: Request) -> Completion:
    if request.choices:
        return Completion(text=request.choices[0])
    if request.sampling.logprobs:
        return Completion(text="")  # words without log-probabilities would be an engine's fault
    words = filler_text(request.sampling.max_tokens)
    return Completion(text=f"{request.role} {request.sample_index}: {words}")


_TOLD: ContextVar[set[str] | None] = ContextVar("told", default=None)
"""What was said of columns since a block was opened; None outside of any."""


@contextmanager
def telling_once() -> Iterator[None]:
    """Open a block of several runs on the same prompts, in which the same is said of their columns once."""
    before = _TOLD.set(set())
    try:
        yield
    finally:
        _TOLD.reset(before)


def say_what_was_read(stage: Stage, rows: Input, *, begun: bool) -> None:
    """Warn once, before any request, of renamed columns and skipped rows."""
    if rows.renamed and not begun:
        names = ", ".join(f"`{old}` as `{new}`" for old, new in rows.renamed.items())
        _tell("%s: columns whose names are pairwright's own are renamed: %s", rows, names)
    if not begun:
        _say_what_is_not_shown(stage, rows)
    if rows.bad:
        log.warning("%d bad row(s) passed over (%s); the first: %s", len(rows.bad), BAD_ROW, rows.bad[0])


def _say_what_is_not_shown(stage: Stage, rows: Input) -> None:
    meant = [name for name in rows.perhaps_meant if not _is_shown(name, stage.templates.values())]
    for name in (name for name in meant if name in CONVERSATIONS):
        why = f"`{name}` is carried along, since another column is the prompt"
        _tell("%s: %s", rows, f"{why}; --prompt_column {name} reads it")
    if beside := [name for name in meant if name not in CONVERSATIONS]:
        names = ", ".join(f"`{name}`" for name in beside)
        advice = f"write it into the prompt, or say --carry_only {','.join(beside)}"
        _tell("%s: no model is shown %s", rows, f"{names}; {advice}")


def _is_shown(column: str, templates: Iterable[str]) -> bool:
    """Whether any template shows a column of the row."""
    name = re.escape(column)
    shows = re.compile(rf"""\brow\s*(?:\.\s*{name}\b|\[\s*(["']){name}\1\s*\])""")
    return any(shows.search(text) for text in templates)


def _tell(sentence: str, rows: Input, said: str) -> None:
    """Warn of the columns of rows, unless the same was said in an open block."""
    told = _TOLD.get()
    if told is not None:
        if said in told:
            return
        told.add(said)
    log.warning(sentence, rows.info.path, said)
