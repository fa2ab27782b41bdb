"""Pairs that others made, through the gates of revisions."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from in_process import run as command
from runs_on_disk import write_jsonl

from pairwright.errors import UsageError
from pairwright.pairs.minimality import measure
from revise import GivenPairsConfig, ReviseConfig, gate, revise

DRAFT = "The sum of two and two is five, as all of us know very well."
EDITED = "The sum of two and two is four, as all of us know very well."
PROMPT = "What is 2+2?"


def gated(folder: Path, *rows: dict[str, Any], **settings: Any) -> tuple[list[dict[str, Any]], ...]:
    """The rows that are kept, and those that are not."""
    folder.mkdir(exist_ok=True)
    path = write_jsonl(folder / "pairs.jsonl", list(rows))
    gate(GivenPairsConfig(**({"input": str(path), "out": str(folder / "out")} | settings)))
    parts = (folder / "out" / part for part in ("data", "dropped"))
    return tuple(pq.read_table(part).to_pylist() if part.is_dir() else [] for part in parts)


def test_a_correction_is_measured_and_kept(tmp_path: Path) -> None:
    [pair], dropped = gated(tmp_path, {"prompt": PROMPT, "draft": DRAFT, "edited": EDITED, "source": "crm"})
    assert not dropped
    assert pair["chosen"] == [{"role": "assistant", "content": EDITED}]
    assert pair["rejected"] == [{"role": "assistant", "content": DRAFT}]
    assert (pair["source"], pair["input_source"]) == ("given", "crm")
    measures = measure(EDITED, DRAFT, original=DRAFT)
    assert pair["edit_distance"] == measures.edit_distance == 1 / 17
    assert [tuple(span.values()) for span in pair["changed_spans"]] == [(26, 30, 26, 30)]


@pytest.mark.parametrize(
    ("rejected", "chosen", "status"),
    [
        (DRAFT, DRAFT, "no_change"),
        (DRAFT, f"\n\n{DRAFT}", "blank_lines"),
        (DRAFT, "As an AI model, I cannot answer that.", "refused"),
        (
            DRAFT,
            "Dragons, moons, a tale of a hundred nights and nothing to do with it.",
            "rewritten",
        ),
        (DRAFT, f"{EDITED} {EDITED}", "length_drift"),
        ("", EDITED, "empty"),
        (DRAFT, None, "empty"),
    ],
)
def test_what_is_no_minimal_revision_is_dropped(
    tmp_path: Path, rejected: str | None, chosen: str | None, status: str
) -> None:
    kept, [row] = gated(
        tmp_path, {"prompt": PROMPT, "chosen": chosen, "rejected": rejected}, max_length_ratio=1.4
    )
    assert not kept
    assert row["status"] == status


def test_whose_change_it_was_decides(tmp_path: Path) -> None:
    """A refusal made from an answer is dropped; an answer made from a refusal is not."""
    row = {
        "prompt": PROMPT,
        "chosen": DRAFT,
        "rejected": "I am sorry, but I cannot help with sums of numbers.",
    }
    loose = {"min_kept_share": 0, "max_edit_distance": 1, "min_length_ratio": 0, "max_length_ratio": 9}
    assert len(gated(tmp_path / "improve", row, **loose)[0]) == 1
    _, [dropped] = gated(tmp_path / "worsen", row, direction="worsen", **loose)
    assert dropped["status"] == "refused"


def test_a_verifier_decides_too(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "def four(prompt, answer, row):\n    return float('four' in answer), 'say four'\n"
    )
    rows = [{"prompt": PROMPT, "chosen": a, "rejected": b} for a, b in ((EDITED, DRAFT), (DRAFT, EDITED))]
    [kept], [dropped] = gated(tmp_path, *rows, verify=f"{tmp_path}/own.py:four", function_processes=1)
    assert (kept["answer_score"], kept["revision_score"]) == (0.0, 1.0)
    assert dropped["status"] == "unverified"
    assert "the revision scores 0, the answer 1" in dropped["reason"]


def test_a_run_keeps_what_it_says_of_its_pairs(tmp_path: Path) -> None:
    """Lineage stays; a row id is that of the pair, as it is in any other file."""
    answers = write_jsonl(
        tmp_path / "answers.jsonl", [{"prompt": PROMPT, "response": DRAFT, "topic": "sums"}]
    )
    (tmp_path / "mend.py").write_text(
        "def mend(prompt, answer, row):\n    return answer.replace('five', 'four')\n"
    )
    mend = f"python:{tmp_path}/mend.py:mend"
    made = {"input": str(answers), "reviser": mend, "out": str(tmp_path / "run"), "function_processes": 1}
    revise(ReviseConfig(**made))
    [before] = pq.read_table(tmp_path / "run" / "data").to_pylist()
    [after], _ = gated(tmp_path, input=str(tmp_path / "run"))
    assert after.keys() == before.keys()
    differ = {name for name in after if after[name] != before[name]}
    assert differ <= {"row_id"}


def test_a_column_that_is_not_there_is_named_with_its_flag(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no column `final` \(--chosen_column\); its columns are `prompt`, `draft`"
    ):
        gated(tmp_path, {"prompt": PROMPT, "draft": DRAFT}, chosen_column="final")


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.csv"])
def test_an_empty_file_is_told_as_such(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UsageError, match=rf"{name}: no rows in it; there is nothing to do"):
        gate(GivenPairsConfig(input=str(tmp_path / name), out=str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_a_preview_says_that_nothing_is_asked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_jsonl(tmp_path / "pairs.jsonl", [{"prompt": PROMPT, "draft": DRAFT, "edited": EDITED}])
    code, said, _ = command(capfd, "gate", str(path), "--out", str(tmp_path / "out"), "--preview")
    assert code == 0
    assert "nothing is asked of any engine" in said
    assert not (tmp_path / "out").exists()
