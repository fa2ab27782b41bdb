"""A loop whose pairs are crossed: settings reach `revise`, and prompts that cannot be are told before."""

from pathlib import Path
from typing import Any

import pytest
from in_process import run
from loop_toy import LoopToy
from runs_on_disk import rows_of
from tiny_model import write_jsonl

from pairwright.errors import UsageError
from train.on_policy.config import LoopConfig
from train.on_policy.loop import loop

CHECKS = """
def mend(prompt, answer, row):
    return f"{answer} {row['end']}"

def passes(prompt, answer, row):
    return answer.endswith(row["end"])
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> LoopToy:
    return LoopToy(tmp_path_factory.mktemp("loop"))


def crossing(toy: LoopToy, name: str, **revise: Any) -> LoopConfig:
    checks = toy.folder / "checks.py"
    checks.write_text(CHECKS)
    prompts = [
        {"prompt": f"p{n // 2} {n % 2}", "task": f"p{n // 2}", "end": "!?"[n % 2]} for n in range(24)
    ]
    settings = {
        "reviser": f"python:{checks}:mend",
        "verify": f"{checks}:passes",
        "cross": "task",
        "min_kept_share": 0,
        "max_edit_distance": 1,
        "max_length_ratio": 9,
        "function_processes": 1,
    }
    return toy.config(
        name,
        pairs="revise",
        rounds=1,
        judge={"judge": None},
        revise=settings | revise,
        eval_prompt_share=0.1,
        prompts=write_jsonl(toy.folder / "tasks.jsonl", prompts),
    )


def test_a_round_is_trained_on_crossed_pairs(toy):
    [_, table] = loop(crossing(toy, "crossed"))
    rows = rows_of(Path(toy.folder / "crossed" / "round-1" / "revised"))
    pairs = [row for row in rows if row.get("source") == "clair_crossed"]
    assert table["pairs"] == len(pairs) > 20
    for row in pairs:
        chosen, rejected = (row[side][0]["content"] for side in ("chosen", "rejected"))
        assert (chosen[:-2], {chosen[-1], rejected[-1]}) == (rejected[:-2], {"!", "?"})
        assert chosen[-1] == row["end"]


def test_a_preview_shows_prompts_on_one_task(toy, capfd):
    config = crossing(toy, "shown")
    command = ["loop", "--pairs", "revise", "--train.use_cpu", "--preview", "--model", config.model]
    for name in ("reviser", "verify", "cross"):
        command += [f"--revise.{name}", str(getattr(config.revise, name))]
    command += ["--prompts", config.prompts, "--output_dir", config.output_dir]
    code, out, err = run(capfd, *command)
    assert code == 0, err
    assert out.count("→ reviser:") == 6  # three answers, each for its prompt and for the other


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        ("tusk", r"no column `tusk` \(--revise.cross\); there are: `task`, `end`"),
        ("place", r"of the prompts to train on no two have the same `place` \(--revise.cross\)"),
    ],
)
def test_prompts_of_which_none_can_be_crossed_are_told_before_anything_is_sampled(toy, column, sentence):
    config = crossing(toy, "never", cross=column)
    if column == "place":
        rows = [{"prompt": f"p{n}", "place": n} for n in range(9)]
        config = config.model_copy(update={"prompts": write_jsonl(toy.folder / "places.jsonl", rows)})
    with pytest.raises(UsageError, match=sentence):
        loop(config)
    assert not (toy.folder / "never").exists()
