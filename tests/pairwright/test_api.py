"""The Python door: every command a function, its outcome a result that is a path, and nothing printed."""

import datetime
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import datasets
import nbformat
import numpy as np
import pandas as pd
import polars as pl
import pytest
from nbclient import NotebookClient
from places import ROOT
from runs_on_disk import write_jsonl
from tiny_model import save_tiny_model

import pairwright as pw
from pairwright.commands import COMMANDS
from pairwright.errors import UsageError
from pairwright.inputs.in_memory import file_of
from pairwright.inputs.sources import records
from pairwright.stages.sample import SampleConfig

ANSWERS = ["A tree is tall and old and green.", "A tree is a very tall plant, old and green."]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": f"What is tree {n}?"} for n in range(6)])
    write_jsonl(tmp_path / "engine.jsonl", [{"text": text} for text in ANSWERS])
    return tmp_path


def sampled(**more: object) -> pw.Result:
    return pw.sample("prompts.jsonl", policy="canned:engine.jsonl", n=2, out="answers", **more)


def test_a_result_is_a_path_and_reads_what_is_in_it(here, capfd):
    answers = sampled()
    pairs = pw.revise(answers, reviser="canned:engine.jsonl", reply="bare", out=here / "pairs")
    assert Path(answers) == answers.folder == Path("answers")
    assert answers.counts == {"kept": 12}
    assert sum(pairs.counts.values()) == 12
    kept, dropped = pairs.frame(), pairs.dropped()
    assert (len(kept), len(dropped)) == (pairs.counts["kept"], 12 - pairs.counts["kept"])
    assert set(dropped["status"]) == set(pairs.counts) - {"kept"}
    assert pairs.dataset()["row_id"][:] == kept["row_id"].to_list()
    assert pairs.figures.rows.by_status == pairs.counts
    assert pw.sample("prompts.jsonl", policy="canned:engine.jsonl", out="more").dropped().columns == [
        "status",
        "reason",
    ]
    page = pw.report(pairs, answers, out="page.html")
    assert "<html" in page.folder.read_text()
    assert "kept" in pw.stats(pairs).text
    assert capfd.readouterr() == ("", "")


def test_a_preview_is_text_and_writes_nothing(here, capfd):
    shown = sampled(preview=True)
    assert "What is tree 0?" in shown.text
    with pytest.raises(UsageError, match="nothing was written"):
        shown.frame()
    assert capfd.readouterr() == ("", "")
    assert not (here / "answers").exists()


def test_training_reads_results_and_resolves_its_loss(here, capfd):
    rows = [
        {"prompt": f"Q{n}?", "chosen": f"The answer to {n} is right.", "rejected": f"No answer to {n}."}
        for n in range(8)
    ]
    write_jsonl(here / "pairs.jsonl", rows)
    tiny = save_tiny_model(here / "tiny")
    capfd.readouterr()
    model = pw.train(data=here / "pairs.jsonl", model=tiny, max_steps=1, output_dir="model", use_cpu=True)
    assert model.counts["updates"] == 1
    assert model.metrics["rewards/accuracies"] >= 0
    answers = pw.sample("prompts.jsonl", policy="canned:engine.jsonl", out="answers")
    again = pw.train(data=["pairs.jsonl"], model=model, max_steps=1, output_dir="again", use_cpu=True)
    assert Path(again).is_dir()
    assert isinstance(answers.frame(), pl.DataFrame)
    assert capfd.readouterr() == ("", "")


def test_a_settings_object_does_as_well(here):
    config = SampleConfig(input="prompts.jsonl", policy="canned:engine.jsonl", out="answers")
    assert pw.sample(config).counts == {"kept": 6 * config.n}
    with pytest.raises(UsageError, match="takes a SampleConfig alone, or keywords"):
        pw.sample(config, n=2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"polcy": "x"}, "pairwright.sample: no setting `polcy`; did you mean `policy`\\?"),
        ({"policy": "canned:engine.jsonl"}, "pairwright.sample: out: must be given"),
        ({"policy": "canned:engine.jsonl", "out": "x", "n": "two"}, r"n: .*valid integer.*given: 'two'"),
        ({"policy": "canned:engine.jsonl", "out": "x", "input": "y"}, "input is given twice"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(here, given, said):
    with pytest.raises(UsageError, match=said):
        pw.sample("prompts.jsonl", **given)
    assert not (here / "x").exists()


def test_rows_themselves_are_input(here, monkeypatch, capfd):
    monkeypatch.setenv("PAIRWRIGHT_CACHE", "cache")
    rows = [{"prompt": "What is a tree?", "answer": "A plant", "n": n} for n in range(2)]
    answer, better = ([{"role": "assistant", "content": text}] for text in ("A plant", "A plant."))
    frame = pl.DataFrame(rows)
    kinds = rows, frame, datasets.Dataset.from_list(rows), frame.to_pandas()
    for number, given in enumerate(kinds):
        pairs = pw.revise(given, reviser=lambda prompt, answer, row: f"{answer}.", out=f"pairs{number}")
        assert pairs.frame().select("rejected", "chosen", "n").rows(named=True) == [
            {"rejected": answer, "chosen": better, "n": n} for n in range(2)
        ]
    assert pw.revise(list(rows), reviser="canned:engine.jsonl", out="pairs", limit=1, dry_run=True).text
    assert len(list((here / "cache" / "rows").iterdir())) <= 4, "equal rows have one file"
    assert capfd.readouterr() == ("", "")


def test_one_or_several_in_a_list_or_one_after_the_other(here, monkeypatch):
    monkeypatch.setenv("PAIRWRIGHT_CACHE", "cache")
    rows = [{"prompt": f"Q{n}?", "chosen": "Yes.", "rejected": "No."} for n in range(12)]
    first, second = (
        pw.gate(rows[:6], out="a"),
        pw.gate(rows[6:], gates=lambda revision, config: None, out="b"),
    )
    for number, given in enumerate(([first, second], [first, rows[6:]], ["a", "b"])):
        assert pw.merge(given, out=f"list{number}").counts == {"kept": 12}
        assert pw.merge(*given, out=f"each{number}").counts == {"kept": 12}
        assert pw.merge(inputs=given, out=f"named{number}").counts == {"kept": 12}
    assert pw.dedup(inputs=first, out="unique").counts == {"kept": 6}
    assert pw.report([first, second], out="report.html").folder == Path("report.html")
    with pytest.raises(UsageError, match="stats: run: must be a path or a result"):
        pw.stats([first, second])


def test_a_folder_of_runs_says_what_it_holds(here, monkeypatch):
    monkeypatch.setenv("PAIRWRIGHT_CACHE", "cache")
    rows = [{"prompt": f"Q{n}?", "chosen": "Yes.", "rejected": "No."} for n in range(12)]
    parts = pw.split(rows, test_share=0.4, out="parts")
    for read in (parts.frame, parts.dropped, parts.dataset):
        with pytest.raises(UsageError, match="has no rows of its own; it holds 2 runs: test, train"):
            read()


def test_rows_in_other_forms_are_what_they_are_in_a_list(here, monkeypatch):
    monkeypatch.setenv("PAIRWRIGHT_CACHE", "cache")
    given = [{"prompt": "p", "n": np.int64(3), "l": np.arange(2), "day": datetime.date(2026, 1, 2)}]
    plain = [{"prompt": "p", "n": 3, "l": [0, 1], "day": "2026-01-02"}]
    frame = pl.DataFrame(plain)
    for rows in (given, tuple(plain), frame.lazy(), frame.to_arrow(), frame.to_arrow().to_batches()[0]):
        assert list(records(file_of(rows, "rows") or "")) == plain


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"prompt": object()}], r"row 0 of the list is not JSON: `prompt`: a object has no form there"),
        (pl.DataFrame({"prompt": []}), "input: there are no rows"),
        ([{"prompt": "p"}, "q"], "input: row 1 of the list is 'q', and not a dict"),
        (["p", "q"], "input: must be a path, a result, or rows: a list of dicts, a frame"),
        (iter([{"prompt": "p"}]), "input: a list_iterator can be read once only; give a list"),
        (datasets.DatasetDict(test=datasets.Dataset.from_list([{"a": 1}])), r"data\['test'\]"),
        (datasets.Dataset.from_list([{"a": 1}]).to_iterable_dataset(), r"its rows: list\(data\)"),
        (pd.DataFrame({"prompt": ["p", "q"], "x": [1, "x"]}), "the DataFrame cannot be written as Parquet"),
    ],
)
def test_rows_that_are_none_are_a_sentence(here, rows, said):
    with pytest.raises(UsageError, match=said):
        pw.sample(rows, policy="canned:engine.jsonl", out="x")


def test_what_is_wrong_with_rows_is_said_of_rows_and_of_no_file(here):
    with pytest.raises(UsageError, match=r"^<rows> line 2: `prompt` is empty"):
        pw.sample([{"prompt": "p"}, {"prompt": ""}], policy="canned:engine.jsonl", out="x")
    with pytest.raises(UsageError, match=r"^<rows> row 1: `prompt` is empty"):
        pw.sample(pd.DataFrame({"prompt": [None, "p"]}), policy="canned:engine.jsonl", out="x")


def test_every_command_has_its_function_and_importing_loads_nothing_heavy():
    assert {pw.evaluate.__name__ if name == "eval" else getattr(pw, name).__name__ for name in COMMANDS}
    heavy = "[m for m in ('torch', 'pyarrow', 'transformers', 'polars', 'pydantic') if m in sys.modules]"
    code = f"import sys, pairwright as pw; print({heavy})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="has no attribute 'revize'"):
        _ = pw.revize


def test_the_notebook_runs_and_shows_its_results(here):
    notebook = nbformat.read(ROOT / "examples" / "in_a_notebook.ipynb", as_version=4)
    tiny = save_tiny_model(here / "tiny")
    settings = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", ()))
    settings.source = (
        f"PROMPTS, ENGINE, MODEL, OUT = 'prompts.jsonl', 'canned:engine.jsonl', {tiny!r}, 'runs'"
    )
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(here)}}).execute()
    shown = [
        output.get("data", {}).get("text/html", "")
        for cell in notebook.cells
        for output in cell.get("outputs", ())
    ]
    assert any("<td>kept</td>" in html for html in shown)
    assert any("A tree is" in html for html in shown)


def test_calls_of_several_threads_wait_for_one_another(here):
    """Standard output is the process's: each call has its own text, and none is lost afterwards."""
    before = sys.stdout
    rows = [{"prompt": "p"}]

    def preview(number: int) -> str:
        return pw.sample(rows, policy="canned:engine.jsonl", n=number, out=f"x{number}", preview=True).text

    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(preview, range(1, 9)))
    assert sys.stdout is before
    assert told == [preview(number) for number in range(1, 9)]
    assert all(told)
