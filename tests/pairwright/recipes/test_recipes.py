"""Recipes: every number has its source, every command is one that runs, small ones are run."""

import shlex
from pathlib import Path

import pytest
from in_process import run
from places import ROOT
from tiny_model import numbered_pairs, save_tiny_model, write_jsonl

from pairwright.cli import read_command
from pairwright.commands import COMMANDS
from pairwright.errors import UsageError
from pairwright.recipes.command import check
from pairwright.recipes.recipe import Command, filled, names, read_recipe


def given(name: str, value: str = "smollm2") -> dict[str, str]:
    """Something for all that has no default."""
    return {need: value for need, found in read_recipe(name).needs.items() if found.default is None}


def test_the_recipes_are_those_that_docs_list():
    page = (ROOT / "docs" / "recipes.md").read_text()
    assert {name for name in names() if f"| `{name}` |" in page} == set(names())
    assert len(names()) == 11


@pytest.mark.parametrize("name", names())
def test_every_number_has_its_source(name):
    recipe = read_recipe(name)
    assert recipe.sources
    for step in recipe.steps:
        for setting, found in step.settings.items():
            is_number = isinstance(found.value, int | float) and not isinstance(found.value, bool)
            assert found.source or not (is_number or isinstance(found.value, bool)), setting


@pytest.mark.parametrize("name", names())
def test_a_dry_run_shows_commands_that_the_command_line_takes(name, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = [f for n, value in given(name).items() for f in (f"--given.{n}", value)]
    code, out, err = run(
        capfd, "recipe", "run", name, *flags, "--out", "runs", "--scale", "0.01", "--dry_run"
    )
    assert (code, err) == (0, ""), err
    lines = [line for line in out.splitlines() if line.startswith("$ pairwright ")]
    assert len(lines) == len(read_recipe(name).steps)
    for line in lines:
        command, *rest = shlex.split(line)[2:]
        asked = read_command([command, *rest])
        assert asked is not None
        assert isinstance(asked[1], COMMANDS[command].config())
    assert list(tmp_path.iterdir()) == []


def test_small_runs_have_fewer_rows_and_pairs_and_the_published_rates():
    whole, small = (
        {c.name: c.settings for c in filled(read_recipe("olmo3_dpo"), given("olmo3_dpo"), "out", scale)}
        for scale in (1, 0.001)
    )
    assert (whole["deltas"]["limit"], small["deltas"]["limit"]) == (125000, 125)
    assert (whole["model"]["pairs_per_update"], small["model"]["pairs_per_update"]) == (128, 1)
    assert (small["model"]["beta"], small["model"]["learning_rate"]) == (5, 1e-6)
    assert small["pairs"]["inputs"] == ["out/deltas", "out/judged"]


def test_what_a_recipe_shows_has_numbers_beside_their_sources(capfd):
    code, out, _ = run(capfd, "recipe", "show", "smollm3_apo")
    assert code == 0
    assert "  --max_grad_norm 0.2   # max_grad_norm: 0.2" in out
    assert "times --scale" in out
    code, out, _ = run(capfd, "recipe", "list")
    assert (code, "tulu3_dpo" in out) == (0, True)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["show"], "which recipe? recipes are adversarial_apo, "),
        (["show", "olmo"], "no recipe 'olmo'; recipes are"),
        (["run", "clair_apo", "--out", "x"], "clair_apo needs --given.prompts: prompts to answer"),
        (
            ["run", "tulu3_dpo", "--given.pair", "x", "--out", "x"],
            "takes no `pair`; it takes model",
        ),
        (["run", "tulu3_dpo"], "--out: must be given"),
        (["cook", "tulu3_dpo"], "cook"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(argv, said, capfd):
    code, _, err = run(capfd, "recipe", *argv)
    assert (code, err.count("\n"), said in err) == (2, 1, True), err


def test_a_setting_that_a_command_refuses_is_named():
    wrong = {"model": "m", "data": ["d"], "output_dir": "o", "beta": -1}
    with pytest.raises(UsageError, match=r"model \(train\): beta: Input should be greater than 0"):
        check(Command(name="model", command="train", settings=wrong))


@pytest.mark.parametrize("name", ["tulu3_dpo", "smollm3_apo", "rpo_beta", "rpo_gemma"])
def test_recipes_that_train_run_small_and_are_not_run_again(name, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("PAIRWRIGHT_CACHE", str(tmp_path / "cache"))
    model = save_tiny_model(tmp_path / "tiny", max_position_embeddings=32768)
    pairs = write_jsonl(tmp_path / "pairs.jsonl", numbered_pairs(6))
    argv = [
        "--given.model",
        model,
        "--given.pairs",
        pairs,
        "--out",
        str(tmp_path / "runs"),
        "--scale",
        "0.01",
    ]
    code, _, err = run(capfd, "recipe", "run", name, *argv)
    assert code == 0, err
    assert (tmp_path / "runs" / "model" / "model.safetensors").exists()
    code, _, err = run(capfd, "recipe", "run", name, *argv)
    assert code == 0, err


def test_recipes_that_make_pairs_run_small(tmp_path, capfd, monkeypatch):
    """Delta learning, OLMo 3 and CLAIR, with canned engines in the place of most models."""
    monkeypatch.setenv("PAIRWRIGHT_CACHE", str(tmp_path / "cache"))
    model = save_tiny_model(tmp_path / "tiny", max_position_embeddings=32768)
    prompts = write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": f"Is {n} a number?"} for n in range(2)])

    def canned(name: str, text: str) -> str:
        return f"canned:{write_jsonl(tmp_path / f'{name}.jsonl', [{'text': text}])}"

    strong, weak = canned("strong", "Yes, it is one."), canned("weak", "No, it is none.")
    revised = canned("revised", "<rationale>wrong</rationale>\n<revision>Yes, it is one.</revision>")
    four = ",".join([strong, weak, canned("third", "Yes."), canned("fourth", "It may be a number.")])
    (tmp_path / "judge.py").write_text("def score(prompt, answer, row):\n    return len(answer) / 100\n")
    judge = f"{tmp_path}/judge.py:score"
    mine = {"model": model, "prompts": prompts}
    for name, own in {
        "delta_learning": {"weak": strong, "weaker": weak},
        "olmo3_dpo": {"strong": strong, "weak": f"hf:{model}", "four": four, "judge": judge},
        "clair_apo": {"policy": weak, "reviser": revised},
    }.items():
        flags = [part for n, value in (mine | own).items() for part in (f"--given.{n}", value)]
        out = tmp_path / name
        code, _, err = run(capfd, "recipe", "run", name, *flags, "--out", str(out), "--scale", "0.01")
        assert code == 0, (name, err)
        assert Path(out, "model", "model.safetensors").exists()
