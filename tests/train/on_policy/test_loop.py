"""The loop: rounds as folders of ordinary runs, what ends it, resuming, references."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from alive import models_in_memory
from in_process import run
from loop_toy import LoopToy
from places import SUPPORT

from judge.comparison.command import load_winrate
from pairwright.errors import PairwrightError
from pairwright.folders.journal import JOURNAL, Journal
from pairwright.folders.manifest import load_manifest
from pairwright.folders.shards import read_tables
from pairwright.stages.budget import BudgetSpent
from train.on_policy.config import LoopLookConfig
from train.on_policy.loop import loop
from train.on_policy.steps import COMMANDS, Commands
from train.on_policy.stop import reason_to_stop


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> LoopToy:
    return LoopToy(tmp_path_factory.mktemp("loop"))


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [row for table in read_tables(folder) for row in table.to_pylist()]


def trained(folder: Path, number: int) -> dict[str, Any]:
    return dict(json.loads((folder / f"round-{number}" / "model" / "train.json").read_text()))


def test_rounds_are_folders_of_ordinary_runs_and_the_table_grows(toy, capfd):
    table = loop(toy.config("rounds"))
    folder = toy.folder / "rounds"
    for number in (1, 2):
        here = folder / f"round-{number}"
        stages = {name: load_manifest(here / name).stage for name in ("answers", "judged", "winrate")}
        assert stages == {"answers": "sample", "judged": "judge", "winrate": "winrate"}
        pairs = rows_of(here / "judged")
        assert {row["source"] for row in pairs} == {"on_policy_judge"}
        asked = {row["prompt"][0]["content"] for row in pairs}
        looked_at = {row["prompt"][0]["content"] for row in rows_of(here / "samples")}
        assert not asked & looked_at
        assert table[number]["pairs"] == len(pairs)
        assert table[number]["kept_share"] == len(pairs) / load_manifest(here / "judged").items
        assert table[number]["win_rate"] == load_winrate(here / "winrate").win_rate.value
    assert trained(folder, 1)["config"]["model"] == toy.settings["model"]
    assert trained(folder, 2)["config"]["model"] == str(folder / "round-1" / "model")
    assert [row["round"] for row in table] == [0, 1, 2]
    assert table[0]["win_rate"] == 0.5
    assert table[1]["contradictions"] == 0  # a reward model sees no order
    assert {"logratios/chosen", "logratios/rejected", "logratios/chosen_rose"} <= table[1].keys()
    assert [json.loads(line) for line in (folder / "table.jsonl").read_text().splitlines()] == table
    assert (folder / "loop.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "table.md").read_text().count("\n") == 5
    capfd.readouterr()
    assert loop(toy.config("rounds")) == table
    assert "all 2 rounds are done" in capfd.readouterr().err
    code, out, _ = run(capfd, "stats", str(folder))
    assert code == 0
    [line] = [line for line in out.splitlines() if "│ win_rate " in line]
    assert f"{table[2]['win_rate']:,.4g}" in line
    page = toy.folder / "report.html"
    assert run(capfd, "report", str(folder), "--out", str(page))[0] == 0
    assert "win_rate" in page.read_text()


def test_the_judge_is_pleased_more_often_than_at_the_start(toy):
    """The reward model likes `a`; two rounds of on-policy pairs make the model write more of them."""
    table = loop(toy.config("rounds"))
    assert max(row["win_rate"] for row in table[1:]) > 0.6
    assert table[1]["logratios/difference_mode"] > 0


def test_revisions_and_both(toy):
    gates = {"min_kept_share": 0, "max_edit_distance": 1}
    revise = {"reviser": f"canned:{toy.reviser}", "reply": "bare", **gates}
    revising: dict[str, Any] = {"revise": revise, "rounds": 1}
    both = loop(toy.config("both", pairs="both", **revising))
    here = toy.folder / "both" / "round-1"
    kept = [load_manifest(here / name).counts["kept"] for name in ("judged", "revised")]
    assert both[1]["pairs"] == sum(kept)
    assert trained(toy.folder / "both", 1)["config"]["data"] == [
        str(here / n) for n in ("judged", "revised")
    ]
    alone = loop(toy.config("alone", pairs="revise", judge={"judge": None}, **revising))
    assert alone[1].get("win_rate") is None
    assert not (toy.folder / "alone" / "round-1" / "judged").exists()
    assert not (toy.folder / "alone" / "round-1" / "winrate").exists()


def test_held_out_prompts_are_answered_once_where_a_verifier_alone_measures(toy):
    """The measures of answers are then those of the answers that were verified."""
    revise = {
        "reviser": f"canned:{toy.reviser}",
        "reply": "bare",
        "min_kept_share": 0,
        "max_edit_distance": 1,
    }
    verified = {"verify": "check:length(max_words=3)", "max_tokens": 12, "batch_size": 64}
    none = {"judge": None}
    config = toy.config("verified", pairs="revise", judge=none, revise=revise, rounds=1, eval=verified)
    table = loop(config)
    for row in table:
        here = toy.folder / "verified" / f"round-{row['round']}"
        assert not (here / "samples").exists()
        answered = [r for r in rows_of(here / "eval") if r["completion"][0]["content"].strip()]
        words = [len(r["completion"][0]["content"].split()) for r in answered]
        assert row["words"] == sum(words) / len(words)
        ended = sum(r["finish_reason"] == "stop" for r in answered)
        assert row["finished"] == ended / len(rows_of(here / "eval"))
        assert (row["answers"], row["pass_rate"] is not None) == (len(answered), True)


def test_the_reference_is_the_start_of_the_round_or_of_the_loop(toy):
    loop(toy.config("rounds"))
    initial = loop(toy.config("initial", reference="initial"))
    folder = toy.folder / "initial"
    assert trained(folder, 1)["config"]["ref_model"] is None
    assert trained(folder, 2)["config"]["ref_model"] == toy.settings["model"]
    assert trained(folder, 2)["config"]["model"] == str(folder / "round-1" / "model")
    lines = (folder / "round-2" / "model" / "metrics.jsonl").read_text().splitlines()
    start = next(json.loads(line) for line in lines if json.loads(line)["step"] == 0)
    assert abs(start["eval_logratios/difference_mode"]) > 1e-3  # it has already left its reference
    lines = (toy.folder / "rounds" / "round-2" / "model" / "metrics.jsonl").read_text().splitlines()
    start = next(json.loads(line) for line in lines if json.loads(line)["step"] == 0)
    assert start["eval_logratios/difference_mode"] == pytest.approx(0, abs=1e-4)
    assert initial[2]["logratios/chosen"] != initial[1]["logratios/chosen"]


def watched(before: Callable[[str], None]) -> Commands:
    """The loop's commands, each told of before it begins."""

    def wrapped(name: str, command: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def run(config: Any) -> Any:
            before(name)
            return command(config)

        return run

    return Commands(**{name: wrapped(name, command) for name, command in COMMANDS._asdict().items()})


def test_no_model_is_in_memory_when_a_step_begins(toy):
    alive: list[tuple[str, int]] = []
    others = {id(model) for model in models_in_memory()}  # of other tests

    def look(name: str) -> None:
        models = {id(model) for model in models_in_memory()}
        alive.append((name, len(models - others)))

    loop(toy.config("watched", rounds=1), watched(look))
    assert {name for name, _ in alive} == {"sample", "judge", "train", "winrate"}
    assert [step for step in alive if step[1]] == []


def test_a_loop_cut_short_anywhere_ends_in_the_same_table(toy):
    whole = loop(toy.config("rounds"))
    for at in range(5):  # one step more is done each time, the fewer are called
        called: list[str] = []

        def lights_out(name: str, called: list[str] = called, at: int = at) -> None:
            called.append(name)
            if len(called) == at + 1:
                raise PairwrightError("the lights went out")

        with pytest.raises(PairwrightError, match="the lights went out"):
            loop(toy.config("cut"), watched(lights_out))
    assert loop(toy.config("cut")) == whole


def test_a_budget_holds_over_all_rounds_and_a_larger_one_goes_on(toy):
    whole = loop(toy.config("rounds"))
    used = tokens_of(toy.folder / "rounds")
    for share in (0.1, 0.6):
        most = int(share * used)
        with pytest.raises(BudgetSpent, match=f"of --budget.max_tokens_total {most:,}, over all rounds"):
            loop(toy.config("limited", budget={"max_tokens_total": most}))
        in_flight = 8 * 64 * 20  # answers that were being given when it was spent
        assert most <= tokens_of(toy.folder / "limited") <= min(most + in_flight, used)
    assert loop(toy.config("limited", budget={"max_tokens_total": 2 * used})) == whole
    assert tokens_of(toy.folder / "limited") == used


def tokens_of(folder: Path) -> int:
    found = 0
    for path in folder.rglob(JOURNAL):
        with Journal(path) as journal:
            found += sum(c.prompt_tokens + c.completion_tokens for c in journal.completions())
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "sampler"), [(3, "hf"), (25, "hf"), (200, "stand_in")])
def test_a_killed_loop_ends_in_the_same_table(tmp_path, kills, sampler):
    """With `stand_in`, semi-online; nothing of what stands in vLLM's place is left, however it died."""
    ends_in_the_same_table(tmp_path, kills, sampler)
    alive = [process.info["cmdline"] or () for process in psutil.process_iter(["cmdline"])]
    assert not [words for words in alive if str(tmp_path / "python") in words]


KILLS = int(os.environ.get("PAIRWRIGHT_KILLS", "10"))


@pytest.mark.vllm
@pytest.mark.timeout(600 + 60 * KILLS)
def test_a_killed_loop_over_a_real_vllm_ends_in_the_same_table(tmp_path):
    ends_in_the_same_table(tmp_path, KILLS, "vllm")


def ends_in_the_same_table(tmp_path, kills, sampler):
    script = SUPPORT / "kill_loop.py"
    command = [sys.executable, str(script), str(tmp_path), str(kills), sampler]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) == kills
    tables = [(tmp_path / name / "table.jsonl").read_text() for name in ("golden", "killed")]
    assert tables[0] == tables[1]
    assert tokens_of(tmp_path / "killed") == tokens_of(tmp_path / "golden")


def test_it_stops_when_the_win_rate_falls_and_says_so_again(toy, capfd):
    """A judge that never likes what training does: wins are judged by a model of the other taste."""
    config = toy.config("stopped", winrate={"judge": f"reward:{toy.contrary}"}, rounds=3)
    capfd.readouterr()
    table = loop(config)
    said = capfd.readouterr().err
    assert len(table) < 4
    assert "stopped after round" in said
    assert "the win rate against the start fell to" in said
    assert loop(config) == table
    assert "the win rate against the start fell to" in capfd.readouterr().err
    assert not (toy.folder / "stopped" / "round-3").exists()


START = {"round": 0, "win_rate": 0.5}


def won(number: int, rate: float, low: float, high: float) -> dict[str, float]:
    from_best = {"win_rate_from_best": (low + high) / 2, "win_rate_from_best_low": low}
    return {"round": number, "win_rate": rate, **from_best, "win_rate_from_best_high": high}


def contrary(number: int, share: float, verdicts: int) -> dict[str, float]:
    return {"round": number, "contradictions": share, "verdicts": verdicts}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([START], None),
        ([START, won(1, 0.46, -0.07, -0.01)], None),  # clear, and not far
        ([START, won(1, 0.4, -0.21, 0.01)], None),  # far, and not clear
        (
            [START, won(1, 0.44, -0.11, -0.01)],
            "fell to 0.440 in round 1, from 0.500 of the start, the best so far (-11.0 to -1.0 points",
        ),
        (
            [START, won(1, 0.7, 0.1, 0.3), won(2, 0.6, -0.19, -0.01)],
            "fell to 0.600 in round 2, from 0.700 of round 1",
        ),
        ([{"round": 0}, {"round": 1}], None),
        ([START, contrary(1, 0.2, 500), contrary(2, 0.3, 500)], None),
        # Wilson's 10.5 to 34.8 % and 26.4 to 55.4 %: at least 0.2 - √(0.136² + 0.148²) = -0.001
        ([START, contrary(1, 0.2, 40), contrary(2, 0.4, 40)], None),
        # 11.2 to 33.0 % and 27.6 to 53.8 %: at least 0.2 - √(0.124² + 0.130²) = 0.020
        (
            [START, contrary(1, 0.2, 50), contrary(2, 0.4, 50)],
            "contradicts itself on 40% of pairs in round 2, 20% in round 1",
        ),
    ],
)
def test_reasons_to_stop(rows, sentence):
    found = reason_to_stop(rows, LoopLookConfig())
    assert (found is None) == (sentence is None)
    assert sentence is None or sentence in str(found)
