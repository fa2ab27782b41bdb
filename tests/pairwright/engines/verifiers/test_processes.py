"""Functions in processes of their own: whatever they do, every answer gets its own result."""

import time
from functools import partial
from pathlib import Path

import pytest

from pairwright.engines.verifiers.calling import Item, Result
from pairwright.engines.verifiers.lookup import look_up
from pairwright.engines.verifiers.pool import FunctionPool
from pairwright.engines.verifiers.process import FunctionProcess
from pairwright.engines.verifiers.worker import Work
from pairwright.plugins import named

HOSTILE = """
import asyncio, ctypes, os, signal, sys, time
print("loaded")

def plain(prompt, answer, row):
    print("said to stdout", answer); os.write(1, b'{"place": 0}'); sys.stdin.read()
    if answer == "exit": os._exit(3)
    if answer == "crash": ctypes.string_at(0)
    if answer == "hang":
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM): signal.signal(number, signal.SIG_IGN)
        while True:
            try: time.sleep(60)
            except BaseException: pass
    return answer == "good"

def batched(completions, prompts, **columns):
    if "hang" in completions: time.sleep(60)
    if "exit" in completions: os._exit(3)
    return [float(c == "good") for c in completions]

async def awaited(prompt, answer, row):
    if answer == "hang": time.sleep(60)
    return answer == "good"
"""


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    path = tmp_path / "hostile.py"
    path.write_text(HOSTILE)
    return path


def results(spec: str, answers: list[str], timeout: float = 0.5, processes: int = 1) -> list[Result]:
    found = look_up(spec, "score")
    in_order = not (found.form.batched or found.form.awaited)
    make = partial(FunctionProcess, Work(found.make, "score", timeout), found.file, in_order=in_order)
    pool = FunctionPool(make, processes, 8)
    for place, answer in enumerate(answers):
        pool.submit(str(place), Item("?", [{"role": "user", "content": "?"}], answer, {}))
    got: dict[str, Result] = {}
    try:
        while len(got) < len(answers):
            got.update(pool.poll())
    finally:
        pool.close()
    return [got[str(place)] for place in range(len(answers))]


GOOD, POOR = '{"score": 1.0, "feedback": ""}', '{"score": 0.0, "feedback": ""}'


def test_a_plain_function_that_dies_or_hangs_fails_one_row(hostile: Path) -> None:
    started = time.monotonic()
    found = results(f"{hostile}:plain", ["good", "exit", "poor", "crash", "hang", "good"])
    assert [r.value for r in found] == [GOOD, None, POOR, None, None, GOOD]
    failures = [r.failure or "" for r in found]
    assert failures[1] == "the process ended with exit code 3"
    assert failures[3].startswith("the process ended with signal 11 (SIGSEGV) (hostile.py, line ")
    assert failures[4].startswith("took longer than 0.5 s (hostile.py, line ")
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("form", ["batched", "awaited"])
def test_functions_of_several_answers_too(hostile: Path, form: str) -> None:
    found = results(f"{hostile}:{form}", ["good", "hang", "poor"], timeout=0.3)
    assert [r.value for r in found] == [GOOD, None, POOR]
    assert (found[1].failure or "").startswith("took longer than 0.3 s (hostile.py, line ")


def test_several_processes_share_the_answers(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import os, time\ndef pid(prompt, answer, row):\n    time.sleep(0.1)\n    return os.getpid()\n"
    )
    found = results(f"{tmp_path}/slow.py:pid", ["a"] * 6, processes=2)
    assert len({r.value for r in found}) == 2


def test_functions_handed_over_from_python_go_along() -> None:
    least = 3

    def long(prompt: str, answer: str, row: object) -> bool:
        return len(answer) > least

    assert [r.value for r in results(named(long), ["abcd", "abc"], timeout=5.0)] == [GOOD, POOR]


def test_a_module_that_cannot_be_imported_there_says_so(tmp_path: Path) -> None:
    (tmp_path / "once.py").write_text(
        "import pathlib\nmark = pathlib.Path(__file__).with_name('seen')\n"
        "if mark.exists(): raise RuntimeError('not twice')\nmark.touch()\n"
        "def check(prompt, answer, row): return True\n"
    )
    [found] = results(f"{tmp_path}/once.py:check", ["a"])
    assert "cannot be imported: RuntimeError: not twice (once.py, line 3)" in (found.failure or "")


def test_closing_ends_what_hangs(hostile: Path) -> None:
    found = look_up(f"{hostile}:plain", "score")
    pool = FunctionPool(
        partial(FunctionProcess, Work(found.make, "score", 60.0), found.file, in_order=True), 1, 8
    )
    pool.submit("a", Item("?", [], "hang", {}))
    assert pool.poll(timeout=1.0) == []
    started = time.monotonic()
    pool.close()
    assert time.monotonic() - started < 10
