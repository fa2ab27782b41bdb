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
    "Explain briefly {}.",
    "I would like to know {}. Two sentences will do.",
    "Tell me in a few words {}.",
)
HELD_OUT_LEADS = (
    "Give me a short answer: {}?",
    "Say in two short sentences {}.",
    "Could you tell me briefly {}?",
)

TRAIN_REQUESTS = {
    "lowercase": (
        "Write everything in lowercase letters.",
        "Please use no capital letters at all.",
        "Your whole answer should be in lower case.",
        "All letters must be small, even the first one.",
    ),
    "capitals": (
        "Write everything in capital letters.",
        "Your whole answer should be in upper case.",
        "Please answer in ALL CAPS.",
        "Use capital letters only.",
    ),
    "quotes": (
        "Wrap your whole answer in double quotation marks.",
        "Put quotation marks around your entire answer.",
        'Your answer should begin and end with a ".',
        "Please enclose the answer in double quotes.",
    ),
    "opening": (
        'Begin your answer with "{}"',
        'The first word of your answer must be "{}"',
        'Please start with "{}"',
        'Open with the word "{}"',
    ),
    "ending": (
        'End your answer with "{}"',
        'The last words of your answer must be "{}"',
        'Please finish with the exact sentence "{}"',
        'Close with "{}" and nothing after it.',
    ),
    "no commas": (
        "Do not use any commas.",
        "Please write without commas.",
        "There must be no comma in your answer.",
        "Use no commas at all.",
    ),
    "bullets": (
        "Answer with exactly {} bullet points, each on a line that begins with * and a space.",
        "Make it a list of {} points, each beginning with an asterisk (* ).",
        "Use exactly {} bullets in markdown, such as: * This is a point.",
        "Your answer must be {} bullet points marked with * and nothing else.",
    ),
    "title": (
        "Give your answer a title in double angle brackets, such as <<My title>>.",
        "Put a title above it, wrapped like this: <<title>>.",
        "Your answer must have a title inside << and >>.",
        "Please add a title within double angular brackets, i.e. <<title>>.",
    ),
    "two answers": (
        "Give two different answers, separated by {}.",
        "Write two answers with six asterisks ({}) between them.",
        "I want two answers. Put {} between the first and the second.",
        "Answer twice, and separate the two answers with {}.",
    ),
    "postscript": (
        "Add a postscript at the end that starts with P.S.",
        "Finish with a postscript beginning with P.S.",
        "At the end of your answer, please add a line that starts with P.S.",
        "Your answer must close with a P.S.",
    ),
}
HELD_OUT_REQUESTS = {
    "lowercase": ("I only want to see lowercase text.", "No uppercase anywhere, please."),
    "capitals": ("Shout it: every letter in uppercase.", "I want the full reply in capitals."),
    "quotes": ("The full reply belongs between double quotes.", 'Quote the entire reply, like "this".'),
    "opening": ('Make "{}" the very first word.', 'Your reply starts with the word "{}"'),
    "ending": ('Your reply ends with this phrase: "{}"', 'Make "{}" the very last words.'),
    "no commas": ("Avoid commas entirely.", "I do not want to see a single comma."),
    "bullets": (
        "Reply as a bulleted list (* ) with {} items, no more and no fewer.",
        "List {} items, one per line, a * in front of each.",
    ),
    "title": (
        "Head the reply with a title in this style: <<A Title>>.",
        "Include a title between << and >>.",
    ),
    "two answers": (
        "Offer two alternative replies and put {} in the middle.",
        "Reply two times, dividing the replies by {}.",
    ),
    "postscript": ("Do not forget a P.S. in the end.", "After the reply, write one more remark as a P.S."),
}

OPENINGS = ("Honestly,", "Well,", "Sure,", "Indeed,", "Luckily,", "Usually,", "Generally,", "Basically,")
ENDINGS = (
    "I hope this helps.", "Good luck!", "That is all.", "Let me know how it goes.", "Enjoy!", "Take care.",
    "Is there anything else?", "Thanks for asking.",
)  # fmt: skip
HELD_OUT_OPENINGS = ("Happily,", "Naturally,", "Briefly,", "Certainly,")
HELD_OUT_ENDINGS = ("Have a nice day.", "Does that make sense?", "Keep it up!", "Ask me again any time.")
REMARKS = (
    "Good luck!",
    "Take your time.",
    "Ask me if anything is unclear.",
    "Have fun!",
    "It is easier than it looks.",
)


MIRRORED = 2
"""The round whose pairs are mirrored: were it all of them, the forms would be learned much more slowly."""


class Wordings(NamedTuple):
    """How questions and requests are put."""

    leads: tuple[str, ...]
    requests: dict[str, tuple[str, ...]]
    openings: tuple[str, ...]
    endings: tuple[str, ...]


TRAIN = Wordings(TRAIN_LEADS, TRAIN_REQUESTS, OPENINGS, ENDINGS)
HELD_OUT = Wordings(HELD_OUT_LEADS, HELD_OUT_REQUESTS, HELD_OUT_OPENINGS, HELD_OUT_ENDINGS)


def questions(name: str) -> list[tuple[str, str]]:
    """Title and question of each line `TITLE | QUESTION`."""
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [(title.strip(), question.strip()) for title, question in (line.split("|") for line in lines)]


def value_of(form: str, title: str, wordings: Wordings, rng: random.Random) -> str:
    """The words or the number that a request speaks of; empty where it speaks of none."""
    choices = {"opening": wordings.openings, "ending": wordings.endings, "bullets": ("2", "3")}
    choices |= {"title": (title,), "two answers": ("******",), "postscript": REMARKS}
    return rng.choice(choices.get(form, ("",)))


def prompts(asked: list[tuple[str, str]], wordings: Wordings, rng: random.Random) -> list[dict[str, str]]:
    """Three prompts to each question, with different requests: all first ones, then all second ones …

    There are as many of each request, in each round.
    """
    rounds: list[list[dict[str, str]]] = [[], [], []]
    forms = list(wordings.requests)
    for place, (title, question) in enumerate(asked):
        if place % len(forms) == 0:
            rng.shuffle(forms)
        for turn in range(3):
            form = forms[(3 * place + turn) % len(forms)]
            value = value_of(form, title, wordings, rng)
            plain = wordings.leads[place % len(wordings.leads)].format(question)
            request = rng.choice(wordings.requests[form]).format(value)
            prompt = f"{plain} {request}" if rng.random() < 0.7 else f"{request} {plain}"
            mirror = plain if turn == MIRRORED else ""
            row = {"prompt": prompt, "form": form, "value": value, "plain": plain, "mirror": mirror}
            rounds[turn].append(row)
    return [row for turn in rounds for row in turn]


def main() -> None:
    """Write both files, the same on every machine."""
    rng = random.Random(0)
    made = {
        "demo_prompts.jsonl": prompts(questions("train_questions.txt"), TRAIN, rng),
        "demo_held_out.jsonl": prompts(questions("held_out_questions.txt"), HELD_OUT, rng),
    }
    for name, rows in made.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (EXAMPLES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
