"""Engines that outlive a command: taken up by the next of their shape, replaced where that cannot be.

A program that speaks as the worker does stands in the place of vLLM; `test_weights.py` has the real one.
"""

import json
import sys
import time
from pathlib import Path

import pytest
from asking import ask, job
from tiny_model import save_tiny_model
from vllm_stand_in import stand_in

from pairwright.engines.options import EngineOptions
from pairwright.engines.vllm.engine import VLLMEngine
from pairwright.engines.vllm.settings import rank_for
from pairwright.engines.vllm.warm import engines_kept
from pairwright.errors import UsageError


def answer(model: str, python: str, adapter: str = "", **settings: str) -> tuple[int, str, str]:
    """Process, model and adapter behind the answer of an engine that is opened and closed."""
    options = EngineOptions(engine={"python": python} | settings, adapter=adapter)
    engine = VLLMEngine(model, options, f"vllm:{model}")
    try:
        [completion] = ask(engine, [job("Hi")])
    finally:
        engine.close()
    pid, model, *on = completion.text.split(" ")
    return int(pid), model, "".join(on)


def ended(pid: int) -> bool:
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two of one shape, one of another."""
    at = tmp_path_factory.mktemp("models")
    return [save_tiny_model(at / n, **c) for n, c in (("a", {}), ("b", {}), ("c", {"hidden_size": 32}))]


def adapter(folder: Path, base: str) -> str:
    """A folder that looks like an adapter's; nobody reads its weights here."""
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base, "r": 4}))
    (folder / "adapter_model.safetensors").write_bytes(folder.name.encode())
    return str(folder)


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, as the keeper does")


def test_an_engine_goes_on_with_other_weights_and_ends_with_the_rounds(
    models: list[str], tmp_path: Path
) -> None:
    a, b, other = models
    python = stand_in(tmp_path)
    with engines_kept():
        first, second = answer(a, python), answer(b, python)
        third, fourth = answer(other, python), answer(a, python)
        asked_else = answer(a, python, max_model_len="64")
        assert Path(f"/proc/{first[0]}").exists()
    assert [found[1] for found in (first, second, third, fourth)] == [a, b, other, a]
    assert first[0] == second[0] == fourth[0] != third[0]
    assert asked_else[0] not in (first[0], third[0])
    assert all(ended(found[0]) for found in (first, third, asked_else))
    assert answer(a, python)[0] != answer(a, python)[0], "without rounds each ends with its command"


def test_adapters_are_swapped_on_one_base(models: list[str], tmp_path: Path) -> None:
    base, python = models[0], stand_in(tmp_path)
    one, two = (adapter(tmp_path / name, base) for name in ("one", "two"))
    with engines_kept():
        found = [answer(base, python, one), answer(two, python), answer(one, python)]
    assert [on for _, _, on in found] == [one, two, one]
    assert {model for _, model, _ in found} == {base}
    assert len({pid for pid, _, _ in found}) == 1
    with engines_kept(base, 8):  # room for those that will come is made from the start
        found = [answer(base, python), answer(base, python, one)]
    assert found[0][0] == found[1][0]
    with pytest.raises(UsageError, match="is an adapter itself; name its base"):
        answer(one, python, two)
    with pytest.raises(UsageError, match="no folder of a peft adapter"):
        answer(base, python, base)


@pytest.mark.parametrize(
    "changes",
    [
        'say(refused="no such method")',
        "sys.exit(1)",
        'setting = asked["change"]; say(alive=True); sys.exit()',
    ],
    ids=["refuses", "dies", "dies after a word"],
)
def test_one_that_cannot_change_is_replaced(models: list[str], tmp_path: Path, changes: str) -> None:
    python = stand_in(tmp_path, changes=changes)
    with engines_kept():
        first, second = answer(models[0], python), answer(models[1], python)
        assert ended(first[0])
    assert (second[0] != first[0], second[1]) == (True, models[1])


def test_one_that_cannot_leave_the_gpu_or_has_work_in_hand_is_not_kept(
    models: list[str], tmp_path: Path
) -> None:
    python = stand_in(tmp_path, rests=False)
    with engines_kept():
        assert ended(answer(models[0], python)[0])
    silent = tmp_path / "silent"
    silent.mkdir()
    with engines_kept():
        options = EngineOptions(engine={"python": stand_in(silent)})
        engine = VLLMEngine(models[0], options, "vllm:m")
        group = engine.group
        engine.submit(job("Hi"))
        engine.close()
        assert ended(group)


@pytest.mark.parametrize(
    ("said", "rank"),
    [('{"r": 4}', 8), ('{"r": 16, "rank_pattern": {"q_proj": 33}}', 64), ('{"r": 512}', 512)],
)
def test_the_least_rank_with_room_is_taken(tmp_path: Path, said: str, rank: int) -> None:
    (tmp_path / "adapter_config.json").write_text(said)
    assert rank_for(str(tmp_path)) == rank
    (tmp_path / "adapter_config.json").write_text('{"r": 513}')
    with pytest.raises(UsageError, match="rank 513; vLLM takes at most 512: merge it"):
        rank_for(str(tmp_path))
