"""Columns of the row in a reviser's template."""

from pathlib import Path

import pytest
from runs_on_disk import write_jsonl

from pairwright.cli import run_command
from pairwright.errors import UsageError

OWN = """{% block user %}
{{ prompt }} is answered with {{ answer }}. Right is {{ row.reference }}.
{% if row.hints %}{{ row.hints }}{% endif %}
{% endblock %}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = [
        {"prompt": "2 + 2?", "completion": "five", "reference": 4, "hints": ["count", "é"]},
        {"prompt": "1 + 1?", "completion": "three", "reference": 2, "hints": None},
    ]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    write_jsonl(tmp_path / "reviser.jsonl", [{"text": "<revision>four</revision>"}])
    (tmp_path / "own.j2").write_text(OWN)
    return tmp_path


def revise(*more: str) -> None:
    run_command(["revise", "rows.jsonl", "--reviser", "canned:reviser.jsonl", "--template", "own.j2",
                 "--out", "out", *more])  # fmt: skip


@pytest.mark.parametrize("mode", ["rewrite", "edits"])
def test_a_reviser_is_shown_any_column(place: Path, capsys: pytest.CaptureFixture[str], mode: str) -> None:
    revise("--preview", "--mode", mode)
    said = " ".join(capsys.readouterr().out.split())
    assert "{{ row.NAME }}: reference, hints" in said
    assert '2 + 2? is answered with five. Right is 4. ["count", "é"]' in said
    assert "1 + 1? is answered with three. Right is 2." in said
    assert not (place / "out").exists()


def test_a_column_that_is_not_there_is_refused_before_anything_is_asked(place: Path) -> None:
    (place / "own.j2").write_text(OWN.replace("row.reference", "row['refrence']"))
    with pytest.raises(
        UsageError, match=r"rows\.jsonl: no column `refrence`, and --template own\.j2: shows .*`reference`"
    ):
        revise()
    (place / "own.j2").write_text(OWN.replace("row.reference", "gold"))
    with pytest.raises(UsageError, match="no variable `gold`; there are prompt, answer, "):
        revise()
    assert not (place / "out").exists()
