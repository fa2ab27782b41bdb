"""Revise, judge and train from Python: commands are functions, their flags the fields of their settings.

    python examples/in_python.py examples/prompts.jsonl --limit 12

With the embedded model this takes a few minutes on two cores. Any engine and model will do: a server
is `--engine openai:MODEL@http://localhost:8000/v1`.
"""

import argparse
from pathlib import Path

from judge import JudgeConfig, judge
from pairwright.figures import figures_of
from pairwright.reports.report import ReportConfig, report
from pairwright.sift.merge import MergeConfig, merge
from pairwright.stages.sample import SampleConfig, sample
from revise import ReviseConfig, revise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prompts")
    parser.add_argument("--engine", default="hf:smollm2", help="policy, reviser and judge")
    parser.add_argument("--model", default="smollm2", help="what to train")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    out = given.out

    # Two answers to every prompt. Run again, it only checks that they are there.
    sample(
        SampleConfig(
            input=given.prompts,
            policy=given.engine,
            n=2,
            max_tokens=160,
            limit=given.limit,
            out=str(out / "answers"),
        )
    )

    # Each answer, made a little better: the pair that CLAIR makes.
    revised = revise(
        ReviseConfig(
            input=str(out / "answers"),
            reviser=given.engine,
            template="revise_small",
            reply="bare",
            max_tokens=256,
            out=str(out / "revised"),
        )
    )

    # And the better of each prompt's two answers against the other: on-policy judgement. A small judge
    # likes whatever stands first, so both orders together keep next to nothing of it; see its report.
    judged = judge(
        JudgeConfig(input=str(out / "answers"), judge=given.engine, max_failed=1.0, out=str(out / "judged"))
    )

    # What was kept, of every row that was worked on.
    for name, manifest in (("revised", revised), ("judged", judged)):
        assert manifest is not None  # a preview or a dry run gives none
        print(name, manifest.counts)
    sources = [str(out / name) for name in ("revised", "judged") if figures_of(out / name).rows.kept_rows]
    merge(MergeConfig(inputs=tuple(sources), out=str(out / "pairs")))

    # torch is imported here and not before.
    from train.preference.config import TrainConfig
    from train.training import train

    result = train(
        TrainConfig(
            model=given.model,
            data=(str(out / "pairs"),),
            output_dir=str(out / "model"),
            loss="apo_zero",
            beta=0.5,
            learning_rate=2e-5,
            pairs_per_update=8,
            eval_share=0.2,
        )
    )
    print(result.updates, "updates on", result.pairs, "pairs")

    figures = figures_of(out / "model")
    print(figures.in_words)
    report(ReportConfig(runs=(out / "pairs", out / "model"), out=out / "report.html"))


if __name__ == "__main__":
    main()
