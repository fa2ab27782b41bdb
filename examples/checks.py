"""Does an answer keep to the form that its prompt asks for, and if not, what is the least that mends it?

Two columns of a row say what is asked for: `form`, one of FORMS, and `value`, its words or number.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple


class Form(NamedTuple):
    asked: str
    kept: Callable[[str, str], bool]
    mend: Callable[[str, str], str | None]


def passes(prompt: str, answer: str, row: dict[str, Any]) -> tuple[bool, str]:
    form = FORMS[row["form"]]
    return form.kept(answer.strip(), row["value"]), f"The answer must {form.asked.format(row['value'])}."


def repair(prompt: str, answer: str, row: dict[str, Any]) -> str | None:
    return FORMS[row["form"]].mend(answer.strip(), row["value"])


def nothing_unasked(prompt: str, answer: str, row: dict[str, Any]) -> tuple[bool, str]:
    forms = FORMS.keys() - {"opening", "ending", "no commas"}
    found = sorted(form for form in forms if FORMS[form].kept(answer.strip(), ""))
    return not found, f"Nobody asked for {' and '.join(found)}." if found else ""


def bulleted(answer: str, count: str) -> bool:
    lines = [line for line in answer.splitlines() if line.strip()]
    return len(lines) == int(count or len(lines)) and all(line.startswith("* ") for line in lines)


def bullets(answer: str, count: str) -> str | None:
    lines = [re.sub(r"^([-*•]|\d+[.)])\s+", "", line) for line in answer.splitlines() if line.strip()]
    points = lines if len(lines) >= int(count) else re.split(r"(?<=[.!?])\s+", " ".join(lines))
    return "\n".join(f"* {point}" for point in points[: int(count)]) if len(points) >= int(count) else None


def halves(answer: str, value: str) -> str | None:
    first, *rest = re.split(r"(?<=[.!?])\s+", answer)
    return f"{first}\n******\n{' '.join(rest)}" if rest else None


FORMS = {
    "lowercase": Form("be in lower case", lambda a, v: a == a.lower(), lambda a, v: a.lower()),
    "capitals": Form("be in capitals", lambda a, v: a == a.upper(), lambda a, v: a.upper()),
    "quotes": Form("stand in quotation marks", lambda a, v: a[:1] == a[-1:] == '"', lambda a, v: f'"{a}"'),
    "opening": Form("begin with {}", lambda a, v: a.startswith(v), lambda a, v: f"{v} {a}"),
    "ending": Form("end with {}", lambda a, v: a.endswith(v), lambda a, v: f"{a} {v}"),
    "no commas": Form("have no comma", lambda a, v: "," not in a, lambda a, v: a.replace(",", "")),
    "bullets": Form("be a list of {} points that begin with *", bulleted, bullets),
    "title": Form("have a <<title>>", lambda a, v: "<<" in a and ">>" in a, lambda a, v: f"<<{v}>>\n{a}"),
    "two answers": Form("be two, with ****** between", lambda a, v: a.count("******") == 1, halves),
    "postscript": Form("end with a P.S.", lambda a, v: "P.S." in a, lambda a, v: f"{a}\n\nP.S. {v}"),
}
