"""Help pages and flags: they fit the screen, answer at once, and change by decision."""

import os
import re
import statistics
import subprocess
import sys

import pytest
from golden_files import check_golden
from in_process import run

from pairwright.commands import COMMANDS
from pairwright.config import Config, is_positional, kind_of, setting_named, settings_of


def config_of(name: str) -> type[Config]:
    return COMMANDS[name].config()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_the_screen_and_has_an_example(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, name, "--help")
    assert (code, err) == (0, "")
    assert max(len(line) for line in out.splitlines()) <= 80
    assert re.search(rf"Example: pairwright {name} ", " ".join(out.split()))
    for field in config_of(name).model_fields:
        assert f"--{field}" in out, field
    assert "--empty" not in out
    assert "Input should" not in out


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_in_help_are_accepted(name: str) -> None:
    """Every flag in an example is one of the command's, and what must be given is given."""
    [example] = re.findall(r"Example: pairwright (.*)", config_of(name).__doc__ or "")
    fields = config_of(name).model_fields
    flags = re.findall(r"--([\w.]+)", example)
    assert [flag for flag in flags if setting_named(config_of(name), flag) is None] == []
    positional = [n for n, f in fields.items() if is_positional(f)]
    assert {n for n, f in fields.items() if f.is_required()} <= {*flags, *positional}


def test_help_lists_every_command(capfd: pytest.CaptureFixture[str]) -> None:
    for argv in ([], ["--help"], ["-h"]):
        code, out, err = run(capfd, *argv)
        assert (code, err) == (0, "")
        for name, command in COMMANDS.items():
            assert re.search(rf"{name} +{re.escape(command.summary)}", out)
        assert max(len(line) for line in out.splitlines()) <= 80


def processor_seconds(*python: str) -> float:
    """Of a Python process; they do not depend on who else uses the machine."""
    times = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, *python], check=True, capture_output=True)
        after = os.times()
        times.append(after[2] + after[3] - before[2] - before[3])
    return statistics.median(times)


@pytest.mark.parametrize(
    ("argv", "most"), [(["--help"], 5), (["--version"], 5), (["revise", "--help"], 10)]
)
def test_help_answers_at_once(argv: list[str], most: float) -> None:
    """In so many times as pydantic, on which all settings stand, takes to load on this machine."""
    pydantic = processor_seconds("-c", "import pydantic.main")
    assert processor_seconds("-m", "pairwright", *argv) < most * pydantic


@pytest.mark.parametrize("name", COMMANDS)
def test_flags_change_by_decision(name: str) -> None:
    lines = []
    for field_name, field in settings_of(config_of(name)):
        default = (
            "must be given" if field.is_required() else repr(field.get_default(call_default_factory=True))
        )
        lines.append(f"--{field_name}: {default} ({kind_of(field)})")
    check_golden(f"flags_{name}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_setting_has_a_sentence(name: str) -> None:
    for field_name, field in settings_of(config_of(name)):
        assert field.description, field_name
        assert field.description.rstrip().endswith((".", "…")), field_name
