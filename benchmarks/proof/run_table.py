"""A table of the proof: pairs are made, models trained and measured, arm by arm. Resumable.

    python benchmarks/proof/run_table.py contrast --runs runs/demo_size
    python benchmarks/proof/run_table.py recipe --ground ifeval --ifeval ifeval.jsonl --runs runs/ifeval

Tables: see `arms.py`, and `played.py` for `rounds` and `game`; grounds: see `grounds.py`. All arms of a
table train on equally many pairs. What is finished in the folder is not done again, and what tables of a
ground share is done once. Writes TABLE.md and TABLE.png there; with `--page docs/proof.md` the table stands
between its marks in that page too, and the plot in a folder of the page's name. `--ifeval` is a file of
IFEval's prompts as published, which nothing is trained on. `--good` are preference pairs of other people:
how likely their chosen answers are before and after.
"""

import argparse
import sys
from pathlib import Path

import pyarrow as pa
from arms import NEEDS_OTHER, TABLES, Arm
from bench import Bench
from grounds import GROUNDS
from measures import compared, measured
from played import PLAYED, Played, by_round
from table import Line, as_markdown, good, of_parts, plot, put_in, sides

from pairwright.errors import PairwrightError
from pairwright.models.loading import fastest_dtype


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("table", choices=(*TABLES, *PLAYED))
    parser.add_argument("--ground", choices=GROUNDS, default="demo")
    parser.add_argument("--ifeval", type=Path, help="IFEval's prompts, JSONL, for `--ground ifeval`")
    parser.add_argument("--good", type=Path, help="other people's pairs, as `train` reads them")
    parser.add_argument("--runs", type=Path, default=Path("runs/proof"))
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--engine", choices=("hf", "vllm"), default="hf", help="what answers")
    parser.add_argument("--other", help="engine of a stronger model, for off_policy and stronger")
    parser.add_argument("--arms", nargs="*", help="only these, by the names that the plot shows")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--n", type=int, default=4, help="answers to each prompt, for pairs on policy")
    parser.add_argument(
        "--pairs", type=int, help="pairs an arm trains on; default as many as all arms have"
    )
    parser.add_argument("--limit", type=int, help="first prompts only, of each file")
    parser.add_argument("--max_tokens", type=int, help="most tokens of the model's own revisions")
    parser.add_argument("--eval_tokens", type=int, default=1024, help="most tokens of IFEval's answers")
    parser.add_argument("--dtype", default=fastest_dtype(), help="in which models answer")
    parser.add_argument("--settings", default="--batch_size 96", help="more settings of what answers")
    parser.add_argument("--engine_settings", default="", help="of the engine: --engine.max_model_len 2048")
    parser.add_argument("--training", default="", help="more settings of every training")
    parser.add_argument("--keep_models", action="store_true", help="do not delete weights once measured")
    parser.add_argument(
        "--first_only", action="store_true", help="measure on the ground's first prompts only"
    )
    parser.add_argument("--page", type=Path, help="a page with marks for the table, as docs/proof.md has")
    parser.add_argument(
        "--finished", action="store_true", help="run nothing: the table of what is finished, with --pairs"
    )
    given = parser.parse_args()
    if given.ground == "ifeval" and not (given.ifeval and given.ifeval.is_file()):
        parser.error("--ground ifeval wants --ifeval FILE, with IFEval's prompts as published")
    if given.finished and not (given.pairs or given.table in PLAYED):
        parser.error("--finished wants --pairs COUNT, as the arms were trained")
    return given


def main() -> None:
    """Run what is missing, and write the table after each arm."""
    given = parsed()
    ground = GROUNDS[given.ground]
    if given.first_only:
        ground = ground._replace(evaluations=ground.evaluations[:1])
    bench, lines, parts, rounds = Bench(given, ground), list[Line](), dict[str, pa.Table](), ""
    names = tuple(evaluation.name for evaluation in ground.evaluations)
    control: dict[int, Path] = {}
    for arm, count in played(given) if given.table in PLAYED else trained(given, bench):
        by_seed = run(bench, arm, count, given)
        if not by_seed:
            continue
        folders = list(by_seed.values())
        found = [
            measured([f / name for f in folders], bench.untrained(name), ground.forms(), ground.asked)
            for name in names
        ]
        over = compared(*_of_same_seeds(by_seed, control, names[0])) if control.keys() & by_seed else None
        control = control or by_seed
        lines.append(Line(arm, count, found, over, sides(folders, arm.model), good(folders)))
        text = as_markdown(lines, names, lines[0].arm.name)
        if isinstance(arm, Played):
            rounds += f"\n{arm.data}:\n\n{by_round(folders)}"
            text += rounds
        elif arm.end:
            parts[f"{arm.end} {arm.measure}"] = bench.selected(arm, count)
        if parts:
            text += f"\n{of_parts(parts)}"
        (given.runs / f"{given.table}.md").write_text(text, encoding="utf-8")
        plot(lines, names[0], given.runs / f"{given.table}.png")
        print(text, flush=True)
    if given.page and lines:
        put_in(given.page, f"{given.table}-{given.ground}", text, given.runs / f"{given.table}.png")


def run(bench: Bench, arm: Arm | Played, count: int, given: argparse.Namespace) -> dict[int, Path]:
    """The folder of an arm under each seed; `--finished`: of those that are measured."""
    folders = {seed: bench.folder(arm, count, seed) for seed in range(given.seeds)}
    if given.finished:
        return {seed: folder for seed, folder in folders.items() if bench.has_all(folder)}
    for seed in folders:
        if isinstance(arm, Played):
            bench.played(arm, seed)
        else:
            bench.trained(arm, count, seed)
    return folders


def _of_same_seeds(
    ours: dict[int, Path], theirs: dict[int, Path], name: str
) -> tuple[list[Path], list[Path]]:
    seeds = [seed for seed in ours if seed in theirs]
    return [ours[seed] / name for seed in seeds], [theirs[seed] / name for seed in seeds]


def played(given: argparse.Namespace) -> list[tuple[Played, int]]:
    """Arms of rounds; they make their own pairs."""
    return [(arm, 0) for arm in PLAYED[given.table] if not given.arms or arm.name in given.arms]


def trained(given: argparse.Namespace, bench: Bench) -> list[tuple[Arm, int]]:
    """Arms that are trained on pairs which are made here, all on equally many."""
    arms = [arm for arm in TABLES[given.table] if given.other or not set(arm.pairs) & set(NEEDS_OTHER)]
    arms = [arm for arm in arms if not given.arms or arm.name in given.arms]
    if given.finished:
        return [(arm, given.pairs) for arm in arms]
    counts = {arm: bench.most(arm) for arm in arms}
    for arm in [arm for arm, count in counts.items() if not count]:
        print(f"{arm.name} is left out: it has no pairs of one of its kinds")
        del counts[arm]
    if not counts:
        raise SystemExit("no arm has pairs; sample more answers with --n")
    most = min(counts.values())
    return [(arm, min(given.pairs or most, most)) for arm in counts]


if __name__ == "__main__":
    try:
        main()
    except PairwrightError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
