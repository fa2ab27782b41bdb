"""The scripts of `benchmarks/proof`, which import each other as scripts do, as modules."""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType

import pytest
from places import BENCHMARKS

PROOF = BENCHMARKS / "proof"


def scripts(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return what imports a module of the proof by name, afresh."""
    monkeypatch.syspath_prepend(str(PROOF))
    for name in (
        "arms",
        "bench",
        "forms",
        "good",
        "grounds",
        "measures",
        "played",
        "run_table",
        "table",
        "instructions",
    ):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module
