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
    forms = FORMS.keys() - {"opening", "no commas"}
    found = sorted(form for form in forms if FORMS[form][1](answer.strip(), ""))
    return not found, f"Nobody asked for {' and '.join(found)}." if found else ""


def bulleted(answer: str, value: str) -> bool:
    lines = [line for line in answer.splitlines() if line.strip()]
    return len(lines) >= 2 and all(line.startswith("* ") for line in lines)


def bullets(answer: str, value: str) -> str | None:
    lines = [re.sub(r"^([-*•]|\d+[.)])\s+", "", line) for line in answer.splitlines() if line.strip()]
    points = lines if len(lines) >= 2 else re.split(r"(?<=[.!?])\s+", answer)
    return "\n".join(f"* {point}" for point in points) if len(points) >= 2 else None


# What is asked for, whether an answer keeps to it, and what mends it.
FORMS = {
    "quotes": ("stand in quotation marks", lambda a, v: a[:1] == a[-1:] == '"', lambda a, v: f'"{a}"'),
    "opening": ("begin with {}", lambda a, v: a.startswith(v), lambda a, v: f"{v} {a}"),
    "no commas": ("have no comma", lambda a, v: "," not in a, lambda a, v: a.replace(",", "")),
    "bullets": ("be a list of points that begin with *", bulleted, bullets),
    "title": ("have a <<title>>", lambda a, v: "<<" in a and ">>" in a, lambda a, v: f"<<{v}>>\n{a}"),
    "postscript": ("end with a P.S.", lambda a, v: "P.S." in a, lambda a, v: f"{a}\n\nP.S. {v}"),
}
