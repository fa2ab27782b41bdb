"""Figures: counted right, the same wherever they are shown, and in one sentence when they cannot be had."""

import importlib.util
import json
import statistics
import time
from pathlib import Path

import pytest
from figures_toy import training
from in_process import run
from places import BENCHMARKS
from runs_on_disk import revise_config, rows_of, write_jsonl

from judge.calibration.calibration import load_calibration
from pairwright.figures.folder import figures_of
from pairwright.figures.rows import Prices
from pairwright.figures.spread import BINS, spread_of
from pairwright.figures.training import training_of
from pairwright.figures.words import in_words
from revise import revise


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    revise(revise_config(folder))
    return folder / "run"


def test_rows_are_counted_as_they_lie_on_the_disk(pairs):
    rows = figures_of(pairs).rows
    found = rows_of(pairs)
    assert rows.by_status == {"kept": 42, "no_change": 6, "truncated": 6, "unparsed": 6}
    assert next(iter(rows.by_status)) == "kept"
    assert sum(rows.by_status.values()) == rows.items == len(found) == 60
    kept = [row for row in found if "status" not in row]
    for name in ("edit_distance", "kept_share", "length_ratio"):
        spread = rows.measures[name]
        assert spread.median == pytest.approx(statistics.median(row[name] for row in kept))
        assert sum(spread.bins) == spread.rows == 42
    assert rows.prompts == 42
    assert rows.sources == {"clair": 42}
    assert rows.cost.completion_tokens == sum(row["completion_tokens"] for row in found)
    assert rows.verdicts is None


@pytest.mark.parametrize("name", ["run[12]", "x [1]*", "a?c"])
def test_a_folder_whose_name_is_a_pattern_is_that_folder(tmp_path, capfd, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for folder, count in (("run1", 5), (name, 3)):
        rows = [{"prompt": f"Q{n}?", "chosen": "Yes.", "rejected": "No."} for n in range(count)]
        write_jsonl(tmp_path / "rows.jsonl", rows)
        assert run(capfd, "merge", "rows.jsonl", "--out", folder)[0] == 0
    assert figures_of(Path(name)).rows.by_status == {"kept": 3}


def test_money_is_tokens_by_their_price(pairs):
    cost = figures_of(pairs, Prices(prompt=2.0, completion=10.0)).rows.cost
    assert cost.money == pytest.approx((2 * cost.prompt_tokens + 10 * cost.completion_tokens) / 1e6)
    assert cost.money_per_kept == pytest.approx(cost.money / 42)
    assert figures_of(pairs).rows.cost.money is None


def test_numbers_that_are_none_are_in_no_measure(tmp_path, capfd):
    margins = [0.2, float("nan"), 0.4, float("inf"), -float("inf"), None]
    rows = [
        {"prompt": f"Q{n}?", "chosen": "Yes.", "rejected": "No.", "margin": m}
        for n, m in enumerate(margins)
    ]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    assert run(capfd, "merge", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "merged"))[0] == 0
    spread = figures_of(tmp_path / "merged").rows.measures["margin"]
    assert (spread.rows, spread.mean, spread.median) == (2, pytest.approx(0.3), pytest.approx(0.3))
    assert run(capfd, "report", str(tmp_path / "merged"))[0] == 0


def test_bins_hold_their_lower_border_and_the_end_ones_what_lies_beyond():
    import numpy as np

    spread = spread_of("length_ratio", np.array([0.0, 0.1, 0.3, 0.7, 1.0, 2.0, 9.0]))
    places = {edge: n for edge, n in zip(spread.edges, spread.bins, strict=False) if n}
    assert {round(edge, 6): n for edge, n in places.items()} == {
        0: 1,
        0.1: 1,
        0.3: 1,
        0.7: 1,
        1.0: 1,
        1.9: 2,
    }
    assert (spread.p10, spread.median) == (pytest.approx(0.06), 0.7)
    shares = np.arange(21) / 20
    assert spread_of("kept_share", shares).bins == (*[1] * 19, 2)
    assert spread_of("margin", np.array([])) is None
    assert spread_of("margin", np.array([np.nan])) is None
    finite = spread_of("margin", np.array([np.nan, 0.25, np.inf, 0.75, -np.inf]))
    assert (finite.rows, finite.mean, sum(finite.bins)) == (2, 0.5, 2)


def test_verdicts_come_to_what_the_calibration_says(calibration):
    """Summed by polars here and in plain Python there, from the same rows."""
    said = load_calibration(calibration)
    found = figures_of(calibration)
    verdicts = found.rows.verdicts
    assert 0.6 < said.agreement.value < 1
    assert said.first_position.value > 0.55
    assert verdicts.chosen_preferred == pytest.approx(said.agreement.value)
    assert verdicts.consistent == pytest.approx(said.consistent.value)
    assert verdicts.first_position == pytest.approx(said.first_position.value)
    assert verdicts.outside_mass == pytest.approx(said.outside_mass, abs=1e-12)
    assert verdicts.calibration_error == pytest.approx(said.calibration_error)
    assert found.calibration["agreement"] == list(said.agreement)


def test_curves_are_the_lines_of_the_metrics(tmp_path):
    found = training_of(training(tmp_path / "model"))
    assert found.curves["loss"].steps == (1, 2)
    assert found.curves["loss"].values == (0.9, 0.7)
    assert found.held_out["loss"].values == (1.0, 0.8)
    assert not found.finished
    with (tmp_path / "model" / "metrics.jsonl").open("w") as file:
        file.write('{"step": 1, "loss": NaN, "grad_norm": Infinity}\n{"step": 2, "loss": 0.5}\n')
    assert {n: c.values for n, c in training_of(tmp_path / "model").curves.items()} == {"loss": (0.5,)}
    assert "epoch" not in found.curves


@pytest.mark.parametrize(
    ("chosen", "rejected", "said"),
    [
        (-3.1, -5.0, "chosen answers fell by 3.10 nats and rejected answers fell by 5.00 nats. Chosen fell "
                     "while the margin grew by 1.90 nats: the pairs push both answers down"),
        (0.02, -1.0, "chosen answers stayed where they were and rejected answers fell by 1.00 nats. The "
                     "margin grew by 1.02 nats without costing the chosen answers"),
        (2.0, 1.0, "Both rose and the margin grew by 1.00 nats"),
        (0.01, 0.0, "The margin hardly moved"),
        (-1.0, 1.0, "The margin shrank by 2.00 nats: the model learned the opposite"),
    ],
)  # fmt: skip
def test_what_happened_is_said_in_words(tmp_path, chosen, rejected, said):
    sentences = in_words(training_of(training(tmp_path / "model", chosen, rejected)))
    assert said in sentences
    assert sentences.startswith("On held-out pairs, ")


def test_a_reward_model_has_no_log_ratios_to_speak_of(tmp_path, capfd):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 0.5}\n')
    (tmp_path / "reward.json").write_text('{"human": {"accuracy": 0.62, "pairs": 40, "edges": [1, 2]}}')
    assert figures_of(tmp_path).in_words == ""
    shown = " ".join(run(capfd, "stats", str(tmp_path))[1].split())
    assert "│ human/accuracy │ 0.62 │" in shown


def test_rounds_are_read_whatever_their_fields_are_called(tmp_path):
    rounds = [
        {"round": 1, "pairs": 10, "win": {"rate": 0.5}, "note": "first", "seen": ["x"]},
        {"round": 2, "pairs": 12, "win": {"rate": None}, "note": "second"},
    ]
    write_jsonl(tmp_path / "table.jsonl", rounds)
    found = figures_of(tmp_path).rounds
    assert found.rounds == (1, 2)
    assert found.numbers == {"pairs": (10, 12), "win/rate": (0.5, None)}
    assert found.words == {"note": ("first", "second")}


def test_terminal_and_json_say_the_same(pairs, calibration, tmp_path, capfd):
    model = training(tmp_path / "model")
    for folder in (pairs, calibration, model):
        code, out, err = run(capfd, "stats", str(folder), "--json")
        assert (code, err) == (0, "")
        found = json.loads(out)
        assert found == json.loads(figures_of(folder).model_dump_json())
        shown = " ".join(run(capfd, "stats", str(folder))[1].split())
        for status, count in (found["rows"] or {"by_status": {}})["by_status"].items():
            assert f"{status} │ {count}" in shown
        for name, spread in (found["rows"] or {"measures": {}})["measures"].items():
            assert f"│ {name} │ {spread['median']:,.3g} │" in shown
        for name, curve in (found["training"] or {"curves": {}})["curves"].items():
            assert f"{curve['values'][-1]:,.4g}" in shown, name
        assert found["in_words"] in shown


def test_what_cannot_be_read_is_one_sentence(pairs, tmp_path, capfd):
    (tmp_path / "empty").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "metrics.jsonl").write_text("nonsense\n{}\n")
    for folder, said in (
        (tmp_path / "gone", "no such folder; name what a command wrote"),
        (tmp_path / "empty", "holds no figures: no run.json, no metrics.jsonl and no rounds in it"),
        (tmp_path / "model", "metrics.jsonl line 1: is not a line of metrics"),
    ):
        code, out, err = run(capfd, "stats", str(folder))
        assert (code, out, err.count("\n")) == (1 if "line 1" in said else 2, "", 1)
        assert said in err


def test_text_of_others_is_no_markup_in_the_terminal(tmp_path, capfd):
    (tmp_path / "winrate.json").write_text('{"win_rate": [0.625, 0.5, 0.75], "prompts": 40}')
    (tmp_path / "calibration.json").write_text('{"verdict": "[/red] \\u001b[31m[bold", "[x]": 1}')
    write_jsonl(tmp_path / "table.jsonl", [{"round": 1, "[/b]\x1b[31m": 2}])
    code, out, err = run(capfd, "stats", str(tmp_path))
    assert (code, err) == (0, "")
    assert "[/red] \\x1b[31m[bold" in out
    assert "│ win_rate │ 62.5% │ 50.0% – 75.0% │" in " ".join(out.split())
    assert "\x1b[31m" not in out


@pytest.mark.parametrize("harm", ["gone", "torn"])
def test_a_lost_or_damaged_shard_is_named(tmp_path, capfd, harm):
    revise(revise_config(tmp_path, rows=20))
    shard = tmp_path / "run" / "data" / "train-00000.parquet"
    if harm == "gone":
        shard.unlink()
    else:
        shard.write_bytes(shard.read_bytes()[:-900])
    code, out, err = run(capfd, "stats", str(tmp_path / "run"))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "run the command that made this folder again to restore it" in err


def test_a_run_that_kept_nothing_has_figures(tmp_path, capfd):
    config = revise_config(tmp_path, rows=20, min_kept_share=1.0, max_edit_distance=0.0)
    revise(config)
    rows = figures_of(tmp_path / "run").rows
    assert (rows.kept_rows, rows.measures, rows.cost.tokens_per_kept) == (0, {}, None)
    assert run(capfd, "stats", str(tmp_path / "run"))[0] == 0


def test_every_measure_has_bins_that_meet():
    for name, bins in BINS.items():
        assert len(bins.edges) == bins.number + 1, name
        assert bins.edges[-1] == pytest.approx(bins.high)


@pytest.mark.slow
def test_a_million_rows_take_seconds(tmp_path):
    path = BENCHMARKS / "stats_of_a_million.py"
    spec = importlib.util.spec_from_file_location("stats_of_a_million", path)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    benchmark.write_run(tmp_path / "run", 1_000_000)
    started = time.process_time()
    rows = figures_of(tmp_path / "run").rows
    assert rows.kept_rows == 666_666
    assert time.process_time() - started < 30
