"""What commands write does not change: every column of every row, every record, every weight.

`tests/golden/frozen/` was written by commit 003b38e, before the files moved into rooms; `inputs/`
beside it holds what the commands read, canned replies and two tiny models among it.
`PAIRWRIGHT_GOLDEN=write pytest tests/house/test_frozen.py` writes it anew, by decision only;
`PAIRWRIGHT_GOLDEN=bits` compares computed numbers by their bits, which machines of one kind share.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from frozen import bit_for_bit, content, difference, written
from in_process import run

from pairwright.cli import main

GOLDEN = Path(__file__).parents[1] / "golden"
FROZEN = GOLDEN / "frozen"
torch.set_num_threads(1)

_CPU = "--use_cpu --no_bf16 --learning_rate 3e-3 --pairs_per_update 4 --micro_batch_tokens 250"
_TRAINED = f"--model inputs/model --data inputs/pairs.jsonl --eval_share 0.2 --max_steps 3 {_CPU}"
RUNS = {
    "sample": "sample inputs/prompts.jsonl --policy canned:inputs/policy.jsonl --n 3 --shard_size 10",
    "sample_hf": "sample inputs/prompts.jsonl --policy hf:inputs/model --n 2 --max_tokens 8 --device cpu",
    "rewrite": "revise inputs/answers.jsonl --reviser canned:inputs/reviser.jsonl --shard_size 8",
    "edits": "revise inputs/answers.jsonl --reviser canned:inputs/editor.jsonl --mode edits --limit 12",
    "worsen": "revise inputs/sentences.jsonl --reviser canned:inputs/worsener.jsonl --mode edits "
    "--edit_unit sentence --direction worsen --min_kept_share 0.3 --max_edit_distance 0.9",
    "on_policy": "revise inputs/prompts.jsonl --policy canned:inputs/policy.jsonl "
    "--reviser canned:inputs/policy.jsonl --reply bare --min_kept_share 0 --max_edit_distance 1",
    "judge": "judge sample --judge canned:inputs/judge.jsonl --pairs all",
    "judge_text": "judge inputs/columns.jsonl --columns one,two,three --protocol text "
    "--judge canned:inputs/choosing.jsonl --max_failed 1",
    "judge_reward": "judge inputs/columns.jsonl --columns one,two,three --judge reward:inputs/taste "
    "--min_margin 0 --device cpu",
    "stronger": "judge inputs/stronger.jsonl --stronger golden --answer_column response",
    "calibrate": "calibrate inputs/labelled.jsonl --judge reward:inputs/taste --device cpu",
    "winrate": "winrate inputs/columns.jsonl:one inputs/columns.jsonl:two --judge reward:inputs/taste "
    "--device cpu",
    "score": "score inputs/taste sample --device cpu",
    "best_of_n": "score inputs/taste sample --device cpu --best_of_n",
    "merge": "merge rewrite edits",
    "split": "split rewrite",
    "dedup": "dedup rewrite edits --on prompt",
    "decontaminate": "decontaminate rewrite --against inputs/columns.jsonl",
    "apo_zero": f"train {_TRAINED} --loss apo_zero --reference_store none",
    "dpo": f"train {_TRAINED} --loss dpo --sft_weight 0.1 --reference_store none "
    "--lora_r 2 --merge_adapter",
    "rrhf": f"train --model inputs/model --data score --loss rrhf --eval_share 0 --max_steps 2 {_CPU}",
    "reward": f"reward {_TRAINED}",
    **{
        f"export_{form}": f"export rewrite --to {form}"
        for form in ("trl", "kto", "openrlhf", "llamafactory", "axolotl", "openai", "jsonl")
    },
}
"""Commands without their folder, which has the name they stand under; each may read those before it."""


def as_argv(name: str) -> list[str]:
    folder = "--output_dir" if RUNS[name].startswith(("train ", "reward ")) else "--out"
    return [*RUNS[name].split(), folder, name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every command has been run, in order."""
    folder = tmp_path_factory.mktemp("frozen")
    shutil.copytree(FROZEN / "inputs", folder / "inputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in RUNS:
            main(as_argv(name))
    if written():
        kept = {name: content(folder / name) for name in RUNS}
        for name, now in kept.items():
            (FROZEN / f"{name}.json").write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n")
    return folder


@pytest.mark.parametrize("name", RUNS)
def test_a_folder_holds_what_it_held(folder: Path, name: str) -> None:
    """Computed numbers are close, and bit for bit where `PAIRWRIGHT_GOLDEN=bits` asks for it."""
    now = json.loads(json.dumps(content(folder / name)))
    kept = json.loads((FROZEN / f"{name}.json").read_text())
    assert difference(now, kept, name, exact=bit_for_bit()) is None


def test_a_finished_folder_is_left_as_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for name in ("rewrite", "judge", "score", "apo_zero"):
        before = content(folder / name)
        main(as_argv(name))
        assert difference(content(folder / name), before, name) is None


def test_every_command_has_its_flags_on_its_page(capfd: pytest.CaptureFixture[str]) -> None:
    """The commands that `--help` lists, and the flags that their pages show, are those written down."""
    _, page, _ = run(capfd, "--help")
    commands = re.findall(r"^\W*?(?<!-)([a-z]+)  ", page.split("Commands")[1], re.MULTILINE)
    kept = {path.stem.removeprefix("flags_"): path for path in GOLDEN.glob("flags_*.txt")}
    assert set(commands) == set(kept)
    for command in commands:
        _, page, _ = run(capfd, command, "--help")
        flags = {line.split(": ")[0].lstrip("-") for line in kept[command].read_text().splitlines()}
        sections = {flag.partition(".")[0] for flag in flags if "." in flag}
        assert all(f"--{section}.NAME" in page for section in sections)
        flags = {flag for flag in flags if "." not in flag}
        named = re.findall(r"^│ (?:\*  |   )?(?:[A-Z_]+ )?--([\w.]+)", page, re.MULTILINE)
        assert set(named) == flags, command
