"""Runs that stop at a limit of tokens or money, keep what was paid for, and go on with a larger one."""

import json
from pathlib import Path
from typing import Any

import pytest
from in_process import run
from runs_on_disk import TAGGED, answers, as_flags, files_of, revise_config, write_jsonl

from pairwright.engines.canned import CannedEngine
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.journal import Journal
from pairwright.folders.manifest import load_manifest
from pairwright.records import Completion, Message, Request, Sampling
from pairwright.stages.budget import Budget, BudgetConfig, BudgetSpent
from revise import ReviseConfig, revise

REVISED = TAGGED.format(
    "The sum of some and one is easy to find: it is more, as we all know who can count."
)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReviseConfig:
    """60 rows at 100 + 50 tokens a completion, 8 of them in the air at once."""
    reply = {"text": REVISED, "prompt_tokens": 100, "completion_tokens": 50}
    canned = write_jsonl(tmp_path / "canned.jsonl", [reply])
    opened = CannedEngine.__init__

    def narrow(self: CannedEngine, *given: Any) -> None:
        opened(self, *given)
        self.capacity = 8

    monkeypatch.setattr(CannedEngine, "__init__", narrow)
    settings: dict[str, Any] = {"input": str(answers(tmp_path, 60)), "reviser": f"canned:{canned}"}
    return revise_config(tmp_path, **settings, retry=False, min_kept_share=0)


def journaled(config: ReviseConfig) -> int:
    with Journal(Path(config.out) / "journal.sqlite") as journal:
        return len(journal)


def test_tokens_run_out_and_a_larger_budget_goes_on(config: ReviseConfig, tmp_path: Path) -> None:
    whole = config.model_copy(update={"out": str(tmp_path / "whole")})
    revise(whole)
    with pytest.raises(BudgetSpent, match=r"3,000 tokens are used of --max_tokens_total 3,000; .* larger"):
        revise(config.model_copy(update={"max_tokens_total": 3000}))
    assert journaled(config) == 20  # the last ones are sent while all that are under way may still fit
    assert not load_manifest(tmp_path / "run").complete
    with pytest.raises(BudgetSpent, match="3,000 tokens are used"):
        revise(config.model_copy(update={"max_tokens_total": 3000}))
    assert journaled(config) == 20
    with pytest.raises(BudgetSpent):
        revise(config.model_copy(update={"max_tokens_total": 6000}))
    assert journaled(config) == 40
    revise(config.model_copy(update={"max_tokens_total": 9000}))
    assert files_of(tmp_path / "run") == files_of(tmp_path / "whole")


def test_money_runs_out(config: ReviseConfig, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """100 × 2 + 50 × 10 = 700 millionths a completion; 0.0104 is reached by 15 of them."""
    prices = tmp_path / "prices.yaml"
    prices.write_text("canned: {prompt: 2, completion: 10}\n")
    flags = [f for f in as_flags(config) if f not in ("--retry", "False")]
    code, _, said = run(capfd, *flags, "--no_retry", "--max_cost", "0.0104", "--price_file", str(prices))
    assert code == 3
    assert "0.0105 is spent of --max_cost 0.0104" in said
    assert "every finished completion kept" in said
    assert journaled(config) == 15


def test_the_price_of_a_model_is_that_of_its_versions_or_of_any(tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    text = "gpt: {prompt: 1, completion: 1}\ngpt-big: {prompt: 3, completion: 5}\n"
    prices.write_text(text)
    budget = Budget(BudgetConfig(max_cost=100.0, price_file=str(prices)))
    budget.add(Completion(model="gpt-big-2026-01-01", prompt_tokens=10**6, completion_tokens=10**6))
    assert budget.cost == 8.0
    for version in ("gpt", "gpt-0613", "gpt@20260101", "gpt-20240620-v1:0", "gpt-latest"):
        budget.add(Completion(model=version, prompt_tokens=10**6))
    assert (budget.cost, budget.spent) == (13.0, None)
    for other in ("other", "gpt-small", "gpto", "gpt-32k", "gpt-big-pro"):
        with pytest.raises(PairwrightError, match=rf"no price for the model '{other}'; add it, or `\*`"):
            budget.add(Completion(model=other, prompt_tokens=1))
    prices.write_text(text + "'*': {prompt: 0, completion: 0}\n")
    Budget(BudgetConfig(max_cost=1.0, price_file=str(prices))).add(Completion(model="x", prompt_tokens=1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gpt: {prompt: 1}", "gpt.completion: Field required"),
        ("gpt: {prompt: -1, completion: 1}", "gpt.prompt: Input should be greater"),
        ("gpt: 3", "gpt: Input should be"),
        ("[1, 2]", "its content: Input should be a valid dictionary"),
        ("{}", "no prices in it"),
        ("a: b: c", "not YAML"),
        (
            "m: {prompt: 9, completion: 9}\nm: {prompt: 1, completion: 1}",
            "line 2: `m` is given twice; first in line 1",
        ),
        ("m: &m {prompt: *m, completion: 1}", "m.prompt: Input should be a valid number"),
        ("m: {prompt: 9, prompt: 1, completion: 1}", "line 1: `prompt` is given twice"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_a_price_file_that_is_none_is_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(UsageError) as error:
        Budget(BudgetConfig(max_cost=1.0, price_file=str(tmp_path / "prices.yaml")))
    assert said in str(error.value)


def test_half_a_limit_and_engines_that_do_not_count_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="need each other"):
        revise(revise_config(tmp_path, max_cost=1.0))
    with pytest.raises(UsageError, match="No such file"):
        revise(revise_config(tmp_path, max_cost=1.0, price_file=str(tmp_path / "none.yaml")))
    with pytest.raises(PairwrightError, match="does not say how many tokens"):
        revise(revise_config(tmp_path, max_tokens_total=10))
    revise(revise_config(tmp_path))


@pytest.mark.parametrize(
    "model", ["python:checks:passes#0123456789ab", "check:length(max_words=8)#00ff00ff00ff"]
)
def test_functions_and_checks_cost_nothing(model: str, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("'*': {prompt: 1, completion: 1}\n")
    messages = (Message(role="user", content="a long question"),)
    request = Request(role="judge", messages=messages, sampling=Sampling(max_tokens=9))
    for config in (BudgetConfig(max_tokens_total=1), BudgetConfig(max_cost=1, price_file=str(prices))):
        budget = Budget(config)
        budget.promise("a", request, model, batch=False)
        assert not budget.all_promised
        budget.settle("a")
        budget.add(Completion(text="1.0", model=model))
        assert (budget.tokens, budget.cost, budget.spent) == (0, 0, None)


def test_replies_that_could_not_be_used_are_paid_for(tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("m: {prompt: 1000, completion: 10000}\n")
    budget = Budget(BudgetConfig(max_cost=1.0, price_file=str(prices)))
    unusable = {"model": "m", "unusable_prompt_tokens": 20, "unusable_completion_tokens": 10}
    budget.add(Completion(failure="invalid_response", **unusable))
    assert (budget.tokens, budget.cost) == (30, pytest.approx(0.12))
    budget.add(Completion(text="right", prompt_tokens=10, completion_tokens=5, **unusable))
    assert (budget.tokens, budget.cost) == (75, pytest.approx(0.3))


@pytest.mark.parametrize("text", ["-0.5", ""])
def test_what_is_read_counts_where_nothing_was_generated(text: str) -> None:
    budget = Budget(BudgetConfig(max_tokens_total=1000))
    budget.add(Completion(text=text, model="reward:folder@0123", prompt_tokens=10))
    assert budget.tokens == 10


def test_what_a_filter_stopped_used_nothing() -> None:
    budget = Budget(BudgetConfig(max_tokens_total=10))
    budget.add(Completion(finish_reason="content_filter"))
    assert (budget.tokens, budget.spent) == (0, None)


def test_a_budget_is_no_part_of_what_a_run_is(config: ReviseConfig, tmp_path: Path) -> None:
    revise(config.model_copy(update={"max_tokens_total": 10**6}))
    recorded = json.loads((tmp_path / "run" / "run.json").read_text())
    assert "max_tokens_total" not in recorded["semantic"] | recorded["gate"]
    assert recorded["config"]["max_tokens_total"] == 10**6
