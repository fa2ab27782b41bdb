"""The loop's settings: those of its commands in sections, what is refused, what moved, what is shown."""

from pathlib import Path
from typing import Any

import pytest
from in_process import run
from loop_toy import LoopToy
from places import ROOT
from tiny_model import write_jsonl

import pairwright as pw
from pairwright.cli import read_command
from pairwright.errors import UsageError
from train.on_policy.config import LoopConfig
from train.on_policy.loop import loop
from train.on_policy.steps import Steps


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> LoopToy:
    return LoopToy(tmp_path_factory.mktemp("loop"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"judge": {"judge": None}}, "--pairs judge: give --judge.judge"),
        ({"pairs": "both"}, "--pairs both: give --revise.reviser"),
        ({"sample": {"n": 1}}, "a comparison needs two answers"),
        ({"sample": {"temperature": 0}}, "all answers to a prompt equal"),
        ({"train": {"loss": "rejection_sampling"}}, "learns from scored answers, and a loop makes pairs"),
        (
            {"train": {"loss": "ipo", "label_smoothing": 0.1}},
            "label_smoothing is for dpo, dpo_norm, .* only, not for ipo: its squared",
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused(toy, changes, sentence):
    with pytest.raises(UsageError, match=sentence):
        toy.config(**changes)


def test_what_cannot_be_used_is_a_sentence_and_nothing_is_written(toy, tmp_path):
    one = write_jsonl(tmp_path / "one.jsonl", [{"prompt": "a"}])
    for changes, sentence in (
        ({"prompts": one}, "1 prompts, all of them held out"),
        ({"prompts": "gone.jsonl"}, r"gone\.jsonl: no such file"),
        ({"model": "./gone"}, "no such folder"),
        ({"judge": {"judge": "hf:./gone"}}, "no such folder"),
        ({"pairs": "both", "revise": {"reviser": "canned:gone.jsonl"}}, r"no such file: gone\.jsonl"),
        ({"judge": {"judge": "hf:smollm2", "judge_template": "gone"}}, "gone: no such template"),
        (
            {"judge": {"protocol": "score", "judge": "hf:smollm2,hf:smollm2"}},
            "--judge.judge hf:.* named twice",
        ),
        (
            {"sample": {"engine": {"max_model_len": "64"}}},
            "--sample.engine.max_model_len: settings of vLLM",
        ),
        (
            {"judge": {"min_agreement": 0.6}},
            r"--judge\.min_agreement: .* name its folder with --judge\.calib",
        ),
        ({"winrate": {"judge": "check:math", "calibration": "gone"}}, r"gone: no calibration\.json here"),
        ({"budget": {"max_cost": 3}}, "--budget.max_cost and --budget.price_file need each other"),
    ):
        with pytest.raises(UsageError, match=sentence):
            loop(toy.config("never", **changes))
        assert not (toy.folder / "never").exists()


def test_another_loop_is_refused_by_the_name_of_its_setting(toy):
    loop(toy.config("begun", rounds=1))
    for changes, named in (
        ({"sample": {"n": 2}}, "`sample.n` was 3 and is now 2"),
        ({"judge": {"min_margin": 0.2}}, "`judge.min_margin` was 0.0 and is now 0.2"),
        ({"train": {"beta": 0.3}}, "`train.beta` was 0.1 and is now 0.3"),
        ({"winrate": {"aspects": "style:1"}}, "`winrate.aspects` was"),
        ({"eval": {"verify": "check:math"}}, "`eval verifier model` was None"),
        ({"eval_limit": 3}, "`eval_limit` was 200 and is now 3"),
    ):
        with pytest.raises(UsageError, match=f"belongs to a loop with other settings: {named}"):
            loop(toy.config("begun", rounds=1, **changes))


def test_settings_of_the_commands_pass_through(toy):
    config = toy.config(
        train={"loss": "ipo", "beta": 0.3},
        judge={"reasoning_tokens": 7, "min_label_mass": 0.2},
        revise={"reviser": "hf:smollm2", "min_length_ratio": 0.9, "edit_unit": "sentence", "retry": False},
    )
    steps = Steps(config, Path("loop"), 2)
    training = steps.training(("d",))
    assert (training.loss, training.beta, training.learning_rate) == ("ipo", 0.3, 3e-3)
    assert training.model == "loop/round-1/model"
    assert (steps.judging.reasoning_tokens, steps.judging.min_label_mass) == (7, 0.2)
    revising = steps.revising
    assert (revising.min_length_ratio, revising.edit_unit, revising.retry) == (0.9, "sentence", False)
    assert {revising.device, steps.answering.device, steps.comparing.device} == {"cpu"}
    placed = Steps(toy.config(judge={"device": "cuda:1"}), Path("loop"), 1)
    assert (placed.judging.device, placed.answering.device) == ("cuda:1", "cpu")


def test_what_a_preset_stands_for_passes_through(toy):
    preset = toy.config(train={"loss": None, "preset": "rpo_mean"})
    training = Steps(preset, Path("loop"), 1).training(("d",))
    assert (training.loss, training.beta, training.sft_weight) == ("dpo", 0.5, 0.2)


def test_rounds_are_compared_as_pairs_are_judged_unless_something_else_is_said(toy):
    config = toy.config(judge={"judge": "hf:smollm2", "protocol": "score", "min_margin": 0.3})
    assert (config.winrate.judge, config.winrate.protocol) == ("hf:smollm2", "score")
    assert config.winrate.min_margin == 0.3
    other = toy.config(
        judge={"judge": "hf:smollm2", "protocol": "score"}, winrate={"judge": "reward:x", "agree": "all"}
    )
    assert (other.winrate.judge, other.winrate.protocol) == ("reward:x", None)  # is not asked in words
    assert other.winrate.agree == "all"
    assert LoopConfig.model_validate(other.model_dump(mode="json")) == other


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("hf", "hf:{place}"),
        ("vllm", "vllm:{place}"),
        ("openai:{model}@http://localhost:1/v1", "openai:{place}@http://localhost:1/v1"),
    ],
)
def test_the_rounds_model_answers_in_any_engine_that_loads_it(toy, policy, expected):
    config = toy.config(sample={"policy": policy})
    place = toy.settings["model"]
    assert Steps(config, toy.folder, 1).answering.policy == expected.replace("{place}", place)


def test_an_engine_that_does_not_load_the_rounds_model_is_refused():
    with pytest.raises(ValueError, match="rounds sample from the model that they train"):
        LoopConfig(model="m", prompts="p", output_dir="o", sample={"policy": "openai:gpt@http://h/v1"})


FLAT = "model: smollm2\nprompts: p.jsonl\njudge: hf:smollm2\nbeta: 0.1\nbatch_size: 8\nwin_judge: hf:x\n"


def test_settings_of_the_version_before_are_told_their_new_places(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("old.yaml").write_text(FLAT)
    code, _, err = run(capfd, "loop", "--config", "old.yaml", "--output_dir", "out")
    assert code == 2
    assert err == (
        "pairwright: --config old.yaml line 3: judge is now judge.judge; beta is now train.beta; "
        "batch_size is now sample.batch_size, judge.batch_size and revise.batch_size; win_judge is now "
        "winrate.judge\n"
    )
    flags = ["--model", "m", "--prompts", "p", "--output_dir", "o", "--judge=hf:x", "--no_bf16", "--n", "2"]
    code, _, err = run(capfd, "loop", *flags)
    assert code == 2
    assert "--judge is now --judge.judge; --bf16 is now --train.bf16; --n is now --sample.n" in err
    with pytest.raises(UsageError, match=r"^judge is now judge.judge; beta is now train.beta$"):
        LoopConfig(model="m", prompts="p", output_dir="o", judge="hf:x", beta=0.1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"beta": 0.1}, "^beta is now train.beta$"),
        ({"train": {"bta": 1}}, "pairwright.loop: no setting `train.bta`; did you mean `train.beta`"),
        ({"train": {"model": "x"}}, "pairwright.loop: no setting `train.model`: each round decides it"),
        ({"train": {"beta": "hot"}}, "pairwright.loop: train.beta: Input should be a valid number"),
        ({"retries": 1}, "pairwright.loop: no setting `retries`; did you mean"),
    ],
)
def test_the_same_is_said_in_python(settings, sentence):
    with pytest.raises(UsageError, match=sentence):
        pw.loop(model="m", prompts="p", output_dir="o", **settings)


def test_every_setting_of_before_has_a_place_that_is_there():
    from pairwright.config import setting_named

    for places in LoopConfig.moved.values():
        for place in places:
            assert setting_named(LoopConfig, place) is not None, place


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("train:\n  beta: 0.1\n  bta: 1\n", "line 3: no setting `train.bta`; did you mean `train.beta`?"),
        ("train: {model: x}\n", "line 1: no setting `train.model`: each round decides it"),
        ("train.beta: hot\n", "`train.beta` in the settings file, line 1: Input should be a valid number"),
        ("train: 3\n", "line 1: `train` is a section: write train: {name: value}"),
        ("min_length_ratio: 1\n", "no setting `min_length_ratio`; did you mean `revise.min_length_ratio`?"),
        ("sample:\n  engine: {a: [1, 2]}\n", "line 2: `sample.engine.a` must be one value"),
        ("train:\n  beta: {a: 1}\n", "line 2: `train.beta` must be one value or a list of values"),
        ("train: {beta: 1}\ntrain.beta: 2\n", "line 2: `train.beta` is given twice; first in line 1"),
        ("train: {beta: {a: {b: 1}}}\n", "line 1: nested too deep"),
    ],
)
def test_a_fault_in_a_section_is_told_by_line(tmp_path, monkeypatch, capfd, text, sentence):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(text)
    given = ["--model", "m", "--prompts", "p", "--output_dir", "o", "--judge.judge", "hf:x"]
    code, _, err = run(capfd, "loop", "--config", "mine.yaml", *given)
    assert (code, err.count("\n")) == (2, 1)
    assert sentence in err


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        (["--train.bta", "1"], "no option --train.bta; did you mean --train.beta?"),
        (["--train.model", "m"], "no option --train.model: each round decides it"),
        (["--train", "1"], "--train is written with a name: --train.NAME VALUE"),
        (["--train.beta", "hot"], "--train.beta: Input should be a valid number"),
        (["--sample.engine", "1"], "--sample.engine is written with a name: --sample.engine.NAME VALUE"),
        (["--retry"], "no option --retry; did you mean --revise.retry?"),
    ],
)
def test_a_flag_of_a_section_that_cannot_be_used_is_named(capfd, flag, sentence):
    given = ["--model", "m", "--prompts", "p", "--output_dir", "o", "--judge.judge", "hf:x"]
    code, _, err = run(capfd, "loop", *given, *flag)
    assert (code, err.count("\n")) == (2, 1)
    assert sentence in err


def test_a_flag_beats_the_file_within_a_section(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(
        "sample:\n  n: 3\n  engine: {gpu_memory_utilization: 0.5, seed: 1}\ntrain.beta: 0.5\n"
    )
    given = ["--model", "m", "--prompts", "p", "--output_dir", "o", "--judge.judge", "hf:x"]
    more = ["--sample.temperature", "0.5", "--sample.engine.seed", "2", "--train.no_bf16", "--sample.n=2"]
    _, config = read_command(["loop", "--config", "mine.yaml", *given, *more])
    assert (config.sample.n, config.sample.temperature) == (2, 0.5)
    assert config.sample.engine == {"gpu_memory_utilization": "0.5", "seed": "2"}
    assert (config.train.beta, config.train.bf16) == (0.5, False)


def test_the_example_goes_through_at_a_small_size(toy, tmp_path, capfd, monkeypatch):
    """examples/loop.yaml with a tiny model, few prompts, and a judge that can tell its answers apart."""
    monkeypatch.chdir(ROOT)
    example = Path("examples/loop.yaml").read_text()
    judge = 'judge: "hf:smollm2", protocol: score, min_margin: 0.05'
    assert judge in example
    own = tmp_path / "loop.yaml"
    own.write_text(example.replace(judge, f'judge: "{toy.settings["judge"]["judge"]}", min_margin: 0'))
    small = {name: toy.settings[name] for name in ("model", "prompts", "rounds", "eval_prompt_share")}
    small |= {f"sample.{name}": value for name, value in toy.settings["sample"].items()}
    small |= {f"train.{name}": toy.settings["train"][name] for name in ("pairs_per_update", "max_length")}
    flags = [*(f"--{name}={value}" for name, value in small.items()), "--train.use_cpu"]
    folder = toy.folder / "example"
    code, out, err = run(capfd, "loop", "--config", str(own), *flags, f"--output_dir={folder}")
    assert code == 0, err
    assert "wins" in out
    assert "…" not in out  # it fits a terminal of 80 columns
    assert (folder / "table.md").exists()


def shown(capfd: pytest.CaptureFixture[str], toy: LoopToy, **settings: Any) -> str:
    config = toy.config("shown", pairs="both", revise={"reviser": "hf:smollm2"}, **settings)
    assert loop(config) == []
    assert not (toy.folder / "shown").exists()
    return capfd.readouterr().out


def test_a_preview_shows_what_each_step_would_ask(toy, capfd):
    out = shown(capfd, toy, preview=True)
    for step in ("sample: answers to the prompts", "judge: pairs", "revise: pairs", "train: on the pairs"):
        assert step in out, step
    assert "winrate: these answers beside those of the start" in out
    assert "policy: hf:" in out
    assert "answer 1: name work hand" in out
    assert "⟦answer" in out.replace("⟦ answer", "⟦answer")  # what is trained on, decoded from its tokens


def test_a_dry_run_counts_what_each_step_would_ask(toy, capfd):
    out = shown(capfd, toy, dry_run=True)
    training, held_out = 25, 11  # of 36 prompts
    assert f"sample: {training} rows" in out
    assert f"judge: {training} rows" in out
    assert f"revise: {3 * training} rows" in out
    assert f"winrate: {held_out} rows" in out


def test_a_dry_run_counts_the_requests_of_judges(toy, capfd):
    plain = toy.config("plain").model_dump(exclude_unset=True)
    longer = {"sample": plain["sample"] | {"max_tokens": 40}, "train": plain["train"] | {"max_length": 512}}
    out = shown(capfd, toy, dry_run=True, **longer)
    cells = [[cell.strip() for cell in line.split("│")] for line in out.splitlines() if "│" in line]
    asked = [(cell[1], cell[3]) for cell in cells if cell[1]]
    assert ("judge", str(25 * 3)) in asked
    assert ("judge", str(11 * 2)) in asked  # answers of the round and of the start to the held-out prompts
