"""A template that writes the date writes one date, whatever the day."""

import datetime
import json
import shutil
from pathlib import Path

import pytest
from checkpoints import rewind_to
from tiny_model import TEMPLATE, TinyRun, tiny_tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

from pairwright.errors import UsageError
from pairwright.models.chat import encode_prompt
from pairwright.models.dated import date_shown
from pairwright.models.names import model_identity
from pairwright.records import Message
from train.training import train

DATED = "{{ '<|system|>Today: ' + strftime_now('%d %b %Y') + '<|end|>' }}" + TEMPLATE
TURNS = [Message(role="user", content="say oak")]


def set_clock(monkeypatch: pytest.MonkeyPatch, day: datetime.date) -> None:
    """Let `transformers` think that it is another day."""

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(day.year, day.month, day.day, 23, 59)

    monkeypatch.setattr(chat_template_utils, "datetime", Clock)


@pytest.mark.parametrize("form", ["%d %B %Y", "%Y-%m-%d", "%-d.%-m.%y, %A (%j)", "%a %b %e %H:%M"])
@pytest.mark.parametrize("head", ["", "\n", "  \n{%- set x = 1 %}", "{{ strftime_now is defined }} "])
def test_every_form_of_a_date_and_any_beginning(monkeypatch, form, head):
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = head + DATED.replace("%d %b %Y", form)

    class Midnight(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 1)

    monkeypatch.setattr(chat_template_utils, "datetime", Midnight)
    expected = tokenizer.apply_chat_template(
        [turn.model_dump() for turn in TURNS], add_generation_prompt=True, return_dict=False
    )
    assert encode_prompt(tokenizer, TURNS) == expected


@pytest.fixture
def dated() -> PreTrainedTokenizerFast:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = DATED
    return tokenizer


@pytest.mark.parametrize("said", [None, "2024-02-29"])
def test_the_date_is_what_transformers_writes_on_that_day(dated, monkeypatch, said):
    if said:
        monkeypatch.setenv("PAIRWRIGHT_DATE", said)
    shown = date_shown()
    assert str(shown) == (said or "2026-01-01")
    set_clock(monkeypatch, shown)
    expected = dated.apply_chat_template(
        [turn.model_dump() for turn in TURNS], add_generation_prompt=True, return_dict=False
    )
    for day in (1, 2):
        set_clock(monkeypatch, datetime.date(2031, 3, day))
        assert encode_prompt(dated, TURNS) == expected
    assert shown.strftime("%d %b %Y") in dated.decode(expected)


def test_another_date_is_another_model_and_no_date_a_sentence(tmp_path, monkeypatch):
    model = TinyRun(tmp_path).settings["model"]
    plain = model_identity(model)
    monkeypatch.setenv("PAIRWRIGHT_DATE", "2024-02-29")
    assert model_identity(model) == f"{plain}:2024-02-29"
    monkeypatch.setenv("PAIRWRIGHT_DATE", "yesterday")
    with pytest.raises(UsageError, match="PAIRWRIGHT_DATE must be a date such as 2026-01-01"):
        date_shown()


def test_a_training_goes_on_after_midnight(tmp_path, monkeypatch, caplog):
    tiny = TinyRun(tmp_path)
    (Path(tiny.settings["model"]) / "chat_template.jinja").write_text(DATED)
    settings = {"loss": "dpo", "save_steps": 1, "max_steps": 3, "reference_store": str(tmp_path / "refs")}
    set_clock(monkeypatch, datetime.date(2031, 3, 1))
    train(tiny.config(**settings))
    shutil.copytree(tmp_path / "out", tmp_path / "again")
    rewind_to(tmp_path / "again", 1)
    stored = sorted((tmp_path / "refs").rglob("*"))
    set_clock(monkeypatch, datetime.date(2031, 3, 2))
    train(tiny.config("again", **settings))
    records = [json.loads((tmp_path / name / "train.json").read_text()) for name in ("out", "again")]
    assert records[0]["identity"] == records[1]["identity"]
    assert records[0]["identity"]["date"] == "2026-01-01"
    assert sorted((tmp_path / "refs").rglob("*")) == stored
    monkeypatch.setenv("PAIRWRIGHT_DATE", "2024-02-29")
    with pytest.raises(UsageError, match="other settings"):
        train(tiny.config("again", **settings))
