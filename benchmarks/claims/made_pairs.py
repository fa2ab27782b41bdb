"""Pairs made by program: a right answer, the same with one slip, and a wrong answer in other words

Every prompt has one `chosen` answer and two `rejected` ones, so that what changes between two sets of
pairs is how much the answers of a pair share, and nothing else:

    similar      the chosen answer after one slip: another number or fact, words swapped or left out
    independent  a wrong answer that shares the prompt and little else

A third set, `own`, has answers of the embedded model itself as chosen ones, rejected after one slip.

python benchmarks/claims/made_pairs.py [SHOW]
"""

import json
import random
import sys
from collections.abc import Iterable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

SYSTEM = "Answer briefly."
HELD_OUT_SEED = 10_000
OWN = Path(__file__).with_name("own_answers.jsonl")
"""Prompts of `examples/prompts.jsonl` and what the embedded model said to them: the shorter ones of
`pairwright sample examples/prompts.jsonl --policy hf:smollm2 --n 2 --temperature 0.7 --max_tokens 48`."""

_CAPITALS = (
    "France:Paris Italy:Rome Spain:Madrid Norway:Oslo Egypt:Cairo Japan:Tokyo Peru:Lima Kenya:Nairobi "
    "Cuba:Havana Greece:Athens Poland:Warsaw Chile:Santiago Canada:Ottawa Iraq:Baghdad Iran:Tehran"
)
CAPITALS = dict(pair.split(":") for pair in _CAPITALS.split())
ANIMALS = dict(
    line.split(": ")
    for line in """\
fox: small wild animal with red fur
whale: very large animal of the deep sea
bee: small insect that makes sweet honey
owl: quiet bird that hunts at night
cow: large farm animal that gives milk
ant: tiny insect with very strong legs
swan: large white bird with a long neck
mole: small blind animal that digs tunnels
crab: sea animal with a hard shell
bat: small animal that flies by night""".splitlines()
)
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
NAMES = ["Mia", "Tom", "Ana", "Ben", "Eva", "Leo", "Ida", "Max"]
THINGS = ["pens", "apples", "coins", "books", "cups", "stamps"]
COLOURS = ["red", "blue", "green", "black", "white", "pink", "brown", "grey"]


class Made(NamedTuple):
    """One prompt with its answers."""

    kind: str
    prompt: str
    chosen: str
    similar: str
    independent: str


def addition(rng: random.Random) -> Made:
    """A wrong number."""
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    wrong = a + b + rng.choice([-2, -1, 1, 2])
    return Made(
        "number",
        f"{name} has {a} {thing} and gets {b} more. How many {thing} now?",
        f"{name} now has {a} and {b}, which is {a + b} {thing} in all.",
        f"{name} now has {a} and {b}, which is {wrong} {thing} in all.",
        f"I would say the total comes to {wrong}.",
    )


def capital(rng: random.Random) -> Made:
    """A wrong fact."""
    country = rng.choice(sorted(CAPITALS))
    wrong = rng.choice(sorted(set(CAPITALS.values()) - {CAPITALS[country]}))
    asked = rng.choice(
        ["What is the capital of {}?", "Name the capital of {}.", "{}: which city rules it?"]
    )
    return Made(
        "fact",
        asked.format(country),
        f"{CAPITALS[country]} is the capital and best known city of {country}.",
        f"{wrong} is the capital and best known city of {country}.",
        f"I think that people there are governed from {wrong}.",
    )


def next_day(rng: random.Random) -> Made:
    """A wrong step in a known order."""
    at, step = rng.randrange(7), rng.choice([1, 2, 3])
    right, wrong = DAYS[(at + step) % 7], DAYS[(at + step + rng.choice([1, 2, 3])) % 7]
    words = {1: "one day", 2: "two days", 3: "three days"}[step]
    return Made(
        "order",
        f"Which day comes {words} after {DAYS[at]}?",
        f"If today is {DAYS[at]}, then {words} later it will be {right}.",
        f"If today is {DAYS[at]}, then {words} later it will be {wrong}.",
        f"That must be a {wrong}, I suppose.",
    )


def animal(rng: random.Random) -> Made:
    """Two words swapped, or one left out."""
    name = rng.choice(sorted(ANIMALS))
    other = rng.choice(sorted(set(ANIMALS) - {name}))
    asked = rng.choice(["What is a {}?", "Describe a {} in one sentence.", "Tell a child what a {} is."])
    words = f"A {name} is a {ANIMALS[name]}.".replace("a a", "a").split()
    return Made(
        "words",
        asked.format(name),
        " ".join(words),
        slip(words, 4, rng),
        f"You could call it some {ANIMALS[other].split(' ', 1)[1]}.",
    )


def slip(words: list[str], first: int, rng: random.Random) -> str:
    """The words with one left out, or two that changed places, from the word `first` on."""
    at = rng.randrange(first, len(words) - 2)
    if rng.random() < 0.5:
        return " ".join([*words[:at], words[at + 1], words[at], *words[at + 2 :]])
    return " ".join(words[:at] + words[at + 1 :])


def listing(rng: random.Random) -> Made:
    """A format that was asked for and is not kept."""
    picked = rng.sample(COLOURS, 3)
    sign, name = rng.choice([(", ", "commas"), (" - ", "dashes"), (" / ", "slashes")])
    return Made(
        "format",
        f"List {picked[0]}, {picked[1]} and {picked[2]} in one line, with {name} between them.",
        f"Here they are: {sign.join(picked)}.",
        f"Here they are: {' '.join(picked)}.",
        f"Sure! {picked[2].title()} and {picked[0]}.",
    )


MAKERS = (addition, capital, next_day, animal, listing)


def made(seed: int, count: int, without: Iterable[Made] = ()) -> list[Made]:
    """That many prompts, no two alike, of all kinds in turn; none whose answer is in `without`."""
    rng, found = random.Random(seed), dict[str, Made]()
    taken = {other.chosen for other in without}
    for maker in cycle(MAKERS):
        one = maker(rng)
        if one.chosen not in taken and one.similar != one.chosen:
            found.setdefault(one.prompt, one)
        if len(found) == count:
            break
    return list(found.values())


def joined(several: Sequence[Made]) -> Made:
    """Several prompts as one, with one long answer; the slip is in the last part."""
    *first, last = several
    known = " ".join(one.chosen for one in first)
    return Made(
        "joined",
        " ".join(one.prompt for one in several),
        f"{known} {last.chosen}",
        f"{known} {last.similar}",
        f"{known} {last.independent}",
    )


def own() -> list[Made]:
    """The embedded model's own answers as chosen ones, those to the same prompt together."""
    rng, found = random.Random(0), list[Made]()
    for line in OWN.read_text().splitlines():
        row = json.loads(line)
        wrong = slip(row["answer"].split(), 2, rng)
        found.append(Made("own", row["prompt"], row["answer"], wrong, ""))
    return sorted(found, key=lambda one: one.prompt)


def as_row(one: Made, rejected: str = "similar", system: str = SYSTEM) -> dict[str, Any]:
    """A pair as `pairwright train` reads it, rejecting `similar` or `independent`."""
    asked = [{"role": "system", "content": system}] if system else []
    sides = {"chosen": one.chosen, "rejected": getattr(one, rejected)}
    return {
        "prompt": [*asked, {"role": "user", "content": one.prompt}],
        **{name: [{"role": "assistant", "content": text}] for name, text in sides.items()},
        "kind": one.kind,
    }


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    """Write rows as JSONL; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


if __name__ == "__main__":
    for one in made(0, int(sys.argv[1]) if len(sys.argv) > 1 else 10):
        print(*one, sep="\n  ")
