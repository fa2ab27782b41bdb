"""Where what can be made again is kept."""

from pathlib import Path

import pytest

from pairwright.folders.cache import cache_folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PAIRWRIGHT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_variable_decides(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIRWRIGHT_CACHE", "~/mine")
    assert cache_folder() == home / "mine"


@pytest.mark.skipif("sys.platform != 'linux'", reason="XDG folders are Linux's; macOS has its own")
def test_without_it_the_system_does(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == home / ".cache" / "pairwright"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "elsewhere"))
    assert cache_folder() == home / "elsewhere" / "pairwright"


def test_a_cache_made_before_is_used_until_there_is_another(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "elsewhere"))
    before = home / ".cache" / "pairwright"
    before.mkdir(parents=True)
    assert cache_folder() == before
    (home / "elsewhere" / "pairwright").mkdir(parents=True)
    assert cache_folder() == home / "elsewhere" / "pairwright"
