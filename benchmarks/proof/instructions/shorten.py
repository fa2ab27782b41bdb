"""Answers of a run of `sample`, each cut at the end of a sentence. For pairs that are cheap to train on.

    python benchmarks/proof/instructions/shorten.py RUN ANSWERS.jsonl

What comes after the cut stands in the column `rest`: an answer that is asked to be longer goes on with it.
Answers that were cut off at `max_tokens` serve too.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

MOST_WORDS, FEWEST_WORDS = 55, 12
_END = re.compile(r"""(?<!\d)[.!?]["')\]]*(?=\s|$)""")
_CARRIED = ("plain", "another", "mirror", "topic", "instruction", "instruction_id_list", "kwargs")


def shortened(answer: str) -> tuple[str, str] | None:
    """The sentences that fit into `MOST_WORDS` words, and what came after; None where nothing is left."""
    ends = [match.end() for match in _END.finditer(answer)]
    fitting = [end for end in ends if len(answer[:end].split()) <= MOST_WORDS]
    if not fitting or len(answer[: fitting[-1]].split()) < FEWEST_WORDS:
        return None
    return answer[: fitting[-1]].strip(), answer[fitting[-1] : ends[-1]].rstrip()


def rows(run: Path) -> Iterator[dict[str, Any]]:
    """Rows to revise: the prompt with its request, the short answer to the bare task, the rest."""
    for part in ("data", "dropped"):
        for file in sorted((run / part).glob("*.parquet")):
            for row in pq.read_table(file).to_pylist():
                found = shortened(_answer(row))
                if found is not None:
                    answer, rest = found
                    bare = {"plain": row["prompt"][-1]["content"]}
                    carried = {name: row[name] for name in _CARRIED if name in row}
                    yield {"prompt": row["input_prompt"], "response": answer, "rest": rest, **bare, **carried}


def _answer(row: Mapping[str, Any]) -> str:
    completion = row.get("completion")
    return str(completion[0]["content"]) if completion else ""


def write(run: Path, file: Path) -> None:
    """Write the rows as JSONL."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows(run)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{file}: {len(lines):,} answers")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
