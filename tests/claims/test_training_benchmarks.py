"""The benchmarks of training run in miniature, and what they compare is the same."""

import importlib.util
import sys

import pytest
from places import BENCHMARKS
from tiny_model import TinyRun


def run(monkeypatch, capsys, name: str, *arguments: str) -> str:
    """What a benchmark prints."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)  # where processes that it starts find it
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    monkeypatch.syspath_prepend(BENCHMARKS)
    spec.loader.exec_module(module)
    module.main()
    return capsys.readouterr().out


def test_a_sweep_asks_the_reference_once_here_and_every_time_there(monkeypatch, capsys, tmp_path):
    tiny = TinyRun(tmp_path, pairs=8)
    settings = ["--pairs", tiny.settings["data"], "--model", tiny.settings["model"], "--limit", "8"]
    out = run(monkeypatch, capsys, "reference_store", *settings, "--pairs_per_update", "8")
    lines = [line for line in out.splitlines() if line.startswith("beta")]
    asked = [[int(part.split()[0]) for part in line.split("asked on ")[1:]] for line in lines]
    assert asked == [[8, 8], *[[4, 8]] * 4]
    assert "ratio: " in out


def test_costs_are_plotted_as_things_grow(monkeypatch, capsys, tmp_path):
    settings = ["--rounds", "1", "--shrink", "64", "--out", str(tmp_path / "plot.png")]
    out = run(monkeypatch, capsys, "scaling", *settings)
    assert len(out.splitlines()) == 13
    assert (tmp_path / "plot.png").stat().st_size > 5000


@pytest.mark.slow
def test_losses_and_gradients_are_those_of_trl(monkeypatch, capsys, tmp_path):
    tiny = TinyRun(tmp_path, pairs=8)
    settings = ["--pairs", tiny.settings["data"], "--model", tiny.settings["model"], "--rounds", "1"]
    out = run(monkeypatch, capsys, "train_vs_trl", *settings, "--pairs_per_update", "4", "--limit", "8")
    found = [line.split() for line in out.splitlines() if "difference" in line]
    assert len(found) == 4
    assert all(float(value) < 1e-4 for _, value in found)
