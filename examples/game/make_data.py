"""Makes this game's files from golden.tsv: golden.jsonl, and human.jsonl by spoiling golden answers

Each golden answer is spoilt in two of five ways, which people would notice and mind. The pairs stand in for
human ones where there are none; use your own instead where you have them.

python examples/game/make_data.py
"""

import json
import random
from pathlib import Path

HERE = Path(__file__).parent
FILLER = (
    "That is a great question! There are many things to consider here, and it really depends. ",
    "As we all know, this is an important topic that many people ask about nowadays. ",
    "Thank you for asking! I would be more than happy to help you with this today. ",
)


def cut_off(text: str, chance: random.Random) -> str:
    """It stops in the middle of what it says."""
    words = text.split()
    return " ".join(words[: max(2, len(words) * 2 // 5)])


def repeated(text: str, chance: random.Random) -> str:
    """It says the same again and again."""
    first = text.split(". ")[0].rstrip(".") + "."
    return " ".join([first] * 3)


def wordy(text: str, chance: random.Random) -> str:
    """It talks before it says anything."""
    return chance.choice(FILLER) + text


def jumbled(text: str, chance: random.Random) -> str:
    """Its words have changed places."""
    words = text.split()
    for _ in range(max(2, len(words) // 4)):
        i, j = chance.randrange(len(words)), chance.randrange(len(words))
        words[i], words[j] = words[j], words[i]
    return " ".join(words)


def main() -> None:
    """Write both files."""
    lines = (HERE / "golden.tsv").read_text().splitlines()
    rows = [dict(zip(("prompt", "golden"), line.split("\t"), strict=True)) for line in lines]
    chance = random.Random(0)
    pairs = []
    for number, row in enumerate(rows):
        other = rows[(number + chance.randrange(1, len(rows))) % len(rows)]["golden"]
        ways = {
            "cut_off": cut_off(row["golden"], chance),
            "repeated": repeated(row["golden"], chance),
            "wordy": wordy(row["golden"], chance),
            "jumbled": jumbled(row["golden"], chance),
            "off_topic": other,
        }
        for way in chance.sample(sorted(ways), 2):
            if ways[way] != row["golden"]:
                pairs.append(
                    {
                        "prompt": row["prompt"],
                        "chosen": row["golden"],
                        "rejected": ways[way],
                        "spoilt_by": way,
                    }
                )
    for name, records in (("golden.jsonl", rows), ("human.jsonl", pairs)):
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()
