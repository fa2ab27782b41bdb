"""Prompts with checkable requests: to train on in train.jsonl, held_out.jsonl, and once.jsonl.

    python benchmarks/proof/instructions/prompts.py FOLDER

A row has the instructions' names and arguments as IFEval has them, for `check:ifeval`. `plain` is the
task alone, `another` asks for something else, of which an answer to the prompt is no likelier to have it,
and `mirror` is one of these two.
Held-out rows are of other kinds of task, and ask in other words. once.jsonl has one row of train.jsonl for
each `plain`.
"""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

_HERE = Path(__file__).parent
_ALONE = {"detectable_format:json_format", "detectable_format:constrained_response"}
_EXCLUDING = (
    ("change_case:english_capital", "change_case:english_lowercase", "change_case:capital_word_frequency"),
    (
        "length_constraints:number_paragraphs",
        "length_constraints:nth_paragraph_first_word",
        "detectable_format:multiple_sections",
        "detectable_format:number_bullet_lists",
        "combination:two_responses",
        "length_constraints:number_words",
        "length_constraints:number_sentences",
    ),
    ("startend:end_checker", "detectable_content:postscript"),
    (
        "combination:repeat_prompt",
        "change_case:english_capital",
        "change_case:english_lowercase",
        "punctuation:no_comma",
        "keywords:forbidden_words",
        "startend:quotation",
        "length_constraints:number_words",
        "length_constraints:number_sentences",
        "length_constraints:nth_paragraph_first_word",
    ),
    ("startend:quotation", "detectable_format:title"),
)


class Task(NamedTuple):
    """What is to be written, without any request about its form."""

    text: str
    topic: str


class Asked(NamedTuple):
    """A request, its name and arguments as IFEval has them."""

    text: str
    name: str
    arguments: dict[str, Any]


def rows(part: str, each: int, seed: int) -> Iterator[dict[str, Any]]:
    """`each` rows to every task of a part, with one to three requests."""
    draw = random.Random(seed)
    requests = yaml.safe_load((_HERE / "requests.yaml").read_text())
    yes_or_no = [kind for kind, request in requests.items() if request.get("yes_or_no")]
    tasks = yaml.safe_load((_HERE / "tasks.yaml").read_text())
    deck = _Deck([kind for kind in requests if kind not in yes_or_no], draw)
    for kind in tasks[part]:
        for topic in kind["of"]:
            for _ in range(each):
                task = Task(draw.choice(kind["say"]).format(topic), topic)
                kinds = deck.deal(draw.choices((1, 2, 3), (60, 30, 10))[0])
                yield _row(
                    task, [_asked(k, requests[k], part, task, draw) for k in kinds], requests, part, draw
                )
    for question in tasks["yes_or_no"][part]:
        task = Task(question, question.rstrip("?"))
        yield _row(
            task, [_asked(k, requests[k], part, task, draw) for k in yes_or_no], requests, part, draw
        )


class _Deck:
    """Deals kinds of request so that all come equally often, and no two that exclude each other."""

    def __init__(self, kinds: list[str], draw: random.Random) -> None:
        self._kinds, self._draw, self._left = kinds, draw, list[str]()

    def deal(self, count: int) -> list[str]:
        dealt = [self._next(())]
        while len(dealt) < count and _name(dealt[0]) not in _ALONE:
            dealt.append(self._next(dealt))
        return dealt

    def _next(self, dealt: Any) -> str:
        while True:
            fitting = [kind for kind in self._left if _goes_with(kind, dealt)]
            if fitting:
                self._left.remove(fitting[0])
                return fitting[0]
            self._left += self._draw.sample(self._kinds, len(self._kinds))


def _goes_with(kind: str, dealt: list[str]) -> bool:
    names = [_name(other) for other in dealt]
    if (names and _name(kind) in _ALONE) or _name(kind) in names:
        return False
    return not any(_name(kind) in group and set(names) & set(group) for group in _EXCLUDING)


def _name(kind: str) -> str:
    return kind.partition("/")[0]


def _asked(kind: str, request: dict[str, Any], part: str, task: Task, draw: random.Random) -> Asked:
    more = request.get("more", {}) if part == "train" else {}
    arguments = {
        key: draw.choice([*values, *more.get(key, ())]) for key, values in request.get("with", {}).items()
    }
    if "nth_paragraph" in arguments:
        arguments["nth_paragraph"] = min(arguments["nth_paragraph"], arguments["num_paragraphs"])
    shown = {
        key: ", ".join(value) if isinstance(value, list) else value for key, value in arguments.items()
    }
    if "prompt_to_repeat" in arguments:
        arguments["prompt_to_repeat"] = task.text
    return Asked(draw.choice(request[part]).format(**shown), _name(kind), arguments)


def _row(
    task: Task, asked: list[Asked], requests: dict[str, Any], part: str, draw: random.Random
) -> dict[str, Any]:
    first = _first(asked, draw)
    names = [a.name for a in asked]
    fitting = [k for k in requests if _goes_with(k, names) and not requests[k].get("yes_or_no")]
    kind = draw.choice(fitting)
    another = _joined(task, [_asked(kind, requests[kind], part, task, draw)], first)
    return {
        "prompt": _laid_out(task, asked, draw) if part == "train" else _joined(task, asked, first),
        "plain": task.text,
        "another": another,
        "mirror": draw.choice((task.text, another)),
        "topic": task.topic,
        "instruction": names[0] if len(names) == 1 else "several",
        "instruction_id_list": names,
        "kwargs": json.dumps([a.arguments for a in asked]),
    }


def _joined(task: Task, asked: list[Asked], first: bool, between: str = " ") -> str:
    said = [a.text for a in asked]
    return between.join([*said, task.text] if first else [task.text, *said])


def _first(asked: list[Asked], draw: random.Random) -> bool:
    """Whether the requests stand before the task; one says "the request above"."""
    return draw.random() < 0.2 and all(a.name != "combination:repeat_prompt" for a in asked)


def _laid_out(task: Task, asked: list[Asked], draw: random.Random) -> str:
    """A prompt to train on: in one line, in several, or its requests as a list."""
    first = _first(asked, draw)
    if len(asked) > 1 and draw.random() < 0.2:
        return "\n".join([task.text, *(f"- {a.text}" for a in asked)])
    return _joined(task, asked, first, draw.choices((" ", "\n", "\n\n"), (70, 15, 15))[0])


def write(folder: Path) -> None:
    """Write both files, their rows in a mixed order."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, each, seed in (("train", 8, 1), ("held_out", 3, 2)):
        found = list({row["prompt"]: row for row in rows(part, each, seed)}.values())
        mixed = random.Random(seed).sample(found, len(found))
        _write(folder / f"{part}.jsonl", mixed)
        if part == "train":
            _write(
                folder / "once.jsonl", list({row["plain"]: row for row in reversed(mixed)}.values())[::-1]
            )


def _write(file: Path, found: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    print(f"{file}: {len(found):,} prompts")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
