"""Each recipe at toy size on the embedded model, through its own commands: `make test-slow`."""

import json

import pytest
from in_process import run
from places import ROOT
from tiny_model import numbered_pairs, write_jsonl

from pairwright.recipes.recipe import names, read_recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

TASKS = [
    ("Name three colours.", "Red, green and blue."),
    ("What is two plus two?", "Two plus two is four."),
    ("Name an animal.", "A cat is an animal."),
]
REQUESTS = [
    ("Use no commas.", "punctuation:no_comma"),
    ("Answer in quotation marks.", "startend:quotation"),
    ("Write all in capitals.", "change_case:english_capital"),
]
FUNCTIONS = """
def weak(messages):
    return "I like " + messages[-1]["content"].lower()

def other(messages):
    return "It may well be so."

def mended(prompt, answer, row):
    return answer.replace(" ", " indeed, ", 1)

def score(prompt, answer, row):
    return len(set(answer.split())) / 200
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What recipes are given: the embedded model for every model, functions for those weaker than it."""
    here = tmp_path_factory.mktemp("given")
    (here / "functions.py").write_text(FUNCTIONS)
    rows = [
        {"prompt": asked, "golden": said, "chosen": said, "rejected": "No.", "plain": asked}
        for asked, said in TASKS
    ]
    weak, other, judge = (f"{here}/functions.py:{name}" for name in ("weak", "other", "score"))
    prompts = write_jsonl(here / "prompts.jsonl", rows)
    asked = write_jsonl(
        here / "instructions.jsonl",
        [
            {
                "prompt": f"{asked} {request}",
                "plain": asked,
                "instruction_id_list": [name],
                "kwargs": [{}],
            }
            for asked, _ in TASKS
            for request, name in REQUESTS
        ],
    )
    return {
        "model": "smollm2",
        "policy": "hf:smollm2",
        "reviser": f"python:{here}/functions.py:mended",
        "prompts": prompts,
        "rm_prompts": prompts,
        "llm_prompts": prompts,
        "human": prompts,
        "pairs": write_jsonl(here / "pairs.jsonl", numbered_pairs(6)),
        "strong": "hf:smollm2",
        "weak": f"python:{weak}",
        "weaker": f"python:{other}",
        "four": f"hf:smollm2,python:{weak},python:{other},hf:smollm2",
        "judge": judge,
        "checks": str(ROOT / "examples" / "checks.py"),
        "repair": str(ROOT / "benchmarks" / "proof" / "instructions" / "repairs.py") + ":repair",
        "instructions": asked,
    }


@pytest.mark.parametrize("name", names())
def test_a_recipe_runs_to_its_model(name, given, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("PAIRWRIGHT_CACHE", str(tmp_path / "cache"))
    needs = read_recipe(name).needs
    own = {need: given[need] for need in needs}
    if name == "selfmade_135m":
        rows = map(json.loads, (ROOT / "examples" / "demo_prompts.jsonl").read_text().splitlines())
        few = sorted(rows, key=lambda row: str(row["plain"]))[:12]
        own["prompts"] = write_jsonl(tmp_path / "demo_prompts.jsonl", few)
    if name == "selfmade_instructions":
        own["prompts"] = given["instructions"]
    flags = [part for need, value in own.items() for part in (f"--given.{need}", value)]
    out = tmp_path / "runs"
    scale = "0.003" if name == "semi_online_dpo" else "0.02"
    code, _, err = run(capfd, "recipe", "run", name, *flags, "--out", str(out), "--scale", scale)
    assert code == 0, err
    assert [*out.rglob("model.safetensors"), *out.rglob("adapter_model.safetensors")]
