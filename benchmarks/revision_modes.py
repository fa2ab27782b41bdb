"""Rewriting against edits: the same answers and the same reviser, one try for each answer.

    python benchmarks/revision_modes.py                                  # canned completions, seconds
    python benchmarks/revision_modes.py --reviser openai:MODEL@URL --answers runs/answers
    python benchmarks/revision_modes.py --judge openai:MODEL@URL         # and who is preferred

The canned completions are real ones of the embedded model; `--record FOLDER` makes such a set.
Output is counted in words and marks of the completion, as every measure of pairs is, so that it can
be compared between engines. Measures are medians over the pairs that the default gates keep.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from pairwright.folders.journal import Journal
from pairwright.folders.manifest import load_manifest
from pairwright.folders.shards import read_tables
from pairwright.inputs.columns import Columns
from pairwright.inputs.rows import Input
from pairwright.pairs.tokens import WORD
from pairwright.records import Completion
from revise import ReviseConfig, revise
from revise.stage import ReviseStage

CANNED = Path(__file__).parent / "canned_revisions"
MODES: dict[str, dict[str, Any]] = {
    "rewrite": {"mode": "rewrite"},
    "rewrite-bare": {"mode": "rewrite", "template": "revise_small", "reply": "bare"},
    "edits-text": {"mode": "edits", "edit_unit": "text"},
    "edits-sentence": {"mode": "edits", "edit_unit": "sentence"},
}
MEASURES = ("kept_share", "edit_distance", "common_prefix", "length_ratio")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", default=str(CANNED / "answers.jsonl"))
    parser.add_argument("--reviser", help="engine; without one, the canned completions")
    parser.add_argument("--judge", help="engine that says how often the revision is the better answer")
    parser.add_argument("--max_tokens", type=int, default=1024)
    parser.add_argument("--no_constrain", action="store_true", help="for servers that ignore schemas")
    parser.add_argument("--out", type=Path, help="folder for the runs, which are resumed there")
    parser.add_argument("--record", type=Path, help="folder for a canned set of these completions")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = given.out or Path(name)
        rows = [measured(given, mode, folder / mode) for mode in MODES]
    titles = list(dict.fromkeys(title for row in rows for title in row))
    for line in (titles, ["---"] * len(titles), *([row.get(t, "–") for t in titles] for row in rows)):
        print("|", " | ".join(line), "|")


def measured(given: argparse.Namespace, mode: str, out: Path) -> dict[str, str]:
    """Revise in one mode; a line of the table."""
    config = ReviseConfig(
        input=given.answers,
        reviser=given.reviser or f"canned:{CANNED / mode}.jsonl",
        out=str(out),
        max_tokens=given.max_tokens,
        retry=False,
        constrain=bool(given.reviser) and not given.no_constrain,
        **MODES[mode],
    )
    revise(config)
    said = completions(config)
    if given.record:
        record(given.record, mode, config, said)
    manifest = load_manifest(out)
    kept = [row for table in read_tables(out) for row in table.to_pylist()]
    total = sum(manifest.counts.values())
    words = [len(WORD.findall(c.text)) for _, _, c in said]
    tokens = [c.completion_tokens for _, _, c in said if c.completion_tokens]
    line = {
        "mode": mode,
        "output words": f"{statistics.median(words):.0f}",
        "output tokens": f"{statistics.median(tokens):.0f}" if tokens else "–",
        "kept": f"{len(kept)} of {total}",
    }
    for name in MEASURES:
        line[name] = f"{statistics.median(r[name] for r in kept):.2f}" if kept else "–"
    dropped = sorted(manifest.counts.items(), key=lambda pair: -pair[1])
    line["dropped"] = ", ".join(f"{n} `{status}`" for status, n in dropped if status != "kept") or "–"
    if given.judge and kept:
        line["preferred"] = preferred(given.judge, out, out.with_name(f"{mode}-judged"))
    return line


def completions(config: ReviseConfig) -> list[tuple[str, str, Completion]]:
    """Prompt, answer and completion of every row that has one, out of the run's journal."""
    stage, folder = ReviseStage(config), Path(config.out)
    identity = load_manifest(folder).engines["reviser"]
    found = []
    with Journal(folder / "journal.sqlite") as journal:
        for row in Input(config.input, Columns(), None, stage.schema.names):
            [request] = next(stage.work(row, 0))
            completion = journal.get(request.key(identity))
            if completion is not None:
                found.append((row.prompt[-1].content, row.answer or "", completion))
    return found


def record(folder: Path, mode: str, config: ReviseConfig, said: list[tuple[str, str, Completion]]) -> None:
    """Write the answers and one mode's completions as files that run anywhere."""
    folder.mkdir(parents=True, exist_ok=True)
    answers = [{"prompt": prompt, "response": answer} for prompt, answer, _ in said]
    replies = [
        {"match": prompt, "text": c.text, "finish_reason": c.finish_reason} for prompt, answer, c in said
    ]
    for name, lines in (("answers", answers), (mode, replies)):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text)


def preferred(judge: str, pairs: Path, out: Path) -> str:
    """Of how many pairs a judge finds chosen the better answer, over both orders."""
    from judge.calibration.command import CalibrateConfig, calibrate

    calibrate(CalibrateConfig(input=str(pairs), judge=judge, out=str(out)))
    rows = [row for part in ("data", "dropped") for t in read_tables(out, part) for row in t.to_pylist()]
    likely = [row["verdict"]["preference"] for row in rows if row["verdict"]]
    told = [share for share in likely if share is not None]
    return f"{sum(share > 0.5 for share in told)} of {len(told)}"


if __name__ == "__main__":
    main()
