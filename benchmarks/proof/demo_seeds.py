"""The demo under six seeds: other pairs of the same answers, in other orders. Resumable.

    python benchmarks/proof/demo_seeds.py --runs runs/demo_seeds

Writes the table between the marks in docs/proof.md. What is finished in the folder is not done again; with
`--table` nothing is run, and the table is that of the seeds which are finished.
"""

import argparse
import json
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from table import put_in

from pairwright.folders.shards import read_tables

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "proof.md"
MEASURED = "evaluation.json"
SEEDS = 6


def run_demo(folder: Path, seed: int, first: Path) -> None:
    """One demo, whole. The untrained model's answers are the same for all: journals bring them."""
    for name in ("answers", "asked", "unasked"):
        journal = first / name / "journal.sqlite"
        if folder != first and journal.is_file() and not (folder / name).exists():
            (folder / name).mkdir(parents=True)
            shutil.copy(journal, folder / name)
    demo = f"demo examples --out {folder} --seed {42 + seed}"
    subprocess.run([sys.executable, "-m", "pairwright", *demo.split()], cwd=ROOT, check=True)


def finished(folder: Path) -> bool:
    """Whether a demo has been measured."""
    return all((folder / name / MEASURED).is_file() for name in ("asked", "unasked"))


def measured(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both evaluations of a finished demo."""
    asked, unasked = (json.loads((folder / name / MEASURED).read_text()) for name in ("asked", "unasked"))
    return asked, unasked


def curves(folder: Path) -> list[str]:
    """Log-ratio of chosen and of rejected held-out answers after training."""
    lines = (folder / "model" / "metrics.jsonl").read_text().splitlines()
    last = [row for row in map(json.loads, lines) if "eval_logratios/chosen" in row][-1]
    return [f"{last[f'eval_logratios/{side}']:+.1f}" for side in ("chosen", "rejected")]


def guards(folder: Path) -> list[str]:
    """What answers to held-out prompts are, before and after: in a form other than the one asked for,
    saying something, words, distinct."""
    checks = runpy.run_path(str(ROOT / "examples" / "checks.py"))
    answers: dict[str, list[tuple[str, str, str]]] = {}
    for row in (row for part in read_tables(folder / "asked") for row in part.to_pylist()):
        answer = row["completion"][0]["content"]
        answers.setdefault(row["completion_model"], []).append(
            (row["prompt"][-1]["content"], answer, row["form"])
        )
    before = answers.pop("hf:smollm2")
    (after,) = answers.values()

    def strays(answer: str, form: str) -> bool:
        forms = checks["FORMS"].keys() - {form, "opening", "no commas"}
        return any(checks["FORMS"][other][1](answer.strip(), "") for other in forms)

    def sides(measure: Callable[[Sequence[tuple[str, str, str]]], float], form: str) -> str:
        return " → ".join(format(measure(side), form) for side in (before, after))

    return [
        sides(lambda side: sum(strays(answer, form) for _, answer, form in side) / len(side), ".0%"),
        sides(lambda side: sum(checks["says_something"](*both[:2]) for both in side) / len(side), ".0%"),
        sides(lambda side: sum(len(both[1].split()) for both in side) / len(side), ".0f"),
        sides(distinct, ".2f"),
    ]


def distinct(answers: Sequence[tuple[str, str, str]]) -> float:
    """Different pairs of neighbouring words among all."""
    pairs = [pair for _, answer, _ in answers for pair in pairwise(answer.split())]
    return len(set(pairs)) / max(len(pairs), 1)


def table(runs: Path) -> str:
    """What is finished, as Markdown."""
    titles = (
        *("seed", "before", "after", "gain (95 %)", "won, lost", "unasked"),
        *("another form", "say something", "words", "distinct", "ended", "chosen, rejected"),
    )
    rows = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    gains = []
    for seed in range(SEEDS):
        folder = runs / f"seed-{seed}"
        if not finished(folder):
            continue
        asked, unasked = measured(folder)
        (before, after), clean = asked["models"], unasked["models"]
        gain, low, high = after["difference"]
        gains.append(gain)
        cells = (
            f"{seed}",
            f"{before['pass_rate'][0]:.1%}",
            f"{after['pass_rate'][0]:.1%}",
            f"**{100 * gain:+.1f}** ({100 * low:+.1f} to {100 * high:+.1f})",
            f"{after['won']}, {after['lost']}",
            " → ".join(f"{1 - model['pass_rate'][0]:.1%}" for model in clean),
            *guards(folder),
            " → ".join(f"{model['ended']:.0%}" for model in asked["models"]),
            ", ".join(curves(folder)),
        )
        rows.append(f"| {' | '.join(cells)} |")
    if gains:
        rows.append(
            f"\nSeeds run: {len(gains)} of {SEEDS}. Mean gain {100 * sum(gains) / len(gains):+.1f} points."
        )
    return "\n".join(rows) + "\n"


def main() -> None:
    """Run what is missing, seed by seed, and write the table after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs/demo_seeds"))
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    runs = given.runs.resolve()
    for seed in () if given.table else range(SEEDS):
        if not finished(runs / f"seed-{seed}"):
            run_demo(runs / f"seed-{seed}", seed, runs / "seed-0")
        put_in(PAGE, "demo", table(runs))
    put_in(PAGE, "demo", table(runs))


if __name__ == "__main__":
    main()
