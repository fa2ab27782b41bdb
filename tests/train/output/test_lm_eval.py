"""The real lm-eval: a model trained here loads there, and its IFEval decides as ours does.

Run by `make test-lm-eval`, which installs lm-eval into a folder of its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT, SUPPORT
from runs_on_disk import write_jsonl
from tiny_model import save_tiny_model

import pairwright as pw

pytestmark = pytest.mark.lm_eval

TASK = """task: trees
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{q}}}}"
doc_to_choice: ["oak", "elm"]
doc_to_target: "{{{{a}}}}"
metric_list: [{{metric: acc}}]
"""


def python(*arguments: str, cwd: Path) -> str:
    installed = Path(os.environ["PAIRWRIGHT_LM_EVAL"]).resolve()
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    environment = os.environ | offline | {"PYTHONPATH": str(installed)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("adapter", [False, True], ids=["full", "lora"])
def test_a_model_trained_here_loads_there(tmp_path: Path, adapter: bool) -> None:
    save_tiny_model(tmp_path / "base")
    pairs = [{"prompt": "A tree?", "chosen": "An oak.", "rejected": "A rose."}] * 4
    data = write_jsonl(tmp_path / "pairs.jsonl", pairs)
    pw.train(
        model=str(tmp_path / "base"), data=str(data), output_dir=str(tmp_path / "model"), loss="dpo",
        num_train_epochs=1, lora_r=4 if adapter else 0,
    )  # fmt: skip
    words = write_jsonl(tmp_path / "words.jsonl", [{"q": f"Say {w}", "a": w} for w in ("oak", "elm")])
    (tmp_path / "trees.yaml").write_text(TASK.format(data=words))
    model = f"pretrained={tmp_path}/model,dtype=float32"
    if adapter:
        model = f"pretrained={tmp_path}/base,peft={tmp_path}/model,dtype=float32"
    python(
        "-m", "lm_eval", "--model", "hf", "--model_args", model, "--tasks", "trees", "--device", "cpu",
        "--include_path", str(tmp_path), "--output_path", str(tmp_path / "out"), cwd=tmp_path,
    )  # fmt: skip
    [results] = (tmp_path / "out").rglob("results_*.json")
    accuracy = json.loads(results.read_text())["results"]["trees"]["acc,none"]
    assert 0.0 <= accuracy <= 1.0


def test_the_stored_verdicts_are_those_of_the_published_checker(tmp_path: Path) -> None:
    stored = ROOT / "tests" / "golden" / "ifeval_verdicts.jsonl"
    said = python(str(SUPPORT / "published_ifeval.py"), str(stored), cwd=tmp_path)
    verdicts = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    rows = [json.loads(line) for line in stored.read_text().splitlines()]
    assert [{"strict": row["strict"], "loose": row["loose"]} for row in rows] == verdicts
