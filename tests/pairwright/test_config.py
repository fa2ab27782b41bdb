"""What all settings have in common: names of places, and those that came later."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, ValidationError

from pairwright.config import ADDED, GATE, Config, split_commas


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


class Places(Config):
    input: str
    data: tuple[str, ...]
    out: str = ""


@pytest.mark.parametrize("given", [{"input": ""}, {"data": ("b", "")}, {"out": ""}])
def test_a_place_that_is_given_is_not_empty(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="is empty; name a file or folder"):
        Places(**{"input": "a", "data": ("b",)} | given)
    assert Places(input="a", data=("b",)).out == ""


def test_a_new_setting_is_recorded_where_it_is_not_the_default() -> None:
    for kind in ("semantic", "gate"):
        assert Now().of_kind(kind) == Before().of_kind(kind)
    assert Now(tries=3).of_kind("gate") == {"tries": 3}
    assert Now(scale=2).of_kind("semantic") == {"beta": 0.1, "scale": 2.0}


def test_names_are_parted_at_commas_unless_one_is_there(tmp_path: Path) -> None:
    whole = tmp_path / "lr=1,b=2"
    whole.mkdir()
    assert split_commas([str(whole), "a, b,"]) == (str(whole), "a", "b")
