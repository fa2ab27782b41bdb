"""The answers of a round: whether there is anything to go on with."""

from collections import Counter
from pathlib import Path

from pairwright.errors import PairwrightError
from pairwright.folders.manifest import load_manifest
from pairwright.folders.shards import read_tables
from pairwright.records import KEPT, TRUNCATED


def require_answers(answers: Path, number: int, *, compared: bool) -> None:
    """Raise `PairwrightError` where what a round's `sample` left out leaves nothing to go on with.

    That is no answer at all or, where answers are `compared`, no prompt with two.
    """
    counts = load_manifest(answers).counts
    lost = {status: count for status, count in counts.items() if status != KEPT and count}
    found = Counter(key for table in read_tables(answers) for key in table["prompt_id"].to_pylist())
    most = max(found.values(), default=0)
    if not lost or most >= 1 + compared:
        return
    what = "no prompt has two usable answers to compare" if most else "no answer is usable"
    ended = ", ".join(f"{count:,} {status}" for status, count in lost.items())
    said = f"round {number}: {what}: of {sum(counts.values()):,}, {ended} (reasons in {answers}/dropped)"
    if TRUNCATED in lost:
        said += "; those cut off are left out: begin another output_dir with a larger --sample.max_tokens"
    raise PairwrightError(said)
