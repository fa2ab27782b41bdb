"""The demo, whole, with a tiny random model: what it runs and shows, and that it goes on where it was."""

from pathlib import Path

import pytest
from in_process import run
from places import ROOT
from runs_on_disk import write_jsonl
from tiny_model import save_tiny_model

from pairwright.cli.demo import DemoConfig, commands_of
from pairwright.cli.demo_outcome import gain_in_words


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder of examples with a few prompts, and a tiny model."""
    folder = tmp_path_factory.mktemp("demo")
    babbling = "\n\ndef says_something(prompt, answer):\n    return True\n"
    (folder / "checks.py").write_text((ROOT / "examples" / "checks.py").read_text() + babbling)
    asked = [
        {
            "prompt": f"Say {n}. {request}",
            "plain": f"Say {n}.",
            "form": form,
            "value": value,
        }
        for n in range(6)
        for request, form, value in (
            ("Quote.", "quotes", ""),
            ("Begin with So,", "opening", "So,"),
        )
    ]
    write_jsonl(folder / "demo_prompts.jsonl", asked)
    write_jsonl(
        folder / "demo_held_out.jsonl", [row | {"prompt": f"Now: {row['prompt']}"} for row in asked[:4]]
    )
    return folder, save_tiny_model(folder / "tiny")


def test_the_demo_measures_before_and_after_and_is_resumed(finished, tmp_path, capfd):
    examples, tiny = finished
    argv = ("demo", str(examples), "--model", tiny, "--n", "2", "--out", str(tmp_path / "demo"))
    code, first, err = run(capfd, *argv)
    assert code == 0, err
    shown = " ".join(first.split())
    assert "Pass rate on 4 held-out prompts:" in shown
    assert "Answers with a form that nobody asked for, of" in shown
    assert "log-ratio of chosen answers in held-out pairs" in shown
    assert "failed: The answer must" in shown
    for command in commands_of(DemoConfig(examples=examples, model=tiny, n=2, out=tmp_path / "demo")):
        assert f"$ pairwright {command[0]} " in first
    weights = tmp_path / "demo" / "model" / "model.safetensors"
    written = weights.stat().st_mtime_ns
    code, again, err = run(capfd, *argv)
    assert code == 0, err
    assert weights.stat().st_mtime_ns == written
    assert again[again.index("Pass rate on") :].split(" s in all")[0].rsplit(" · ", 1)[0] in first
    page = (tmp_path / "demo" / "report.html").read_text()
    assert "Pass rate" in page or "pass rate" in page


def test_a_missing_file_is_named(tmp_path, capfd):
    code, _, err = run(capfd, "demo", str(tmp_path), "--out", str(tmp_path / "demo"))
    assert code == 2
    assert f"{tmp_path}/demo_prompts.jsonl: no such file" in err


def test_the_gain_in_words_has_its_interval_and_the_leak():
    def measures(before: float, after: float, difference: list[float]) -> list[dict[str, list[float]]]:
        return [{"pass_rate": [before, 0, 1]}, {"pass_rate": [after, 0, 1], "difference": difference}]

    asked = {"prompts": 120, "models": measures(0.05, 0.3, [0.25, 0.17, 0.33])}
    unasked = {"prompts": 40, "models": measures(1.0, 0.95, [-0.05, -0.125, 0.0])}
    assert gain_in_words(asked, unasked) == (
        "Pass rate on 120 held-out prompts: 5.0% → 30.0%, +25.0 points (95 % interval +17.0 to +33.0).\n"
        "Answers with a form that nobody asked for, of 40: 0.0% → 5.0%."
    )
