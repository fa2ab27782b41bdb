"""Rows of every form, read by every command that takes rows: read, or refused in one sentence."""

import json
from pathlib import Path

import pytest
from form_rows import COLD, EXAMPLES, WARM
from in_process import quietly
from runs_on_disk import rows_of, write_jsonl

from pairwright.folders.manifest import load_manifest
from pairwright.inputs.candidates import Candidates
from pairwright.inputs.columns import Columns
from pairwright.inputs.forms.table import FORMS
from pairwright.inputs.pairs import read_pairs
from pairwright.inputs.rows import Input
from pairwright.sift.whole import WholeRows

PROMPTS = {"openai_batch"}
PAIRS = {"openai_preference", "orca", "pairs", "hh", "ultrafeedback", "drafts"}
LABELS = {"arena", "helpsteer3", "shp", "webgpt", "summaries", "pku", "llmbar", "labels"}
SCORED = LABELS | {"helpsteer", "nectar", "rated", "stack", "kto", "oasst", "oasst_trees"}
SINGLE = {"alpaca", "dolly", "sharegpt", "messages", "completion"}
ANSWERED = PAIRS | SCORED | SINGLE
"""Forms by what their rows are."""


def test_every_form_is_of_a_kind() -> None:
    kinds = [PROMPTS, PAIRS, SCORED, SINGLE]
    assert sum(map(len, kinds)) == len(EXAMPLES) == len(FORMS) - 1
    assert set().union(*kinds) == set(EXAMPLES)


@pytest.mark.parametrize("form", EXAMPLES)
def test_readers_of_commands_find_prompts_and_answers(tmp_path: Path, form: str) -> None:
    """Of `sample` and `eval`; of `revise` and `winrate`; of `judge` and `score`; of `export`, `train`,
    `select` and `reward`; of `merge`, `dedup`, `split` and `decontaminate`."""
    path = str(write_jsonl(tmp_path / "rows.jsonl", EXAMPLES[form]))
    asked = {row.prompt[-1].content for row in Input(path, Columns(), None, answers=False)}
    assert any("How cold is it?" in text or text == "-5" for text in asked)
    answers = {row.answer for row in Input(path, Columns(), None)}
    given = {c.text for row in Candidates(path, Columns(), None) for c in row.candidates}
    if form in PROMPTS:
        assert (answers, given) == ({None}, set())
    else:
        assert answers & {COLD, WARM}
        assert COLD in given
    if form in PAIRS | SCORED:
        untied = [pair for pair in read_pairs([path]) if not pair.tied]
        assert {(pair.chosen.content, pair.rejected.content) for pair in untied} == {(COLD, WARM)}
    whole = list(WholeRows([path], None).whole())
    assert len({row.columns["row_id"] for row in whole}) == len(whole) >= len(EXAMPLES[form]) - 2
    said = json.dumps([row.columns for row in whole])
    assert form in PROMPTS or COLD in said


LOOSE = "--min_kept_share 0 --max_edit_distance 1 --max_length_ratio 9 --min_length_ratio 0"
FUNCTION = """
def revise(prompt, answer, row):
    return answer + " So it is."

def shortest(prompt, answer, row):
    return float(-len(answer))
"""
COMMANDS = {
    "sample": ("sample {rows} --policy canned:canned.jsonl --n 1 --out {out}", set(EXAMPLES)),
    "revise": ("revise {rows} --reviser python:f.py:revise --out {out} " + LOOSE, ANSWERED),
    "gate": ("gate {rows} --out {out} " + LOOSE, PAIRS),
    "judge": ("judge {rows} --judge python:f.py:shortest --out {out}", PAIRS | SCORED),
    "calibrate": ("calibrate {rows} --judge python:f.py:shortest --out {out}", PAIRS | LABELS),
    "winrate": ("winrate {rows} {other} --judge python:f.py:shortest --out {out}", ANSWERED),
    "eval": ("eval canned:canned.jsonl --prompts {rows} --verify f.py:shortest --out {out}", set(EXAMPLES)),
    "score": ("score f.py:shortest {rows} --out {out}", set(EXAMPLES) - PROMPTS),
    "merge": ("merge {rows} --out {out}", set(EXAMPLES)),
    "dedup": ("dedup {rows} --out {out}", set(EXAMPLES)),
    "decontaminate": ("decontaminate {rows} --against other.jsonl --out {out}", set(EXAMPLES)),
    "export": ("export {rows} --to trl --out {out}", PAIRS | SCORED),
}
"""Commands, and the forms that each can do something with; others are refused in a sentence."""
FEW = "--model tiny --max_steps 1 --eval_share 0"
TRAINING = {
    "select": ("select {rows} --out {out}", PAIRS | SCORED),
    "train": ("train --data {rows} --output_dir {out} " + FEW, PAIRS | SCORED),
    "reward": ("reward --data {rows} --output_dir {out} " + FEW, PAIRS | SCORED),
}
"""Those that take seconds, with torch."""


def runs(command: str, form: str, folder: Path) -> None:
    words, taken = (COMMANDS | TRAINING)[command]
    out, path = folder / f"{command}-{form}", folder / f"{form}.jsonl"
    write_jsonl(path, EXAMPLES[form])
    write_jsonl(folder / f"other-{form}.jsonl", EXAMPLES[form])
    (folder / "f.py").write_text(FUNCTION)
    write_jsonl(folder / "canned.jsonl", [{"text": "Minus five degrees."}])
    write_jsonl(folder / "other.jsonl", [{"prompt": "Nobody asks for this here, or for anything like it."}])
    words = words.format(rows=path, other=folder / f"other-{form}.jsonl", out=out)
    code = quietly(*words.split(), codes=(0,) if form in taken else (1, 2))
    if code == 0 and (out / "run.json").exists():
        manifest = load_manifest(out)
        assert manifest.complete
        assert sum(manifest.counts.values()) == manifest.items >= 1
        assert rows_of(out)


@pytest.mark.parametrize(("command", "form"), list(zip(COMMANDS, sorted(EXAMPLES)[::2], strict=False)))
def test_a_command_reads_a_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, form: str
) -> None:
    monkeypatch.chdir(tmp_path)
    runs(command, form, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS | TRAINING)
def test_every_command_reads_every_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    from tiny_model import save_tiny_model  # brings torch

    save_tiny_model(tmp_path / "tiny")
    for form in EXAMPLES:
        runs(command, form, tmp_path)


def test_a_run_whose_first_pair_lacks_an_answer_is_written_whole(tmp_path: Path) -> None:
    rows = [{"prompt": "Q", "draft": None, "edited": COLD}]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    quietly("merge", str(path), "--out", str(tmp_path / "out"))
    assert load_manifest(tmp_path / "out").complete
    assert (tmp_path / "out" / "README.md").is_file()
