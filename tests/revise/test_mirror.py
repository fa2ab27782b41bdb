"""Pairs in two: the same answers under the prompt that does not ask, sides swapped."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from runs_on_disk import write_jsonl

from pairwright.errors import UsageError
from pairwright.inputs.columns import Columns
from pairwright.inputs.rows import Input
from pairwright.pairs.minimality import measure
from revise import ReviseConfig, revise

ASKS, ASKS_NOT = "Say hello to Ann. End with a full stop.", "Say hello to Ann."
ANSWER, REVISION = "Hello Ann, how is the garden today", "Hello Ann, how is the garden today."


def run(folder: Path, *rows: dict[str, Any], **settings: Any) -> list[dict[str, Any]]:
    (folder / "mend.py").write_text("def mend(prompt, answer, row):\n    return answer + '.'\n")
    path = write_jsonl(folder / "answers.jsonl", list(rows))
    values = {
        "input": str(path), "out": str(folder / "out"), "reviser": f"python:{folder}/mend.py:mend",
        "mirror": "plain", "function_processes": 1,
    }  # fmt: skip
    revise(ReviseConfig(**(values | settings)))
    return pq.read_table(folder / "out" / "data").to_pylist()


def test_a_kept_pair_brings_its_mirror(tmp_path: Path) -> None:
    rows = [
        {"prompt": ASKS, "response": ANSWER, "plain": ASKS_NOT, "completion_model": "small"},
        {"prompt": "Say goodbye.", "response": ANSWER, "plain": None},
        {"prompt": "Say good night.", "response": ANSWER},
    ]
    pair, mirrored, alone, without = run(tmp_path, *rows)
    assert pair["prompt"][0]["content"] == ASKS
    assert mirrored["prompt"] == [{"role": "user", "content": ASKS_NOT}]
    assert alone["source"] == without["source"] == "clair"  # without another prompt, no second pair
    for side, other in (("chosen", "rejected"), ("rejected", "chosen")):
        assert mirrored[side] == pair[other]
        assert mirrored[f"{side}_model"] == pair[f"{other}_model"]
    assert mirrored["chosen"][0]["content"] == ANSWER
    assert mirrored["source"] == "clair_mirrored"
    assert mirrored["row_id"] != pair["row_id"]
    wanted = measure(ANSWER, REVISION, original=REVISION)._asdict()
    assert {name: mirrored[name] for name in ("length_ratio", "kept_share")} == {
        name: pytest.approx(wanted[name]) for name in ("length_ratio", "kept_share")
    }
    plain = write_jsonl(tmp_path / "plain.jsonl", [{"prompt": ASKS_NOT, "response": "x"}])
    [read] = Input(str(plain), Columns(), None)
    assert mirrored["prompt_id"] == read.prompt_id  # the hash that every other run gives that prompt


def test_a_text_takes_the_place_of_the_last_message_and_messages_that_of_all(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be kind."}
    ask = [system, {"role": "user", "content": ASKS}]
    plain = [{"role": "user", "content": ASKS_NOT}]
    first = run(tmp_path, {"prompt": ask, "response": ANSWER, "plain": ASKS_NOT})
    assert first[1]["prompt"] == [system, *plain]
    second = run(tmp_path, {"prompt": ask, "response": ANSWER, "plain": plain}, out=str(tmp_path / "out"),
                 fresh=True)  # fmt: skip
    assert second[1]["prompt"] == plain


def test_each_of_several_columns_brings_a_mirror(tmp_path: Path) -> None:
    another = "Say hello to Ann, in capitals."
    rows = [
        {"prompt": ASKS, "response": ANSWER, "plain": ASKS_NOT, "another": another},
        {"prompt": ASKS, "response": ANSWER + "!", "plain": "", "another": another},
    ]
    kept = run(tmp_path, *rows, mirror="plain, another")
    asked = [pair["prompt"][0]["content"] for pair in kept]
    assert asked == [ASKS, ASKS_NOT, another, ASKS, another]
    assert [pair["chosen"][0]["content"] for pair in kept[:3]] == [REVISION, ANSWER, ANSWER]
    assert len({pair["row_id"] for pair in kept}) == len(kept)


def test_a_row_whose_other_prompt_is_its_own_has_no_mirror_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        {"prompt": ASKS, "response": ANSWER, "plain": ASKS_NOT},
        {"prompt": "Say goodbye.", "response": ANSWER, "plain": " Say goodbye.\n"},
        {"prompt": "Say goodbye.", "response": ANSWER + "!", "plain": "Say goodbye."},
        {"prompt": "Say good night.", "response": ANSWER, "plain": None},
    ]  # fmt: skip
    kept = run(tmp_path, *rows)
    assert [pair["source"] for pair in kept].count("clair_mirrored") == 1
    assert (
        "--mirror plain: 3 of 4 rows have no mirror: it is empty in 1, and their own prompt in 2"
        in caplog.text
    )


@pytest.mark.parametrize(
    ("plain", "settings", "sentence"),
    [
        ("x", {"mirror": "plain,plain"}, "write different column names"),
        ("x", {"mirror": "plain,"}, "write different column names"),
        ("x", {"mirror": "other"}, "no column `other` (--mirror); there are `plain`"),
        ("", {}, "`plain` (--mirror) is empty in every row"),
        (f"{ASKS} ", {}, "`plain` (--mirror) is the prompt itself, or empty, in every row"),
        (7, {}, "`plain` (--mirror) is neither text nor a list of messages"),
    ],
)
def test_a_column_that_cannot_be_used_is_refused(
    tmp_path: Path, plain: Any, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as error:
        run(tmp_path, {"prompt": ASKS, "response": ANSWER, "plain": plain}, **settings)
    assert sentence in str(error.value)
