"""Write the demo's prompts: everyday questions, each with one request that can be checked.

    python benchmarks/proof/make_prompts.py

Held-out prompts share with those to train on no question, and no wording of a question or a request.
"""

import json
import random
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"

TRAIN_LEADS = (
    "In one or two sentences, tell me {}.",
    "In a sentence or two, explain {}.",
    "I would like to know {}. Two sentences will do.",
    "Tell me in a few words {}.",
)
HELD_OUT_LEADS = (
    "Say in two short sentences {}.",
    "Could you tell me in one sentence {}?",
    "With one or two sentences, help me understand {}.",
)

TRAIN_REQUESTS = {
    "quotes": (
        "Wrap your whole answer in double quotation marks.",
        "Put quotation marks around your entire answer.",
        'Your answer should begin and end with a ".',
        "Please enclose the answer in double quotes.",
        "The full answer belongs between double quotes.",
        'Quote the entire answer, like "this".',
    ),
    "opening": (
        'Begin your answer with "{}"',
        'The first word of your answer must be "{}"',
        'Please start with "{}"',
        'Open with the word "{}"',
        'Make "{}" the very first word.',
        'Your answer starts with the word "{}"',
    ),
    "no commas": (
        "Do not use any commas.",
        "Please write without commas.",
        "There must be no comma in your answer.",
        "Use no commas at all.",
        "Avoid commas entirely.",
        "I do not want to see a single comma.",
    ),
    "bullets": (
        "Answer with bullet points, each on a line that begins with * and a space.",
        "Make it a list of points, each beginning with an asterisk (* ).",
        "Use bullets in markdown, such as: * This is a point.",
        "Your answer must be bullet points marked with * and nothing else.",
        "Answer as a bulleted list (* ).",
        "List items, one per line, a * in front of each.",
    ),
    "title": (
        "Give your answer a title in double angle brackets, such as <<My title>>.",
        "Put a title above it, wrapped like this: <<title>>.",
        "Your answer must have a title inside << and >>.",
        "Please add a title within double angular brackets, i.e. <<title>>.",
        "Head the answer with a title in this style: <<A Title>>.",
        "Include a title between << and >>.",
    ),
    "postscript": (
        "Add a postscript at the end that starts with P.S.",
        "Finish with a postscript beginning with P.S.",
        "At the end of your answer, please add a line that starts with P.S.",
        "Your answer must close with a P.S.",
        "Do not forget a P.S. in the end.",
        "After the answer, write one more remark as a P.S.",
    ),
}
HELD_OUT_REQUESTS = {
    "quotes": (
        "Place the complete reply inside double quotation marks.",
        'Start and finish the reply with a double quote (").',
    ),
    "opening": ('Let "{}" be how the reply begins.', 'Start the reply with "{}"'),
    "no commas": ("Leave out all commas.", "Write the reply without using a comma."),
    "bullets": (
        "Give the reply as bullet points that start with *.",
        "Put the reply in a list where each line starts with * and a space.",
    ),
    "title": (
        "Start with a title between double angle brackets, like <<Title>>.",
        "Write a title above the reply, in << and >>.",
    ),
    "postscript": ("End the reply with a P.S.", "Append a P.S. after the reply."),
}

OPENINGS = ("Honestly,", "Well,", "Sure,", "Indeed,", "Luckily,", "Usually,", "Generally,", "Basically,")
HELD_OUT_OPENINGS = ("Happily,", "Naturally,", "Briefly,", "Certainly,")
REMARKS = (
    "Good luck!",
    "Take your time.",
    "Ask me if anything is unclear.",
    "Have fun!",
    "It is easier than it looks.",
)


class Wordings(NamedTuple):
    """How questions and requests are put."""

    leads: tuple[str, ...]
    requests: dict[str, tuple[str, ...]]
    openings: tuple[str, ...]


TRAIN = Wordings(TRAIN_LEADS, TRAIN_REQUESTS, OPENINGS)
HELD_OUT = Wordings(HELD_OUT_LEADS, HELD_OUT_REQUESTS, HELD_OUT_OPENINGS)


def questions(name: str) -> list[tuple[str, str]]:
    """Title and question of each line `TITLE | QUESTION`."""
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [(title.strip(), question.strip()) for title, question in (line.split("|") for line in lines)]


def value_of(form: str, title: str, wordings: Wordings, rng: random.Random) -> str:
    """The words that a request speaks of or that mend an answer; empty where there are none."""
    choices = {"opening": wordings.openings, "title": (title,), "postscript": REMARKS}
    return rng.choice(choices.get(form, ("",)))


def prompts(
    asked: list[tuple[str, str]], each: int, wordings: Wordings, rng: random.Random
) -> list[dict[str, str]]:
    """`each` prompts to every question, with different requests: all first ones, then all second ones …

    There are as many of each request. `another` is the question with its next request.
    """
    rounds: list[list[dict[str, str]]] = [[] for _ in range(each)]
    forms = list(wordings.requests)
    for place, (title, question) in enumerate(asked):
        if each * place % len(forms) == 0:
            rng.shuffle(forms)
        plain = wordings.leads[place % len(wordings.leads)].format(question)
        for turn in range(each):
            form = forms[(each * place + turn) % len(forms)]
            value = value_of(form, title, wordings, rng)
            request = rng.choice(wordings.requests[form]).format(value)
            prompt = f"{plain} {request}" if rng.random() < 0.7 else f"{request} {plain}"
            rounds[turn].append({"prompt": prompt, "form": form, "value": value, "plain": plain})
        for turn in range(each):
            rounds[turn][-1]["another"] = rounds[(turn + 1) % each][-1]["prompt"]
    return [row for turn in rounds for row in turn]


def main(folder: Path = EXAMPLES) -> None:
    """Write both files, the same on every machine."""
    rng = random.Random(0)
    made = {
        "demo_prompts.jsonl": prompts(questions("train_questions.txt"), 3, TRAIN, rng),
        "demo_held_out.jsonl": prompts(questions("held_out_questions.txt"), 2, HELD_OUT, rng),
    }
    for name, rows in made.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
