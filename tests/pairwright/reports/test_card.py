"""The data set card: loads exactly the kept rows, says how they were made, and keeps what people add."""

import json
from pathlib import Path

import datasets
import pytest
import yaml
from runs_on_disk import TAGGED, revise_config, write_jsonl

from pairwright.figures.folder import figures_of
from pairwright.folders.front_matter import front_matter
from revise import ReviseConfig, revise


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    revise(revise_config(tmp_path, rows=40))
    return tmp_path / "run"


def test_the_card_says_how_the_rows_were_made(pairs, tmp_path):
    card = (pairs / "README.md").read_text()
    front = front_matter(pairs / "README.md")
    assert front["configs"][0]["data_files"] == [{"split": "train", "path": "data/*.parquet"}]
    assert front["size_categories"] == ["n<1K"]
    rows = figures_of(pairs).rows
    for said in (
        "# run", "28 rows to 28 prompts, made by `pairwright revise` from 40 rows of work",
        "| `kept` | 28 |", "| `edit_distance` | 0.04 |", "`clair` 28", "| reviser | `canned:",
        "`revise.j2`, `revise_retry.j2`", '"min_kept_share": 0.5', '"temperature": 0.7',
        "The licence is yours to name", f"Input: `{tmp_path}/answers.jsonl`, 40 rows",
    ):  # fmt: skip
        assert said in card, said
    assert "the sum was wrong" not in card
    assert "{+" in card
    assert json.loads((pairs / "stats.json").read_text()) == json.loads(rows.model_dump_json())
    assert len(datasets.load_dataset(str(pairs), cache_dir=str(tmp_path / "cache"))["train"]) == 28


def test_front_matter_that_people_add_stays(pairs):
    card = pairs / "README.md"
    head, _, rest = card.read_text().removeprefix("---\n").partition("---\n")
    fields = yaml.safe_load(head) | {"license": "cc-by-4.0", "language": ["en"]}
    card.write_text(f"---\n{yaml.safe_dump(fields)}---\n{rest}")
    revise(revise_config(pairs.parent, rows=40))
    assert front_matter(card)["license"] == "cc-by-4.0"
    assert front_matter(card)["language"] == ["en"]
    assert "yours to name" not in card.read_text()


def test_text_of_models_cannot_leave_its_block(tmp_path):
    answer = "One two three four five six.\n````\n# A heading\n---\nlicense: mit\n---\n{{ 7 * 7 }} \x1b[31m"
    revise(
        ReviseConfig(
            input=str(write_jsonl(tmp_path / "rows.jsonl", [{"prompt": "Count.", "response": answer}])),
            reviser="canned:"
            + str(
                write_jsonl(
                    tmp_path / "replies.jsonl", [{"text": TAGGED.format(answer.replace("six", "seven"))}]
                )
            ),
            out=str(tmp_path / "run"),
        )
    )
    card = (tmp_path / "run" / "README.md").read_text()
    fence = "`" * 5
    block = card.split(f"{fence}text\n")[1].split(f"\n{fence}\n")[0]
    assert "# A heading" in block
    assert "{{ 7 * 7 }} \\x1b[31m" in block
    assert card.count("# A heading") == 1
    assert "license" not in front_matter(tmp_path / "run" / "README.md")


def test_a_run_that_kept_nothing_has_a_card(tmp_path):
    revise(revise_config(tmp_path, rows=20, min_kept_share=1.0, max_edit_distance=0.0))
    card = (tmp_path / "run" / "README.md").read_text()
    assert "0 rows, made by `pairwright revise` from 20 rows of work" in card
    assert "## Measures" not in card
