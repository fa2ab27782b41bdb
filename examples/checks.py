"""Does an answer keep to the form that its row asks for, and if not, what is the least that mends it?"""

import re
from typing import Any


def passes(prompt: str, answer: str, row: dict[str, Any]) -> tuple[bool, str]:
    asked, kept, _ = FORMS[row["form"]]
    if not says_something(prompt, answer):
        return False, "The answer must say something, in words that the prompt does not have, and once."
    return kept(answer.strip(), row["value"]), f"The answer must {asked.format(row['value'])}."


def repair(prompt: str, answer: str, row: dict[str, Any]) -> str | None:
    return FORMS[row["form"]][2](answer.strip(), row["value"])


def says_something(prompt: str, answer: str) -> bool:
    """A form alone is no answer: five words that the prompt does not have, and no line twice."""
    lines = [line for line in answer.splitlines() if re.search("[a-zA-Z]", line)]
    own = set(re.findall("[a-z]{3,}", answer.lower())) - set(re.findall("[a-z]{3,}", prompt.lower()))
    return len(own) >= 5 and len(set(lines)) == len(lines)


def nothing_unasked(prompt: str, answer: str, row: dict[str, Any]) -> tuple[bool, str]:
    forms = FORMS.keys() - {"opening", "ending", "no commas"}
    found = sorted(form for form in forms if FORMS[form][1](answer.strip(), ""))
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


# What is asked for, whether an answer keeps to it, and what mends it.
FORMS = {
    "lowercase": ("be in lower case", lambda a, v: a.islower(), lambda a, v: a.lower()),
    "capitals": ("be in capitals", lambda a, v: a.isupper(), lambda a, v: a.upper()),
    "quotes": ("stand in quotation marks", lambda a, v: a[:1] == a[-1:] == '"', lambda a, v: f'"{a}"'),
    "opening": ("begin with {}", lambda a, v: a.startswith(v), lambda a, v: f"{v} {a}"),
    "ending": ("end with {}", lambda a, v: a.endswith(v), lambda a, v: f"{a} {v}"),
    "no commas": ("have no comma", lambda a, v: "," not in a, lambda a, v: a.replace(",", "")),
    "bullets": ("be a list of {} points that begin with *", bulleted, bullets),
    "title": ("have a <<title>>", lambda a, v: "<<" in a and ">>" in a, lambda a, v: f"<<{v}>>\n{a}"),
    "two answers": ("be two, with ****** between", lambda a, v: a.count("******") == 1, halves),
    "postscript": ("end with a P.S.", lambda a, v: "P.S." in a, lambda a, v: f"{a}\n\nP.S. {v}"),
}
