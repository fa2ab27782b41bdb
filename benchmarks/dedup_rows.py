"""Rows a second of the search of `dedup`, without reading and writing

Of near repeats, and of exact ones only; with the memory that remembered rows take.
"""

import argparse
import random
import resource
import time
from collections.abc import Iterator

from pairwright.sift.dedup import DedupConfig, Duplicates
from pairwright.sift.whole import WholeRow

VOCABULARY = 5000
BATCH = 512
PROMPT, ANSWER = 12, 60
"""Words of a prompt and of each of its two answers, of which one differs in one word."""


def pairs(count: int) -> Iterator[WholeRow]:
    """Pairs of random words; no two are alike."""
    chance = random.Random(0)
    for number in range(count):
        prompt, rejected = (chance.choices(range(VOCABULARY), k=k) for k in (PROMPT, ANSWER))
        chosen = [*rejected[:-1], VOCABULARY]
        said = (" ".join(f"w{n}" for n in words) for words in (prompt, chosen, rejected))
        columns = {
            name: [{"role": "user" if name == "prompt" else "assistant", "content": text}]
            for name, text in zip(("prompt", "chosen", "rejected"), said, strict=True)
        }
        yield WholeRow(f"row {number}", columns)


def main() -> None:
    """Print processor seconds, so that others on the machine matter little."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    rows = list(pairs(parser.parse_args().rows))
    for near in (1.0, 0.8):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        look = Duplicates(DedupConfig(inputs=("-",), out="-", near=near))
        started = time.process_time()
        for start in range(0, len(rows), BATCH):
            look(rows[start : start + BATCH])
        seconds = time.process_time() - started
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / len(rows)
        print(
            f"--near {near}: {len(rows) / seconds:,.0f} rows a processor second, {grown:,.0f} bytes a row"
        )


if __name__ == "__main__":
    main()
