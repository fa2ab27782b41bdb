"""Answers of a run of `sample`, each cut at the end of a sentence. For pairs that are cheap to train on.

    cd benchmarks/proof; python -m instructions.shorten PROMPTS.jsonl RUN ANSWERS.jsonl

PROMPTS are those with requests: all that share a bare task get its answer. What comes after the cut stands
in the column `rest`: an answer that is asked to be longer goes on with it. Answers that were cut off at
`max_tokens` serve too.
"""

import json
import re
import sys
from pathlib import Path

import pyarrow.parquet as pq
from forms import has_unasked

MOST_WORDS, FEWEST_WORDS = 55, 12
_END = re.compile(r"""(?<!\d)[.!?]["')\]]*(?=\s|$)""")


def shortened(answer: str) -> tuple[str, str] | None:
    """The sentences that fit into `MOST_WORDS` words, and what came after.

    None where little is left, it says something twice, or it has a form that other prompts ask for.
    """
    ends = [match.end() for match in _END.finditer(answer)]
    fitting = [end for end in ends if len(answer[:end].split()) <= MOST_WORDS]
    if not fitting:
        return None
    kept, rest = answer[: fitting[-1]].strip(), answer[fitting[-1] : ends[-1]].rstrip()
    if len(kept.split()) < FEWEST_WORDS or has_unasked(kept) or _repeats(kept):
        return None
    return kept, rest


def _repeats(answer: str) -> bool:
    """Whether a line or a sentence stands in it twice."""
    said = [part.strip().lower() for part in re.split(r"(?<=[.!?])\s+|\n", answer) if part.strip()]
    return len(set(said)) < len(said)


def answers(run: Path) -> dict[str, dict[str, str]]:
    """The short answer to each bare task, and the rest of it."""
    found = {}
    for part in ("data", "dropped"):
        for file in sorted((run / part).glob("*.parquet")):
            for row in pq.read_table(file, columns=["prompt", "completion"]).to_pylist():
                cut = shortened(row["completion"][0]["content"]) if row["completion"] else None
                if cut is not None:
                    found[row["prompt"][-1]["content"]] = {"response": cut[0], "rest": cut[1]}
    return found


def write(prompts: Path, run: Path, file: Path) -> None:
    """Write the prompts whose bare task has an answer, with it, as JSONL."""
    said = answers(run)
    rows = map(json.loads, prompts.read_text(encoding="utf-8").splitlines())
    lines = [json.dumps(row | said[row["plain"]]) for row in rows if row["plain"] in said]
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    print(f"{file}: {len(lines):,} prompts with a short answer to their bare task")


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:]))
