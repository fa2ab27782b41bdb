"""Functions named `file.py:name` or `module:name`, or handed over: found, checked, told apart."""

import functools
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from pairwright.errors import UsageError
from pairwright.plugins import function, is_plugin, load, named
from pairwright.plugins.identity import _sources

RULE = function("a rule", "def NAME(text, row) -> bool", "text", "row")


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)


def test_a_function_in_a_file_is_found_with_the_modules_beside_it(tmp_path: Path) -> None:
    write(tmp_path, rules="import words\ndef polite(text, row):\n    return words.PLEASE in text\n")
    write(tmp_path, words="PLEASE = 'please'\n")
    found = load(f"{tmp_path}/rules.py:polite", RULE)
    assert found.value("yes, please", {})
    assert found.identity.startswith("rules:polite#")


def test_the_identity_follows_the_source_and_local_imports_and_not_the_folder(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        write(folder, rules="def polite(text, row):\n    from kit.words import OK\n    return OK\n")
        write(folder, kit____init__="", kit__words="OK = True\n", kit__other="NO = 1\n")
    identities = [load(f"{folder}/rules.py:polite", RULE).identity for folder in (first, second)]
    assert identities[0] == identities[1]
    write(second, kit__other="NO = 2\n")  # nobody imports it
    assert load(f"{second}/rules.py:polite", RULE).identity == identities[0]
    write(second, kit__words="OK = False\n")
    assert load(f"{second}/rules.py:polite", RULE).identity != identities[0]


def test_what_else_the_path_leads_to_counts_unless_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    source = f"import sys\nsys.path.insert(0, {str(tmp_path / 'lib')!r})\n"
    source += "import json, numpy, pairwright, kit_lib.rules\ndef polite(text, row): ...\n"
    write(tmp_path, rules=source)
    write(tmp_path, lib__kit_lib__rules="import words_of_lib\n")
    write(tmp_path, lib__words_of_lib="OK = 1\n")
    before = load(f"{tmp_path}/rules.py:polite", RULE)
    assert load(f"{tmp_path}/rules.py:polite", RULE).value is before.value  # it is run once
    write(tmp_path, lib__words_of_lib="OK = 2\n")
    assert load(f"{tmp_path}/rules.py:polite", RULE).identity != before.identity
    found = _sources(tmp_path / "rules.py", "rules")
    assert sorted(name for name, _ in found.values()) == [
        "kit_lib/rules.py", "rules.py", "words_of_lib.py",
    ]  # fmt: skip


def test_relative_imports_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, kit_a____init__="", kit_a__words="OK = 1\n")
    write(tmp_path, kit_a__rules="from .words import OK\ndef polite(text, row):\n    return OK\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = load("kit_a.rules:polite", RULE).identity
    write(tmp_path, kit_a__words="OK = 2\n")
    assert load("kit_a.rules:polite", RULE).identity != before


def test_an_edited_file_is_read_again(tmp_path: Path) -> None:
    for value in (1, 2):
        write(tmp_path, rules=f"def polite(text, row):\n    return {value}\n")
        assert load(f"{tmp_path}/rules.py:polite", RULE).value("", {}) == value


def test_a_module_of_the_current_folder_is_found(tmp_path: Path) -> None:
    """The shell's command does not have the folder on its path."""
    write(tmp_path, my_rules_here="def polite(text, row):\n    return True\n")
    code = (
        "from pairwright.plugins import load, function\n"
        "print(load('my_rules_here:polite', function('a rule', '', 'a', 'b')).identity)"
    )
    run = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert run.stdout.startswith("my_rules_here:polite#"), run.stderr


@pytest.mark.parametrize(
    ("name", "source", "sentence"),
    [
        ("rules.py:polit", "def polite(text, row): ...", "did you mean polite?"),
        ("rules.py:kind", "def polite(text, row): ...\ndef rude(text, row): ...", "it has polite, rude"),
        ("rules.py:polite", "def polite(text): ...", "a rule is written `def polite(text, row) -> bool`"),
        ("rules.py:polite", "def polite(text): ...", "this is `def polite(text)`"),
        ("rules.py:polite", "polite = 3", "this is no function but int"),
        ("rules.py:polite", "import nowhere_at_all", "No module named 'nowhere_at_all' (rules.py, line 1)"),
        ("rules.py:polite", "x = 1\nraise SystemExit('no')", "SystemExit: no (rules.py, line 2)"),
        ("rules.py:polite", "def polite(:", "(rules.py, line 1)"),
        ("rules.py", "", "rules.py:NAME"),
        ("gone.py:polite", "", "no such file: gone.py"),
        ("no_such_module:polite", "", "no module 'no_such_module'"),
        ("polite", "", "a function is named file.py:NAME or module:NAME"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str, sentence: str
) -> None:
    write(tmp_path, rules=source)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as error:
        load(name, RULE)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_what_a_file_prints_does_not_reach_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, rules="print('hello')\ndef polite(text, row): ...\n")
    load(f"{tmp_path}/rules.py:polite", RULE)
    assert capsys.readouterr().out == ""


def longer_than(least: int):  # type: ignore[no-untyped-def]
    def rule(text: str, row: object) -> bool:
        return len(text) > least

    return rule


def test_objects_from_python_go_by_their_source_and_what_they_close_over() -> None:
    five, six = named(longer_than(5)), named(longer_than(6))
    assert five == named(longer_than(5)) != six
    assert load(five, RULE).value("123456", {})
    assert not load(six, RULE).value("123456", {})
    assert named(functools.partial(longer_than(5), row={})) != named(
        functools.partial(longer_than(6), row={})
    )
    assert named("hf:smollm2") == "hf:smollm2"
    assert named([longer_than(5), "check:regex(a)"]) == f"{five},check:regex(a)"


def test_what_can_be_imported_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, kit_b____init__="", kit_b__rules="def polite(text, row): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    rules = importlib.import_module("kit_b.rules")
    assert named(rules.polite) == "kit_b.rules:polite"
    write(tmp_path, alone="def polite(text, row): ...\n")
    from_file = load(f"{tmp_path}/alone.py:polite", RULE)
    assert load(named(from_file.value), RULE).identity == from_file.identity


def test_names_are_told_by_their_form() -> None:
    assert is_plugin("checks.py:passes")
    assert is_plugin("a/b c/checks.py:passes")
    assert is_plugin("my.rules:no_emoji")
    assert not is_plugin("apo_zero")
    assert not is_plugin("openai:model@http://localhost:8000/v1")
