"""Tokens that a revision takes: of the request, of the completion, and of its rationale.

    python benchmarks/tokens_a_row.py pairs.parquet

The file has `prompt`, `rejected` (the answer that was revised) and `reviser_completion`, what the reviser
wrote. Tokens are those of the embedded model's vocabulary, without a chat template's own.
"""

import argparse
import statistics

from transformers import AutoTokenizer

from pairwright.inputs.sources import records
from pairwright.models.smollm2 import smollm2_folder
from pairwright.records import conversation, transcript
from prompts import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    given = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(smollm2_folder())
    template = load("revise")
    counts: dict[str, list[int]] = {"request": [], "answer": [], "completion": [], "revision": []}
    for row in records(given.file):
        answer = row["rejected"][-1]["content"]
        prompt = transcript(conversation(row["prompt"]))
        messages = template.messages(prompt=prompt, answer=answer)
        texts = {
            "request": "\n".join(m["content"] for m in messages),
            "answer": answer,
            "completion": row["reviser_completion"],
            "revision": row["chosen"][-1]["content"],
        }
        for name, text in texts.items():
            counts[name].append(len(tokenizer(text, add_special_tokens=False).input_ids))
    for name, found in counts.items():
        print(f"{name}: mean {statistics.mean(found):,.0f}, {min(found):,} to {max(found):,}")
    print(f"rows: {len(counts['request'])}")


if __name__ == "__main__":
    main()
