"""`pairwright select`: rows in are rows out, each rule with its status, killed runs go on."""

import json
import os
import re
import signal
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from chat_styles import thinking_style
from forks import forked_call
from in_process import run
from runs_on_disk import rows_of
from tiny_model import TinyRun, save_tiny_model, write_jsonl

from pairwright.errors import UsageError
from pairwright.folders.manifest import load_manifest
from pairwright.inputs.pairs import read_pairs
from train.data.pairs import encode_pairs
from train.data.thoughts import with_thoughts
from train.selection import measuring
from train.selection.config import SelectConfig
from train.selection.selection import select
from train.training import train


def pair(number: int, chosen: str, rejected: str, **more: object) -> dict[str, object]:
    row = {"row_id": f"row{number}", "prompt": f"say {number}", "chosen": chosen, "rejected": rejected}
    return row | more


ROWS = [
    pair(0, "the sky is blue", "the sky is grey", margin=0.9, source="a"),
    pair(1, "yes", "no, " * 10, margin=0.1, source="a"),
    pair(2, "a tree", "a bush and a tree", margin=0.5, source="a"),
    pair(3, "water", "fire", margin=0.7, source="b"),
    pair(4, "the same", "the same", margin=0.7, source="b"),
    pair(5, "stone " * 20, "bread", margin=0.3, source="b"),
    pair(6, "cloud", "x" * 200, margin=0.2, source="b"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAIRWRIGHT_CACHE", str(tmp_path / "cache"))
    write_jsonl(tmp_path / "pairs.jsonl", ROWS)
    return tmp_path


def config(folder: Path, name: str = "out", **settings: object) -> SelectConfig:
    own = {"inputs": (str(folder / "pairs.jsonl"),), "out": str(folder / name)}
    return SelectConfig(**own | {"use_cpu": True, "bf16": False, "max_length": 150} | settings)


def statuses(folder: Path) -> dict[str, str]:
    """The status of every row by its id, as `run.json` counts them too."""
    found = {row["row_id"]: row.get("status", "kept") for row in rows_of(folder)}
    assert load_manifest(folder).counts == dict(Counter(found.values()))
    assert len(found) == len(ROWS)
    return found


def kept(folder: Path) -> list[dict]:
    return pl.read_parquet(folder / "data" / "*.parquet").to_dicts()


def test_pairs_are_measured_and_those_that_nobody_can_train_on_are_named(folder, model):
    select(config(folder, model=model))
    found = statuses(folder / "out")
    assert {n: s for n, s in found.items() if s != "kept"} == {"row4": "identical", "row6": "too_long"}
    [row] = [row for row in kept(folder / "out") if row["row_id"] == "row2"]
    assert (row["tokens_chosen"], row["tokens_rejected"]) == (7, 18)  # characters, and the end
    assert row["length_difference"] == -11
    assert row["surprise_chosen"] is None  # all of it stands in the other answer
    assert row["logp_chosen"] < 0
    assert (row["source"], row["margin"]) == ("a", 0.5)


def test_every_rule_takes_what_it_says_with_its_own_status_and_reason(folder, model):
    select(config(folder, model=model, max_length_difference=12, min_margin=0.4, max_ches_quantile=0.8))
    found = statuses(folder / "out")
    assert found["row1"] == found["row5"] == "low_margin"
    [highest] = [n for n, status in found.items() if status == "high_ches"]
    everything = pl.read_parquet(folder / "out" / "data" / "*.parquet")
    dropped = {row["row_id"]: row for row in rows_of(folder / "out") if row.get("status")}
    assert dropped[highest]["ches_normalized"] > everything["ches_normalized"].max()
    assert dropped["row1"]["reason"] == "`margin` 0.1 is below 0.4: --min_margin 0.4"
    record = json.loads((folder / "out" / "selection.json").read_text())
    assert (record["pairs"], record["kept"]) == (5, 5 - 2 - 1)
    taken = {rule["rule"]: rule["taken"] for rule in record["rules"]}
    assert taken == {
        "--max_ches_quantile 0.8": 1,
        "--min_margin 0.4": 2,
        "--max_length_difference 12": 2,
    }


def test_a_rule_may_weigh_in_place_of_dropping(folder, model):
    select(config(folder, min_margin=0.4, weight=0.25))
    weights = {row["row_id"]: row["weight"] for row in kept(folder / "out")}
    assert weights == {"row0": 1, "row1": 0.25, "row2": 1, "row3": 1, "row5": 0.25, "row6": 0.25}


def test_quotas_take_the_first_of_a_ranking_and_rows_are_written_in_an_order(folder, model):
    select(config(folder, rank_by="margin:desc", order_by="margin", max_per=("source:2",), top=3))
    assert [row["row_id"] for row in kept(folder / "out")] == ["row2", "row3", "row0"]
    found = statuses(folder / "out")
    assert {n: s for n, s in found.items() if s != "kept"} == {
        "row1": "over_cap",
        "row4": "identical",
        "row6": "over_cap",
        "row5": "not_top",
    }


def test_values_of_a_column_take_turns_and_a_budget_of_tokens_is_kept(folder, model):
    select(config(folder, rank_by="margin:desc", stratify="source", top=4))
    assert {row["row_id"] for row in kept(folder / "out")} == {"row0", "row2", "row3", "row5"}
    select(config(folder, "spent", tokenizer=model, rank_by="margin:desc", budget_tokens=90))
    rows = kept(folder / "spent")
    assert [row["row_id"] for row in rows] == ["row0", "row3"]
    counted = sum(row[f"tokens_{part}"] for row in rows for part in ("prompt", "chosen", "rejected"))
    assert counted <= 90
    assert statuses(folder / "spent")["row2"] == "over_budget"


def test_shares_of_a_mixture_are_kept_to_and_what_is_too_many_is_named(folder):
    select(config(folder, rank_by="margin:desc", shares="source:a=0.25"))
    found = statuses(folder / "out")
    assert Counter(row["source"] for row in kept(folder / "out")) == {"a": 1, "b": 3}
    assert (found["row0"], found["row1"], found["row2"]) == ("kept", "over_share", "over_share")
    select(config(folder, "all", rank_by="margin:desc", shares="source:a=0.5,b=0.5", top=2))
    assert {row["row_id"] for row in kept(folder / "all")} == {"row0", "row3"}


def test_the_report_says_what_each_rule_took_and_shows_both_ends(folder, capfd):
    rows = [*ROWS, pair(7, "<script>alert(1)</script>", "<b>no</b>", margin=0.95, source="<i>")]
    write_jsonl(folder / "pairs.jsonl", rows)
    select(config(folder, min_margin=0.4, rank_by="margin:desc", top=3))
    code, _, err = run(capfd, "report", str(folder / "out"), "--out", str(folder / "page.html"))
    assert (code, err) == (0, ""), err
    page = (folder / "page.html").read_text()
    assert re.search(r"<th>--min_margin 0.4</th><td>margin</td><td>0.4</td><td>3</td>", page)
    assert re.search(r"<th>--top 3</th><td>the order</td><td>–</td><td>1</td>", page)
    assert "Pairs at both ends of margin" in page
    assert "<script>alert(1)" not in page
    code, out, _ = run(capfd, "stats", str(folder / "out"))
    assert (code, "taken by --top 3" in out) == (0, True)
    write_jsonl(folder / "pairs.jsonl", [pair(n, "yes", "no") for n in range(3)])
    select(config(folder, "unmeasured", top=2))  # nothing was measured, so there is nothing to draw
    code, _, err = run(capfd, "report", str(folder / "unmeasured"), "--out", str(folder / "page.html"))
    assert (code, err) == (0, "")


def test_what_is_written_over_is_said_and_what_was_measured_is_used_without_a_model(folder, model, capfd):
    select(config(folder, model=model))
    capfd.readouterr()
    again = {"inputs": (str(folder / "out"),)}
    select(config(folder, "again", **again, rank_by="ches_normalized", top=2))
    assert capfd.readouterr().err == ""
    lowest = sorted(kept(folder / "out"), key=lambda row: row["ches_normalized"])[:2]
    assert {row["row_id"] for row in kept(folder / "again")} == {row["row_id"] for row in lowest}
    assert kept(folder / "again")[0].keys() == lowest[0].keys()
    select(config(folder, "anew", **again, tokenizer=model))
    assert "written anew: `tokens_prompt`, `tokens_chosen`" in capfd.readouterr().err


def test_near_repeats_are_dropped_for_the_one_that_ranks_first(folder):
    rows = [pair(n, "one two three four five six seven" + " eight" * n, "no", margin=n) for n in range(2)]
    rows = [row | {"prompt": "say all of it, and all of it again"} for row in rows]
    write_jsonl(folder / "pairs.jsonl", rows)
    select(config(folder, rank_by="margin:desc", near=0.7))
    assert [row["row_id"] for row in kept(folder / "out")] == ["row1"]


def test_the_implicit_margin_is_that_of_training_and_training_finds_its_reference(folder, model, capfd):
    own = TinyRun(folder, pairs=6)
    trained = train(own.config("trained", loss="dpo", max_steps=2, eval_share=0.0))
    settings = {"inputs": (own.settings["data"],), "ref_model": own.settings["model"], "beta": 1.0}
    select(config(folder, model=str(folder / "trained"), **settings))
    rows = kept(folder / "out")
    assert len(rows) == 6
    for row in rows:
        chosen, rejected = (
            row[f"logp_{side}"] - row[f"ref_logp_{side}"] for side in ("chosen", "rejected")
        )
        assert row["implicit_margin"] == pytest.approx(chosen - rejected)
    assert sum(row["implicit_margin"] for row in rows) > 0.1  # it was trained on them
    capfd.readouterr()
    train(own.config("again", reference_store="", max_steps=2, eval_share=0.0))
    assert "known from earlier runs: 6 of 6 pairs" in capfd.readouterr().err
    assert trained is not None


def test_a_killed_run_goes_on_and_measures_nothing_twice(folder, model, monkeypatch):
    monkeypatch.setattr(measuring, "CHUNK", 2)
    original = measuring._measured
    calls: list[list[str]] = []

    def counting(asked, pairs, budget):
        calls.append([p.row_id for p in pairs])
        return original(asked, pairs, budget)

    def killed() -> None:
        def deadly(asked, pairs, budget):
            if pairs[0].row_id == "row2":
                os.kill(os.getpid(), signal.SIGKILL)
            return original(asked, pairs, budget)

        measuring._measured = deadly
        select(config(folder, model=model, shard_size=2))

    forked_call(killed, None)
    assert not (folder / "out" / "data").exists()
    monkeypatch.setattr(measuring, "_measured", counting)
    select(config(folder, model=model, shard_size=2))
    assert calls == [["row2", "row3"], ["row5"]]
    select(config(folder, "whole", model=model, reference_store="none"))
    assert kept(folder / "out") == kept(folder / "whole")
    calls.clear()
    select(config(folder, model=model, shard_size=2))  # finished: it is left as it is
    assert calls == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_ches_quantile": 0.5}, "goes by `ches_normalized`, which no row has; give --model"),
        ({"order_by": "implicit_margin:desc"}, "--order_by goes by `implicit_margin`.*--ref_model"),
        ({"max_length_difference": 3}, "give --tokenizer or --model"),
        ({"max_per": ("topic:3",)}, "--max_per goes by `topic`, which no row has"),
        ({"rank_by": "source", "top": 1}, r"line 1: `source` is 'a'; --rank_by needs a number"),
        ({"min_margin": 2.0}, r"the rules leave none of 6 pairs; --min_margin 2 removes most, 6"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence_and_leaves_no_folder(folder, settings, said):
    with pytest.raises(UsageError, match=said):
        select(config(folder, **settings))
    assert not (folder / "out").exists()


def test_the_command_explains_and_refuses(folder, capfd):
    code, out, _ = run(capfd, "select", "--explain", "--max_ches_quantile", "0.5")
    assert (code, "2410.08847" in out, "OLMo" in out) == (0, True, False)
    code, out, _ = run(capfd, "select", "--explain")
    assert (code, out.count("\n--") + out.startswith("--")) == (0, 17)
    for argv, said in (
        ([], "name the pairs, and the folder to write"),
        (["--max_ches_quantile", "1"], "max_ches_quantile"),
        (["--max_per", "source"], "say COLUMN:N"),
        (["--shares", "source"], "say COLUMN:VALUE=SHARE"),
        (["--shares", "source:a=0.7,b=0.6"], "add up to more than 1"),
        (["--stratify", "source"], "give --top N or --budget_tokens N"),
        (["--min_margin", "2", "--max_margin", "1"], "no pair is between"),
        (["--ref_model", "smollm2"], "name that too, with --model"),
    ):
        code, _, err = run(capfd, "select", *argv)
        assert (code, err.count("\n"), said in err) == (2, 1, True), err
    unscored = write_jsonl(folder / "answers.jsonl", [{"prompt": "x", "completion": "y"}])
    code, _, err = run(capfd, "select", unscored, "--out", str(folder / "none"))
    assert (code, err.count("\n")) == (2, 1)
    assert "line 1: no `chosen`, so it is no pair" in err


THINKS = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}{% if m['role'] == 'assistant' %}"
    "{{ '<think>\\n' + (m.reasoning_content or '') + '\\n</think>\\n\\n' }}{% endif %}"
    "{{ m['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@pytest.mark.parametrize("reasoning", ["drop", "keep"])
def test_thoughts_count_as_a_training_takes_them(folder: Path, reasoning: str) -> None:
    """In the text between the template's marks, and in the columns of a run."""
    tokenizer = thinking_style(THINKS)
    save_tiny_model(folder / "tokenizer")
    tokenizer.save_pretrained(folder / "tokenizer")
    rows = [
        pair(0, "<think>\nso many words\n</think>\n\nyes", "no"),
        pair(1, "yes", "no", chosen_reasoning="as was said before", rejected_reasoning="hm"),
        pair(2, "yes", "not at all"),
    ]
    source = write_jsonl(folder / "pairs.jsonl", rows)
    select(config(folder, tokenizer=str(folder / "tokenizer"), reasoning=reasoning))
    read = with_thoughts(read_pairs([source], thoughts=True), tokenizer, reasoning)  # type: ignore[arg-type]
    trained, _ = encode_pairs(read, tokenizer, 150)
    written = rows_of(folder / "out")
    counted = {row["row_id"]: (row["tokens_chosen"], row["tokens_rejected"]) for row in written}
    assert len(counted) == 3
    assert counted == {p.row_id: (len(p.chosen_ids), len(p.rejected_ids)) for p in trained}
