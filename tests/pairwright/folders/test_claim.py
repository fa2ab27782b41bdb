"""Whose a folder is."""

from pathlib import Path

import pytest

from pairwright.errors import UsageError
from pairwright.folders.claim import changed_field, refuse_foreign, refuse_other


def asked(folder: Path) -> None:
    refuse_foreign(folder, "mark.json", own=("journal.*",), setting="--out")


def test_what_a_killed_command_left_is_ours(tmp_path: Path) -> None:
    asked(tmp_path / "new")
    asked(tmp_path)
    (tmp_path / "data").mkdir()
    for name in (".lock", ".tmp-7-mark.json", "journal.sqlite", "data/.tmp-rows"):
        (tmp_path / name).touch()
    asked(tmp_path)


@pytest.mark.parametrize("name", ["thesis.txt", "data/rows", "journals", ".locked"])
def test_what_is_somebody_elses_is_refused_unless_the_mark_is_there(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(
        UsageError, match=rf"holds other files \({name.partition('/')[0]}\); choose another"
    ):
        asked(tmp_path)
    (tmp_path / "mark.json").touch()
    asked(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(UsageError, match="taken: is a file; name a folder for --out"):
        asked(tmp_path / "taken")


def test_what_differs_is_named_with_both_values(tmp_path: Path) -> None:
    assert changed_field({"a": 1}, {"a": 1}) is None
    assert changed_field({"input": "0a" * 32}, {"input": "0b" * 32}) == (
        "`input` was content with the hash 0a0a0a0a and is now content with the hash 0b0b0b0b"
    )
    refuse_other(tmp_path, {"a": 1}, {"a": 1}, "choose another")
    assert changed_field({"policy model": "a"}, {"policy_1 model": "a", "policy_2 model": "b"}) == (
        "`policy model` was 'a'; now there is `policy_1 model` 'a' and `policy_2 model` 'b'"
    )
    with pytest.raises(UsageError, match="a loop with other settings: `b` was None and is now 2; wait"):
        refuse_other(tmp_path, {"a": 1}, {"a": 1, "b": 2}, "wait", what="loop")
