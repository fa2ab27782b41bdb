"""Rows as people store them, generated: forms of prompts and answers, columns beside, kinds of files."""

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

TEXTS = (
    "What is 2 + 2?",
    "  indented question\n",
    "Zeile\r\nZeile?",
    "你好，首都是哪里？",
    "Say `true`.",
    "a",
    "Write\n\n```python\nfor i in x:\nprint(i)\n```",
    "مرحبا؟",
    "\ufeffcafe\u0301 or caf\u00e9?\u2028\u00a0",
    "\x0bA\x00B\x85\r",
)
SAID = (
    "It is four, as all of us know who have learnt to count to ten or more.",
    "```python\nfor i in x:\nprint(i)\n```",
    "\n\nThe who declared the end of the emergency in May 2023, said a spokesman.\n",
    "One line\r\nand another line\r\nand a third line of the same answer.\r\n",
    "    return total / len(values)  # the mean of all values that were given",
    "悉尼是澳大利亚的首都，位于东海岸，人口超过五百万，是该国最大的城市。",
    "Yes.",
    "An answer of one line\rand another, as old machines ended them.\r",
    "\ufeffThe cafe\u0301 is not the caf\u00e9,\u2028nor is \u00a0 a space: \u200d\u200b, said she.",
    "\x0bA null \x00 and a next line \x85 are parts of this answer as much as \x1f is.",
)
_WHAT = {"type": "object", "properties": {"what": {"type": "string"}}}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": _WHAT}} for name in ("look_up", "forget")
]
COLUMNS = (
    "score",
    "margin",
    "verdict",
    "tag",
    "source",
    "reasoning",
    "rank",
    "note",
    "status",
    "rationale",
)
VALUES: tuple[Any, ...] = ("text", 7, 2.5, [1, 2], {"a": 1}, None, True)


class Case(NamedTuple):
    """A file of rows, and what a command has to know to read it."""

    rows: list[dict[str, Any]]
    flags: list[str]
    prompts: list[list[tuple[str, str]]]
    """What each row's prompt is, as models are to be shown it."""
    answers: list[list[str]]
    """Texts of each row's answers."""
    kind: str
    """`jsonl`, `json` or `parquet`."""

    def write(self, folder: Path, name: str = "rows") -> Path:
        path = folder / f"{name}.{self.kind}"
        if self.kind == "parquet":
            pq.write_table(pa.Table.from_pylist(self.rows), path)
        elif self.kind == "json":
            path.write_text(json.dumps(self.rows, ensure_ascii=False))
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in self.rows))
        return path


def messages(turns: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in turns]


def called(name: str, arguments: dict[str, Any]) -> str:
    """A call of a tool as the words of a turn, as laws compare them."""
    return f"calls {name} {json.dumps(arguments)}"


def case(number: int, answers: str, *, tools: bool = True) -> Case:
    """The case of that number. `answers` says how answers stand: none, one, two, list, rows or pair."""
    draw = random.Random(number)
    forms = ["text", "messages", "question", "alpaca", "system", "history", "sharegpt", "turns"]
    form = draw.choice([*forms, *(["tools", "tools as text"] if tools else [])])
    count = draw.randint(1, 6)
    beside = {name: draw.choice(VALUES) for name in draw.sample(COLUMNS, draw.randint(0, 4))}
    kind = draw.choice(("jsonl", "json", "parquet"))
    rows, prompts, texts = [], [], []
    for _ in range(count):
        said, turns = _prompt(draw, "whole" if answers == "whole" else form)
        if answers == "whole" and number % 2:
            said = {}  # then the conversations alone hold the prompt
        many = [draw.choice(SAID) for _ in range({"one": 1, "none": 0, "rows": 1}.get(answers, 2))]
        rows.append(said | _answers(draw, answers, many, turns) | beside)
        prompts.append(turns)
        texts.append(many)
    flags = {"two": ["--columns", "first,second"], "one": ["--answer_column", "reply"]}.get(answers, [])
    return Case(rows, flags, prompts, texts, kind)


def _prompt(draw: random.Random, form: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The columns of a prompt, and the turns that it is."""
    text, other = draw.choice(TEXTS), draw.choice(TEXTS)
    user = ("user", text)
    before = [("user", other), ("assistant", "Yes.")]
    match form:
        case "messages":
            return {"messages": messages([*before, user])}, [*before, user]
        case "tools" | "tools as text":
            as_text, asked = form == "tools as text", {"what": other}
            function = {"name": "look_up", "arguments": json.dumps(asked) if as_text else asked}
            call = {"id": "c1", "type": "function", "function": function}
            turns = [*before, user, ("assistant", called("look_up", asked)), ("tool", "Four."), user]
            said: list[dict[str, Any]] = [*messages(turns)]
            said[3] |= {"content": "", "tool_calls": [call]}
            said[4]["tool_call_id"] = "c1"
            return {"messages": said, "tools": json.dumps(TOOLS) if as_text else TOOLS}, turns
        case "question":
            return {"question": text}, [user]
        case "alpaca":
            return {"instruction": text, "input": other}, [("user", f"{text}\n\n{other}")]
        case "system":
            return {"prompt": text, "system": "Be brief."}, [("system", "Be brief."), user]
        case "whole":  # the first turn: the answers hold the conversation
            return {"prompt": other}, [*before, user]
        case "history":
            return {"prompt": text, "history": [[other, "Yes."]]}, [*before, user]
        case "sharegpt":
            turns = [{"from": "human", "value": text}]
            return {"conversations": turns}, [user]
        case "turns":
            return {"prompt": f"\n\nHuman: {text.strip()}\n\nAssistant: "}, [("user", text.strip())]
        case _:
            return {"prompt": text}, [user]


def _answers(
    draw: random.Random, form: str, said: list[str], turns: list[tuple[str, str]]
) -> dict[str, Any]:
    """The columns of some answers."""
    one = [{"role": "assistant", "content": text} for text in said]
    match form:
        case "one":
            return {"reply": said[0]}
        case "two":
            return {"first": said[0], "second": said[1]}
        case "list":
            return {"generations": said}
        case "objects":
            return {"completions": [{"model": f"m{n}", "response": text} for n, text in enumerate(said)]}
        case "rows":
            return {"completion": said[0]}
        case "pair":
            return {"chosen": said[0], "rejected": said[1]}
        case "whole":
            return {"chosen": [*messages(turns), one[0]], "rejected": [*messages(turns), one[1]]}
        case "parts":
            return {"chosen": [one[0]], "rejected": [one[1]]}
        case _:
            return {}
