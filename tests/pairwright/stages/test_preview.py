"""What is said of columns before anything is asked: what is true of these templates, and once in a loop."""

import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from runs_on_disk import write_jsonl

from pairwright.inputs.columns import Columns
from pairwright.inputs.rows import Input
from pairwright.stages.preview import say_what_was_read, telling_once

ROW = {"prompt": "Who?", "hints": "Ada was there.", "examples": "Bob.", "margin": 1}


def said(
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    templates: Mapping[str, str],
    row: Mapping[str, Any] = MappingProxyType(ROW),
) -> list[str]:
    rows = Input(str(write_jsonl(folder / "rows.jsonl", [dict(row)])), Columns(carry_only=()), None)
    caplog.clear()
    stage: Any = SimpleNamespace(templates=templates)
    with caplog.at_level(logging.WARNING):
        say_what_was_read(stage, rows, begun=False)
    return [record.getMessage().partition(": ")[2] for record in caplog.records]


RENAMED = "columns whose names are pairwright's own are renamed: `margin` as `input_margin`"


@pytest.mark.parametrize(
    ("text", "not_shown"),
    [
        (
            "{{ prompt }}",
            "`hints`, `examples`; write it into the prompt, or say --carry_only hints,examples",
        ),
        ("{{ row.hints }}", "`examples`; write it into the prompt, or say --carry_only examples"),
        ("{{ row['hints'] }}", "`examples`; write it into the prompt, or say --carry_only examples"),
        (
            "{{ row.hints_too }}{{ row.examples }}",
            "`hints`; write it into the prompt, or say --carry_only hints",
        ),
        ('{% if row.hints %}{{ row[ "examples" ] }}{% endif %}', ""),
    ],
)
def test_a_column_that_a_template_shows_is_not_called_unseen(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, not_shown: str
) -> None:
    found = said(tmp_path, caplog, {"other": "{{ prompt }}", "mine": text})
    assert found == [RENAMED, *([f"no model is shown {not_shown}"] if not_shown else [])]


def test_a_conversation_beside_the_prompt_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}]
    found = said(tmp_path, caplog, {}, {"prompt": "Who?", "messages": turns})
    assert found == [
        "`messages` is carried along, since another column is the prompt; --prompt_column messages reads it"
    ]
    assert said(tmp_path, caplog, {}, {"messages": turns}) == []


def test_in_a_loop_it_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        with telling_once():
            assert len(said(tmp_path, caplog, {})) == 2
            assert said(tmp_path, caplog, {}) == []
            assert len(said(tmp_path, caplog, {"mine": "{{ row.hints }}"})) == 1
