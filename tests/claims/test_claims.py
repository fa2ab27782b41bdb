"""What the losses do: the exact claims in full, and every script of a trained one in miniature."""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType

import pytest
from places import CLAIMS
from tiny_model import save_tiny_model

Script = Callable[..., list[str]]


@pytest.fixture
def claim(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A module of the claims, by name: the scripts import each other as scripts do."""
    monkeypatch.syspath_prepend(str(CLAIMS))
    return importlib.import_module


@pytest.fixture
def script(claim, monkeypatch, capsys) -> Script:
    """Run a script; returns what it printed, by lines."""

    def run(name: str, *argv: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", [name, *argv])
        claim(name).main()
        return capsys.readouterr().out.splitlines()

    return run


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny_model(tmp_path_factory.mktemp("model"))


def test_at_the_same_gap_losses_leave_the_chosen_answer_in_this_order(claim):
    toy = claim("displacement_toy")
    found = [toy.displacement(**settings) for settings in toy.SETTINGS.values()]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0 > found[1]  # RPO's largest weight holds the chosen answer up, the others do not
    assert found[-1] < found[-2] - toy.GAP  # APO-down lowers it on purpose


def test_apo_down_settles_where_the_rejected_fell_twice_as_far(claim):
    ratios = [ratio for _, ratio in claim("displacement_toy").slow_manifold()]
    assert ratios == sorted(ratios, reverse=True)
    assert 2.0 < ratios[-1] < 2.15


def test_smoothed_labels_of_apo_zero_are_a_smaller_step(claim):
    assert claim("noise").smoothing_error() < 1e-12


def test_the_sum_is_the_mean_where_answers_are_of_one_length_and_favours_long_ones_elsewhere(claim):
    pulls = claim("sum_or_mean").pulls
    total, mean = pulls([14, 14])
    assert total == pytest.approx(mean, rel=1e-12)
    total, mean = pulls([14, 42])
    assert total[0] == total[1]  # each token alike, so the long answer counts three times
    assert mean[0] == pytest.approx(3 * mean[1])  # each answer alike


def test_cutting_a_batch_changes_trls_sft_term_and_not_ours(script, model):
    pytest.importorskip("trl")
    lines = script("micro_batches", "--tokenizer", model)
    rows = {name: list(map(float, cells)) for name, *cells in (cells_of(line) for line in lines[2:])}
    assert max(rows["TRL, DPO"]) < 1e-4
    assert max(rows["pairwright, DPO"] + rows["pairwright, DPO and SFT"]) < 1e-5
    assert min(rows["TRL, DPO and SFT"][1:]) > 0.05


SMALL = ("--updates", "3", "--pairs_per_update", "2", "--held_out", "4", "--learning_rate", "3e-3")


@pytest.mark.parametrize(
    ("name", "picture", "more"),
    [
        ("chosen_sinks", "chosen_sinks.png", ("--own",)),
        ("anchors", "anchors-0.1.png", ()),
        ("sft_term", "sft_term-similar.png", ("--etas", "0,0.5")),
        ("sum_or_mean", "sum_or_mean.png", ()),
        ("noise", "noise.png", ()),
    ],
)
def test_scripts_train_once_and_draw(name, picture, more, script, model, tmp_path):
    where = ("--model", model, "--cache", str(tmp_path / "cache"), "--plots", str(tmp_path / "plots"))
    first = script(name, *SMALL, *where, "--seeds", "1", *more)
    assert any(line.startswith("training ") for line in first)
    assert [line for line in first if line.startswith("| ")]
    assert [path.name for path in (tmp_path / "plots").iterdir()] == [picture]
    again = script(name, *SMALL, *where, "--seeds", "1", *more)
    assert again == [line for line in first if not line.startswith("training ")]
    left = {path.name for path in (tmp_path / "cache").iterdir() if path.suffix != ".json"}
    assert left == {"reference"}  # weights are thrown away


def test_how_far_both_sides_fell_is_said_of_every_evaluation(script, model, tmp_path):
    where = ("--model", model, "--cache", str(tmp_path))
    lines = script("anchors", *SMALL, *where, "--seeds", "2", "--independent")
    rows = [cells_of(line) for line in lines if line.startswith(("| 0", "| 1"))]
    assert [row[:2] for row in rows] == [[seed, step] for seed in "01" for step in "123"]
    for _, _, chosen, rejected, ratio in rows:
        assert float(ratio) == pytest.approx(float(rejected) / float(chosen), abs=0.1)


def test_held_out_answers_are_never_trained_on(claim):
    trained = claim("trained")
    for pairs in trained.PAIRS:
        training, held_out = trained.pairs_of(trained.Setting(pairs=pairs))
        seen = {str(row["chosen"]) for row in training}
        assert held_out
        assert not seen & {str(row["chosen"]) for row in held_out}
        assert not {str(row["prompt"]) for row in training} & {str(row["prompt"]) for row in held_out}


def test_what_is_said_of_a_gap_is_read_off_between_evaluations(claim):
    import numpy as np

    trained, matched = claim("trained"), claim("matched")
    chosen = np.array([[0.0, 0.0], [-1.0, -3.0], [-2.0, -8.0]])
    rejected = chosen - np.array([0.0, 2.0, 6.0])[:, None]
    steps, tokens = np.array([0, 4, 8]), np.array([5, 5])
    run = trained.Curves(steps, chosen, rejected, tokens, np.array(["number", "fact"]))
    assert matched.at_gap([run], 1.0).tolist() == [[-0.5, -1.5]]
    assert matched.at_gap([run], 4.0).tolist() == [[-1.5, -5.5]]
    with pytest.raises(ValueError, match=r"the largest gap was 6, not 6\.5"):
        matched.at_gap([run], 6.5)
    found = matched.estimate(np.array([[1.0, 1.0], [1.0, 1.0], [-0.5, -0.5]]))
    assert (found.mean, found.alike, found.seeds) == (0.5, 2, 3)
    assert (found.low, found.high) == (-0.5, 1.0)


def cells_of(line: str) -> list[str]:
    return line.strip("| ").split(" | ")
