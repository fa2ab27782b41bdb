"""Settings that came later, and folders that were made without them."""

from pathlib import Path

import pytest
from pydantic import Field

from pairwright.config import ADDED, GATE, Config


class Before(Config):
    beta: float = 0.1


class Now(Before):
    tries: int = Field(default=2, json_schema_extra=GATE | ADDED)
    scale: float = Field(default=1.0, json_schema_extra=ADDED)


class Named(Config):
    source: str
    others: tuple[str, ...] = ()
    place: Path = Path()


def test_the_home_folder_is_found_without_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    found = Named(source="~/a", others=("~/b", "c~/d"), place=Path("~/e"))
    assert found == Named(source="/home/ana/a", others=("/home/ana/b", "c~/d"), place=Path("/home/ana/e"))
    assert Named(source="~").source == "/home/ana"
    assert Named(source="~ is a tilde").source == "~ is a tilde"


def test_a_new_setting_is_recorded_where_it_is_not_the_default() -> None:
    for kind in ("semantic", "gate"):
        assert Now().of_kind(kind) == Before().of_kind(kind)
    assert Now(tries=3).of_kind("gate") == {"tries": 3}
    assert Now(scale=2).of_kind("semantic") == {"beta": 0.1, "scale": 2.0}
