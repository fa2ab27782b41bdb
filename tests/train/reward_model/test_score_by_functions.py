"""`score` by functions and checks: ranks, what has no score, and training on what comes of it."""

from pathlib import Path

import pytest
from runs_on_disk import write_jsonl

from pairwright.errors import UsageError
from pairwright.folders.shards import read_tables
from train.reward_model.config import ScoreConfig
from train.reward_model.score import score

CHECKS = """
def number(prompt, answer, row):
    return float(answer.split()[-1]) if answer[-1].isdigit() else None
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("checks.py").write_text(CHECKS)
    write_jsonl(Path("answers.jsonl"), [
        {"prompt": "A?", "response_a": "oak 1", "response_b": "oak 3", "response_c": "oak"},
        {"prompt": "B?", "response_a": "elm", "response_b": "fir", "response_c": "yew"},
    ])  # fmt: skip


@pytest.mark.parametrize("best", [False, True])
def test_answers_are_ranked_by_the_score_of_a_function(best: bool) -> None:
    config = ScoreConfig(
        reward_model="checks.py:number",
        input="answers.jsonl",
        out="out",
        best_of_n=best,
        function_processes=1,
    )
    manifest = score(config)
    assert manifest is not None
    assert manifest.counts == {"kept": 1, "unscored": 1}
    rows = [row for table in read_tables(Path("out")) for row in table.to_pylist()]
    ranked = [(r["completion"][0]["content"], r["score"], r["rank"], r["scored"]) for r in rows]
    assert ranked == [("oak 3", 3.0, 1, 2), ("oak 1", 1.0, 2, 2)][: 1 if best else 2]


def test_a_function_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"there is no 'numbr' in it; did you mean number\?"):
        score(ScoreConfig(reward_model="checks.py:numbr", input="answers.jsonl", out="out"))
