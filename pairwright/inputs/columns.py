"""Which columns hold the prompt, what belongs to it, and the answers."""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from pairwright.errors import UsageError
from pairwright.inputs.beside import SHOWN

CONVERSATIONS = ("messages", "conversations", "conversation")
PROMPTS = ("prompt", "instruction", "question", *CONVERSATIONS)
PairsName = Literal["best_worst", "all", "adjacent", "mean_minus_2sd", "chain"]
"""Pairs that scored answers to a prompt make; `chain` is of an answer's edits."""
ANSWERS = ("completion", "response", "output", "answer", "rejected")
LISTS = ("completions", "responses", "generations", "answers", "outputs", "candidates")
"""Columns that hold all answers to a prompt in one list."""
SYSTEMS = ("system", "system_prompt", "system_message")
HISTORIES = ("history", "chat_history")
UNSHOWN = (
    "functions",
    "tool_calls",
    "images",
    "image",
    "videos",
    "video",
    "audios",
    "audio",
    "pixel_values",
)
"""Columns that a chat template would render beside the messages, and models are not shown here."""
_OFTEN_SHOWN = re.compile(
    r"(?:contexts?|inputs?|passages?|paragraphs?|background|article|document|evidence|knowledge|facts|premise"
    r"|choices|options|persona|character|profile|instructions|developer|hints?|schema|table"
    r"|(?:few_?)?shots?|few_?shot_\w+|examples|exemplars|demonstrations|in_context_examples"
    r"|(?:sys|system|developer)_(?:prompts?|instructions?|messages?|msg|text|content|role)|system_?context"
    r"|\w+_history|dialog(?:ue)?|histories"
    r"|preamble|scenario|situation|guidelines|(?:task_)?(?:definition|description)"
    r"|(?:image|img|picture|photo|screenshot|video|audio)s?"
    r"(?:_(?:paths?|urls?|files?|file_?names?|base64|b64|bytes|data|list|[0-9]+))?"
    r"|(?:previous|past|prior|earlier|preceding|other)_"
    r"(?:turns?|messages?|conversations?|dialog(?:ue)?s?|context|chat|questions?|answers?|responses?))"
)
"""Columns that belong to the prompt in many data sets; where they are not read as such, that is said."""
_ADDED = {"instruction": ("input", "context"), "question": ("context",)}
"""Columns whose text belongs behind that of the prompt's column."""
_SIBLINGS = re.compile(r"(?:completion|response|output|answer)(?:_[a-z0-9]|[0-9])")
"""Columns of several answers to one prompt: `response_a`, `answer1` …"""
PAIR = ("chosen", "rejected")
LABELLED = ("response_a", "response_b", "preference")
"""Two answers and which of them somebody prefers, as `pairwright label` writes them."""
_SHOWN = 20


class Columns(NamedTuple):
    """Names of the columns to read; None is found by convention (`PROMPTS`, `ANSWERS`)."""

    prompt: str | None = None
    answer: str | None = None
    answers: tuple[str, ...] = ()
    """Columns of several answers to the prompt, where that is what is wanted."""
    list: str | None = None
    """The column of all answers in one list."""
    within: tuple[str, ...] = ()
    """Columns of whole conversations, where the prompt has no column of its own."""
    system: str | None = None
    """Column of the system message; "" where none is looked for."""
    added: tuple[str, ...] = ()
    """Columns whose text is added to that of the prompt."""
    history: str | None = None
    """Column of the turns before the prompt."""
    unshown: tuple[str, ...] = ()
    """Columns that would be part of the prompt and cannot be shown: a row that fills one is refused."""
    shown: tuple[tuple[str, str], ...] = ()
    """What a chat template shows beside the messages (`SHOWN`), and in which columns it stands."""
    thoughts: bool = False
    """Whether the assistant's messages may hold thoughts; else a row with one is refused."""
    calls: bool = False
    """Whether answers may call tools; else a row with one that does is refused."""
    padded: bool = False
    """Whether objects have nulls for the keys of others, as Arrow keeps them."""
    turn: str | None = None
    """Which turns of a conversation are rows: `all`, or the number of one; None for its end alone."""
    carry_only: tuple[str, ...] | None = None
    """Columns that are no part of the prompt whatever they are called; None where none can be named."""

    @property
    def beside(self) -> tuple[str, ...]:
        """Columns that become part of the prompt beside its own column."""
        return tuple(name for name in (self.system, *self.added, self.history) if name)

    @property
    def used(self) -> tuple[str, ...]:
        """Columns that are read and so not carried through."""
        named = (self.prompt, self.answer, self.list, *self.answers)
        return (*(name for name in named if name), *self.beside, *self.unshown)


def find_columns(
    source: str,
    names: Sequence[str],
    wanted: Columns,
    *,
    answers: bool = True,
    own: Collection[str] | None = None,
) -> Columns:
    """Return the columns to read. Raises `UsageError`, naming the existing columns.

    `own` are the columns of a run of ours that are the run's: columns that it carries along are found under
    no convention, and its prompts are whole.
    """
    if not names:
        raise UsageError(f"{source}: no rows in it; there is nothing to do")
    flags = [(wanted.prompt, "--prompt_column"), (wanted.answer, "--answer_column")]
    flags += [(wanted.system, "--system_column"), *((name, "--columns") for name in wanted.answers)]
    flags += [(name, "--carry_only") for name in wanted.carry_only or ()]
    for name, flag in flags:
        if name and name not in names:
            raise UsageError(f"{source}: no column `{name}` ({flag}); its columns are {listed(names)}")
    if twice := next((n for n in wanted.answers if wanted.answers.count(n) > 1), None):
        raise UsageError(f"{source}: --columns names `{twice}` twice; an answer is compared with others")
    apart = wanted.carry_only or ()
    for name, flag in ((wanted.prompt, "--prompt_column"), (wanted.system, "--system_column")):
        if name and name in apart:
            raise UsageError(f"{source}: `{name}` cannot be both {flag} and --carry_only")
    known = [n for n in names if own is None or n in own]
    prompt = wanted.prompt or _first(PROMPTS, known, but=(wanted.answer, *wanted.answers, *apart))
    within = () if prompt else _within(known, wanted)
    if prompt is None and not within:
        raise UsageError(
            f"{source}: no column of prompts ({', '.join(PROMPTS)}); its columns are {listed(names)}; "
            "name one with --prompt_column"
        )
    if prompt is not None and (prompt == wanted.answer or prompt in wanted.answers):
        flag = "--answer_column" if prompt == wanted.answer else "--columns"
        raise UsageError(f"{source}: `{prompt}` cannot be both --prompt_column and {flag}")
    found = wanted._replace(prompt=prompt, answer=None, within=within, system=None)
    found = found._replace(calls=wanted.calls or not answers, shown=_shown(names, wanted, own))
    if answers and not found.answers and not found.list:
        found = found._replace(answer=wanted.answer or _first(ANSWERS, known, but=(prompt,)))
    return _with_beside(found, names, wanted) if own is None else found


def _first(convention: Iterable[str], names: Collection[str], but: Collection[str | None]) -> str | None:
    return next((name for name in convention if name in names and name not in but), None)


def _within(names: Collection[str], wanted: Columns) -> tuple[str, ...]:
    """Columns whose conversations hold the prompt: those named as answers, or a pair's."""
    named = wanted.answers or ((wanted.answer,) if wanted.answer else ())
    return named or (PAIR if set(PAIR) <= set(names) else ())


def _with_beside(found: Columns, names: Sequence[str], wanted: Columns) -> Columns:
    """The columns, with those that belong to the prompt though they are separate columns."""
    taken = {*found.used, *found.within}
    free = [name for name in names if name not in taken and name not in (wanted.carry_only or ())]
    system = wanted.system if wanted.system is not None else _spelt(SYSTEMS, free)
    return found._replace(
        system=system or None,
        added=tuple(name for name in _ADDED.get(found.prompt or "", ()) if name in free),
        history=_spelt(HISTORIES, free),
        unshown=tuple(there for name in UNSHOWN if (there := _spelt((name,), free))),
        carry_only=wanted.carry_only,
    )


def _shown(
    names: Sequence[str], wanted: Columns, own: Collection[str] | None
) -> tuple[tuple[str, str], ...]:
    """The columns that are shown beside the messages; a run of ours has them under these very names."""
    free = [name for name in names if name not in (wanted.carry_only or ())]
    found = ((name, name if own is not None else _spelt((name,), free)) for name in SHOWN)
    return tuple((name, column) for name, column in found if column in free)


def perhaps_meant(columns: Columns, carried: Collection[str]) -> tuple[str, ...]:
    """Return carried columns that may have been meant as the prompt or a part of it."""
    apart = columns.carry_only
    if apart is None:
        return ()
    often = (n for n in carried if n in CONVERSATIONS or _OFTEN_SHOWN.fullmatch(_snake(n)))
    return tuple(n for n in often if n not in apart)


def _spelt(convention: Iterable[str], names: Collection[str]) -> str | None:
    """The first of a convention's columns, in any spelling of it: `systemPrompt`, `System Prompt`."""
    plain = {_plain(name): name for name in reversed(list(names))}
    for name in convention:
        if name in names:
            return name
        if _plain(name) in plain:
            return plain[_plain(name)]
    return None


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _snake(name: str) -> str:
    """A name in words: `chatHistory` and `Chat history` are `chat_history`."""
    return re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).lower().strip("_")


def columns_of(where: str, names: Sequence[str], wanted: Columns, own: frozenset[str] | None) -> Columns:
    """Return one record's columns, cached for records with the same ones. Raises as `find_columns`."""
    found = _columns_of(tuple(names), wanted, own)
    if isinstance(found, str):
        raise UsageError(f"{where}{found}")
    return found


@lru_cache(maxsize=16)
def _columns_of(names: tuple[str, ...], wanted: Columns, own: frozenset[str] | None) -> Columns | str:
    try:
        return find_columns("", names, wanted, own=own)
    except UsageError as error:
        return str(error)


def sibling_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Return columns that hold several answers to one prompt by convention; none when there are not two."""
    if set(PAIR) <= set(names):
        return PAIR
    found = tuple(name for name in names if _SIBLINGS.fullmatch(name))
    return found if len(found) > 1 else ()


def listed(names: Sequence[str]) -> str:
    """Return column names as part of a sentence."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"`{name}`" for name in names[:_SHOWN]) + more


def absent(
    record: Mapping[str, Any], name: str, where: str, own: Collection[str] | None = None
) -> UsageError:
    """Return what to say of a row that has nothing in a column, or has no such column.

    `own` are the columns of a run of ours that are the run's.
    """
    if name in record and (own is None or name in own):
        return UsageError(f"{where}: `{name}` is empty; fill it or remove the row")
    return UsageError(f"{where}: no `{name}`; the columns are {listed(list(record))}")


def row_weight(record: Mapping[str, Any], where: str, own: Collection[str] | None) -> float:
    """Return a row's weight from its column `weight`, 1 without one.

    `own` are the columns of a run.
    """
    value = record.get("weight") if own is None or "weight" in own else None
    return 1.0 if value is None else weight_of(value, "weight", where)


def weight_of(value: Any, column: str, where: str) -> float:
    """Return a weight that was read. Raises `UsageError` unless it is a finite number, 0 or more."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    raise UsageError(f"{where}: `{column}` must be a finite number, 0 or more, and is {value!r}")
