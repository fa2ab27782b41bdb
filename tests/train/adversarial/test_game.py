"""The game: known answers, every ablation as a setting, resuming."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import planted_judge
import pytest
import torch
from alive import models_in_memory
from game_toy import Toy
from in_sections import changed
from tiny_model import write_jsonl
from transformers import AutoModelForCausalLM, AutoTokenizer

from judge.comparison.matching import Answers, Matched, Side
from judge.comparison.stage import WinrateStage
from judge.evaluation.measures import load_evaluation
from judge.jury.config import JuryConfig
from pairwright.errors import PairwrightError
from pairwright.folders.manifest import load_manifest
from pairwright.folders.shards import read_tables
from pairwright.inputs.columns import Columns
from pairwright.records import Sampling
from train.adversarial.game import game
from train.adversarial.steps import COMMANDS, Commands


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Toy:
    """A game of one short round, on the toy's models and data."""
    own = Toy(tmp_path_factory.mktemp("game"))
    once = {"num_train_epochs": 1}
    shorter = {"rounds": 1, "limit": 10, "eval_n": 1, "sample": {"n": 3}, "reward": once, "train": once}
    own.settings = changed(own.settings, shorter)
    return own


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [row for table in read_tables(folder) for row in table.to_pylist()]


def test_a_round_is_a_folder_of_ordinary_runs(toy):
    table = game(toy.config("ordinary"))
    folder = toy.folder / "ordinary"
    here = folder / "round-1"
    stages = {name: load_manifest(here / name).stage for name in ("rm_samples", "golden_pairs", "scored")}
    assert stages == {"rm_samples": "sample", "golden_pairs": "judge", "scored": "score"}
    pairs = rows_of(here / "golden_pairs")
    assert {row["source"] for row in pairs} == {"golden_vs_sampled"}
    golden = {json.loads(line)["golden"] for line in (folder / "rm_prompts.jsonl").read_text().splitlines()}
    assert {row["chosen"][0]["content"] for row in pairs} <= golden
    assert len(pairs) >= 20  # 10 prompts, 3 samples, few of them cut off or golden by chance
    config = json.loads((here / "reward" / "train.json").read_text())["config"]
    assert (config["apo_samples"], config["rm_kl"], config["apo_coeff"]) == (3, 1.0, 6.0)
    assert config["model"] == toy.settings["model"]
    trained = json.loads((here / "llm" / "train.json").read_text())["config"]
    assert (trained["loss"], trained["learning_rate"]) == (
        "rejection_sampling",
        toy.config().train.learning_rate[0],
    )
    assert [row["round"] for row in table] == [0, 1]
    assert table[0]["kl"] == 0.0
    assert divergence(str(here / "llm"), toy.settings["model"]) > 1e-4
    assert set(table[1]["rm_golden_accuracy"]) == {"1"}
    assert [json.loads(line) for line in (folder / "table.jsonl").read_text().splitlines()] == table
    assert (folder / "game.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "table.md").read_text().count("\n") == 4


def test_the_divergence_is_the_mean_log_ratio_of_the_models_own_answers(toy):
    """Worked out again by `transformers`, answer by answer."""
    table = game(toy.config("ordinary"))
    here = toy.folder / "ordinary" / "round-1"
    tokenizer = AutoTokenizer.from_pretrained(here / "llm")
    ratios, tokens = [], 0
    dropped = [row for table in read_tables(here / "samples", "dropped") for row in table.to_pylist()]
    for row in [*rows_of(here / "samples"), *(row for row in dropped if row["status"] == "truncated")]:
        prompt = tokenizer.apply_chat_template(
            row["prompt"], add_generation_prompt=True, tokenize=True, return_dict=False
        )
        end = [] if "status" in row else [tokenizer.eos_token_id]
        answer = [*tokenizer(row["completion"][0]["content"])["input_ids"], *end]
        sums = []
        for place in (here / "llm", toy.settings["model"]):
            with torch.no_grad():
                logits = AutoModelForCausalLM.from_pretrained(place)(
                    torch.tensor([prompt + answer])
                ).logits[0]
            logps = logits.log_softmax(-1)[len(prompt) - 1 : -1]
            sums.append(float(logps[range(len(answer)), answer].sum()))
        ratios.append(sums[0] - sums[1])
        tokens += len(answer)
    assert table[1]["kl"] == pytest.approx(sum(ratios) / len(ratios), abs=1e-4)
    assert table[1]["kl_per_token"] == pytest.approx(sum(ratios) / tokens, abs=1e-5)


def watched(before: Callable[[str], None]) -> Commands:
    """The game's commands, each told of before it begins."""

    def wrapped(name: str, command: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **more: Any) -> Any:
            before(name)
            return command(*given, **more)

        return run

    return Commands(**{name: wrapped(name, command) for name, command in COMMANDS._asdict().items()})


def test_a_game_that_is_over_says_its_table_and_goes_on_with_more_rounds(toy):
    config = toy.config("longer")
    first = game(config)
    calls: list[str] = []
    assert game(config, watched(calls.append)) == first
    assert calls == []
    longer = game(config.model_copy(update={"rounds": 2}))
    assert longer[:2] == first
    assert [row["round"] for row in longer] == [0, 1, 2]
    assert set(longer[2]["rm_golden_accuracy"]) == {"1", "2"}


def test_no_model_is_in_memory_when_a_step_begins(toy):
    """Neither an engine's when training begins, nor a trainer's when sampling does."""
    alive: list[tuple[str, int]] = []
    others = {id(model) for model in models_in_memory()}  # of other tests

    def look(name: str) -> None:
        models = {id(model) for model in models_in_memory()}
        alive.append((name, len(models - others)))

    game(toy.config("watched"), watched(look))
    assert {name for name, _ in alive} == {*Commands._fields} - {"winrate", "evaluate"}
    assert [step for step in alive if step[1]] == []


def trainings(folder: Path, number: int) -> dict[str, Any]:
    path = folder / f"round-{number}" / "reward" / "train.json"
    return dict(json.loads(path.read_text())["config"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"reward": {"rm_kl": 0.0}}, {"rm_kl": 0.0, "loss": "ranking"}),
        ({"reward": {"loss": "wgan"}}, {"rm_kl": 1.0, "loss": "wgan"}),
        ({"sequential": True, "rounds": 2}, {"loss": "ranking"}),
        ({"reward": {"apo_coeff": 0.0}, "rounds": 2}, {"golden_data": []}),
    ],
    ids=["gail", "wgan", "sequential", "plain"],
)
def test_every_ablation_is_a_setting(toy, changes, expected, request):
    name = request.node.callspec.id
    plain = name == "plain"
    game(toy.config(name, **changes))
    folder = toy.folder / name
    last = changes.get("rounds", 1)
    settings = trainings(folder, 1 if plain else last)
    assert {key: settings[key] for key in expected} == expected
    before = str(folder / f"round-{last - 1}" / "reward")
    assert (settings["model"] == before) == ("sequential" in changes)
    if plain:  # nothing changes for it, so the first reward model stays
        assert not (folder / "round-2" / "reward").exists()
        assert not (folder / "round-1" / "rm_samples").exists()


@torch.no_grad()
def divergence(model: str, start: str) -> float:
    """KL(model || start) of a token after some others, exactly: the mean over 20 places."""
    ids = torch.randint(4, 40, (1, 20), generator=torch.Generator().manual_seed(0))
    now, then = (
        AutoModelForCausalLM.from_pretrained(place)(ids).logits.log_softmax(-1) for place in (model, start)
    )
    return float((now.exp() * (now - then)).sum(-1).mean())


@pytest.mark.parametrize("loss", ["dpo", "rrhf"])
def test_any_loss_moves_the_language_model(toy, loss):
    table = game(toy.config(f"loss-{loss}", train={"loss": loss, "sft_weight": 0.3}))
    trained = toy.folder / f"loss-{loss}" / "round-1" / "llm"
    assert divergence(str(trained), toy.settings["model"]) > 1e-4
    assert table[1]["kl"] != 0  # of a few samples, so it can fall below
    settings = json.loads((trained / "train.json").read_text())
    assert (settings["config"]["loss"], settings["config"]["sft_weight"]) == (loss, 0.3)


def test_adapters_are_merged_so_that_every_round_can_have_new_ones(toy):
    table = game(toy.config("adapted", train={"lora_r": 2}, reward={"lora_r": 2}, rounds=2))
    assert table[2]["kl"] != table[1]["kl"]
    assert (toy.folder / "adapted" / "round-2" / "llm" / "model.safetensors").exists()


def test_golden_answers_come_from_an_engine_once_and_rates_follow_the_rounds(toy):
    replies = write_jsonl(toy.folder / "golden_replies.jsonl", [{"text": "aaabbbb"}])
    config = toy.config("written", train={"learning_rate": "1e-2,1e-3"}, golden=f"canned:{replies}")
    game(config)
    folder = toy.folder / "written"
    pairs = rows_of(folder / "round-1" / "golden_pairs")
    assert {row["chosen"][0]["content"] for row in pairs} == {"aaabbbb"}
    written = folder / "golden" / "data" / "train-00000.parquet"
    asked = written.stat().st_mtime_ns
    game(config.model_copy(update={"rounds": 3}))
    assert written.stat().st_mtime_ns == asked
    records = [json.loads((folder / f"round-{n}" / "llm" / "train.json").read_text()) for n in (1, 2, 3)]
    assert [record["config"]["learning_rate"] for record in records] == [1e-2, 1e-3, 1e-3]


def test_a_judge_compares_with_the_start_and_a_verifier_measures(toy):
    """The judge prefers more `a` in both orders, ties count half; the verifier does so alone."""
    game(toy.config("silent"))
    folder = toy.folder / "silent"
    runs = {name: str(folder / f"round-{n}" / "samples") for n, name in ((1, "a"), (0, "b"))}
    sides = [Side(name, run) for name, run in runs.items()]
    prompts = str(folder / "eval_prompts.jsonl")
    rows = Matched(prompts, Columns(), None, given=[Answers(side, prompts, None) for side in sides])
    config = JuryConfig(judge=f"canned:{planted_judge.seed(toy.folder / 'judge.jsonl')}")
    more = planted_judge.choosing(lambda asked: asked.first.count("a") > asked.second.count("a"))
    stage = WinrateStage(config, (sides[0], sides[1]), Sampling())
    outcomes = planted_judge.plant(toy.folder / "judge.jsonl", stage, rows, more)
    points = [o.columns["points"] for o in outcomes.values() if o.status == "kept"]
    assert 1 in points
    (toy.folder / "own.py").write_text("def many(prompt, answer, row):\n    return answer.count('a') > 3\n")
    measured = {"verify": f"{toy.folder}/own.py:many", "max_tokens": 12, "function_processes": 1}
    table = game(toy.config("judged", winrate={"judge": config.judge}, eval=measured))
    assert table[1]["win_rate"] == pytest.approx(sum(points) / len(points))
    [found] = load_evaluation(toy.folder / "judged" / "round-1" / "eval").models
    assert table[1]["pass_rate"] == found.pass_rate.value
    assert table[1]["gain"] == pytest.approx(found.pass_rate.value - table[0]["pass_rate"])


def test_halves_that_overlap_are_warned_of_with_the_count(toy, tmp_path, caplog):
    both = write_jsonl(tmp_path / "both.jsonl", [{"prompt": f"g{n}"} for n in range(3, 13)])
    config = toy.config("overlap", llm_prompts=both, rounds=1)
    with caplog.at_level(logging.WARNING):
        game(config)
    assert "7 prompts are in rm_prompts and in llm_prompts" in caplog.text


def test_a_game_cut_short_anywhere_ends_in_the_same_table(toy):
    """The lights go out once in every stage and training of a round."""
    whole = game(toy.config("whole"))
    for at in range(8):
        called: list[str] = []

        def lights_out(name: str, called: list[str] = called, at: int = at) -> None:
            called.append(name)
            if len(called) == at + 1:
                raise PairwrightError("the lights went out")

        with pytest.raises(PairwrightError, match="the lights went out"):
            game(toy.config("cut"), watched(lights_out))
    assert game(toy.config("cut")) == whole
