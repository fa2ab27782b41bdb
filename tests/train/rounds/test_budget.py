"""One budget over all runs of rounds."""

from pathlib import Path
from typing import Any

import pytest

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.journal import JOURNAL, Journal
from pairwright.records import Completion, Finished
from pairwright.stages.budget import Budget, BudgetConfig, BudgetSpent
from train.rounds.budget import RoundsBudget
from train.rounds.config import RoundsConfig


def rounds(**budget: Any) -> RoundsConfig:
    """Rounds with a budget."""
    return RoundsConfig(model="smollm2", output_dir="-", budget=BudgetConfig(**budget))


def asking(out: Path, answers: int, tokens: int = 10, model: str = "gpt-x") -> Any:
    """A command that asks for answers until its budget is spent, as stages do."""

    def run(config: BudgetConfig) -> None:
        with Journal(out / JOURNAL) as journal:
            budget = Budget(config)
            for completion in journal.completions():
                budget.add(completion)
            for number in range(len(journal), answers):
                if budget.spent is not None:
                    raise BudgetSpent(budget.spent)
                completion = Completion(
                    text="a", prompt_tokens=tokens, completion_tokens=tokens, model=model
                )
                journal.add([Finished(f"{number}", completion)])
                budget.add(completion)

    return run


def asked(folder: Path) -> dict[str, int]:
    found = {}
    for path in sorted(folder.rglob(JOURNAL)):
        with Journal(path) as journal:
            found[path.parent.name] = len(journal)
    return found


def test_runs_share_what_there_is(tmp_path):
    budget = RoundsBudget(rounds(max_tokens_total=100), tmp_path)
    budget.within(asking(tmp_path / "a", 3), BudgetConfig(), tmp_path / "a")
    with pytest.raises(BudgetSpent, match=r"100 tokens are used of --budget\.max_tokens_total 100"):
        budget.within(asking(tmp_path / "b", 9), BudgetConfig(), tmp_path / "b")
    assert asked(tmp_path) == {"a": 3, "b": 2}
    larger = RoundsBudget(rounds(max_tokens_total=140), tmp_path)
    with pytest.raises(BudgetSpent, match=r"140 tokens are used of --budget\.max_tokens_total 140"):
        larger.within(
            asking(tmp_path / "b", 9), BudgetConfig(), tmp_path / "b"
        )  # and not the 100 of before
    with pytest.raises(BudgetSpent):  # nothing is left, so nothing more is begun
        budget.within(asking(tmp_path / "c", 1), BudgetConfig(), tmp_path / "c")
    assert asked(tmp_path) == {"a": 3, "b": 4}


@pytest.mark.parametrize("limit", [{}, {"max_tokens_total": 100}])
def test_how_many_failures_in_a_row_stop_a_run_is_said_once_for_all(limit, tmp_path):
    seen = list[int]()
    budget = RoundsBudget(rounds(max_consecutive_failures=3, **limit), tmp_path)
    budget.within(
        lambda config: seen.append(config.max_consecutive_failures), BudgetConfig(), tmp_path / "a"
    )
    assert seen == [3]


def test_a_larger_budget_goes_on_and_counts_what_was_used_before(tmp_path):
    for most, expected in ((100, 5), (140, 7), (1000, 9)):
        budget = RoundsBudget(rounds(max_tokens_total=most), tmp_path)
        try:
            budget.within(asking(tmp_path / "round-1" / "a", 4), BudgetConfig(), tmp_path / "round-1" / "a")
            budget.within(asking(tmp_path / "round-1" / "b", 5), BudgetConfig(), tmp_path / "round-1" / "b")
        except BudgetSpent:
            assert most < 1000
        assert sum(asked(tmp_path).values()) == expected


def test_money_is_counted_by_the_prices_of_a_file(tmp_path):
    prices = tmp_path / "prices.yaml"
    prices.write_text("gpt-x: {prompt: 1e5, completion: 4e5}\n'*': {prompt: 0, completion: 0}\n")
    config = rounds(max_cost=15, price_file=str(prices))  # an answer costs 10 * .1 + 10 * .4
    budget = RoundsBudget(config, tmp_path)
    budget.within(asking(tmp_path / "own", 9, model="smollm2"), BudgetConfig(), tmp_path / "own")
    budget.within(asking(tmp_path / "a", 2), BudgetConfig(), tmp_path / "a")
    with pytest.raises(BudgetSpent, match=r"15.00 is spent of --budget.max_cost 15.00"):
        budget.within(asking(tmp_path / "b", 9), BudgetConfig(), tmp_path / "b")
    assert asked(tmp_path) == {"a": 2, "b": 1, "own": 9}


def test_other_faults_pass_and_nothing_is_counted_where_there_is_no_limit(tmp_path):
    def broken(config: BudgetConfig) -> None:
        raise PairwrightError("the lights went out")

    for limits in (rounds(), rounds(max_tokens_total=5)):
        with pytest.raises(PairwrightError, match="the lights went out"):
            RoundsBudget(limits, tmp_path).within(broken, BudgetConfig(), tmp_path / "a")
    with pytest.raises(UsageError, match=r"--budget\.max_cost and --budget\.price_file need each other"):
        RoundsBudget(rounds(max_cost=3), tmp_path)
