"""A table of the proof: pairs are made, models trained and measured, arm by arm. Resumable.

    python benchmarks/proof/run_table.py contrast --runs runs/demo_size
    python benchmarks/proof/run_table.py recipe --ground ifeval --ifeval ifeval.jsonl --runs runs/ifeval

Tables: see `arms.py`; grounds: see `grounds.py`. All arms of a table train on equally many pairs. What is
finished in the folder is not done again, and what tables of a ground share is done once. Writes TABLE.md
and TABLE.png there. `--ifeval` is a file of IFEval's prompts as published, which nothing is trained on.
"""

import argparse
from pathlib import Path

from arms import NEEDS_OTHER, TABLES
from bench import Bench, kept
from grounds import GROUNDS
from measures import compared, measured
from table import Line, as_markdown, plot, sides


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--ground", choices=GROUNDS, default="demo")
    parser.add_argument("--ifeval", type=Path, help="IFEval's prompts, JSONL, for `--ground ifeval`")
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
    parser.add_argument("--dtype", default="bfloat16", help="in which models answer")
    parser.add_argument("--settings", default="--batch_size 96", help="more settings of what answers")
    parser.add_argument("--training", default="", help="more settings of every training")
    parser.add_argument("--keep_models", action="store_true", help="do not delete weights once measured")
    given = parser.parse_args()
    if given.ground == "ifeval" and not (given.ifeval and given.ifeval.is_file()):
        parser.error("--ground ifeval wants --ifeval FILE, with IFEval's prompts as published")
    return given


def main() -> None:
    """Run what is missing, and write the table after each arm."""
    given = parsed()
    ground = GROUNDS[given.ground]
    bench, lines = Bench(given, ground), list[Line]()
    arms = [arm for arm in TABLES[given.table] if given.other or not set(arm.pairs) & set(NEEDS_OTHER)]
    arms = [arm for arm in arms if not given.arms or arm.name in given.arms]
    counts = {
        kind: kept(bench.pairs(kind)) for kind in sorted({kind for arm in arms for kind in arm.pairs})
    }
    for kind in [kind for kind, count in counts.items() if not count]:
        print(f"no pairs of kind {kind}: arms with them are left out")
        arms = [arm for arm in arms if kind not in arm.pairs]
    if not arms:
        raise SystemExit("no arm has pairs; sample more answers with --n")
    most = min(len(arm.pairs) * min(counts[kind] for kind in arm.pairs) for arm in arms)
    count = min(given.pairs or most, most)
    first, second = (evaluation.name for evaluation in ground.evaluations)
    control: list[Path] = []
    for arm in arms:
        folders = [bench.trained(arm, count, seed) for seed in range(given.seeds)]
        found = [
            measured([folder / name for folder in folders], ground.forms(), ground.asked)
            for name in (first, second)
        ]
        over = compared([f / first for f in folders], control) if control else None
        control = control or [folder / first for folder in folders]
        lines.append(Line(arm, count, found[0], found[1], over, sides(folders)))
        text = as_markdown(lines, (first, second), arms[0].name)
        (given.runs / f"{given.table}.md").write_text(text, encoding="utf-8")
        plot(lines, (first, second), given.runs / f"{given.table}.png")
        print(text, flush=True)


if __name__ == "__main__":
    main()
