"""`check:code`: the row's own tests on an answer's program, in a restricted process.

It runs in a process with limits on time, memory and the size of files, with an empty environment, in a
folder that is removed, with no network, and with process numbers of its own where the machine allows it,
so that nothing it starts outlives it. It still reads and writes what this user can, and one that sets out
to can feign passed tests: for programs of strangers, run all of it in a container.
"""

import ast
import contextlib
import ctypes
import json
import os
import resource
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from pairwright.engines.verifiers.check import Check, Score, first_given, named
from pairwright.errors import UsageError

_TESTS = "tests|test_list|test"
_LANGUAGES = ("python", "py", "")
"""Of code blocks, those that are taken first before others."""
_RUNNER = Path(__file__).with_name("run_tests.py")
_NEW_USER, _NEW_PROCESSES, _NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
_LEAST_MB = 64
"""What Python itself needs."""
_FILE_BYTES, _OPEN_FILES = 16 * 2**20, 64
_libc = ctypes.CDLL(None, use_errno=True)


def code(
    tests: str = _TESTS,
    *,
    setup: str | None = None,
    seconds: float = 10.0,
    memory_mb: int = 1024,
    network: bool = False,
) -> Check:
    """Return the share of tests that the Python program in an answer passes; 1 when it passes all.

    The column `tests` holds a program with assertions, or a list of them (MBPP); one that defines
    `check` (HumanEval) is called with the column `entry_point`. The column `setup` runs before them.
    The program is the first code block of the answer, or all of it. `seconds` is the time for all tests.
    """
    if not seconds > 0 or memory_mb < _LEAST_MB:
        raise UsageError(f"check:code: seconds must be more than 0, and memory_mb at least {_LEAST_MB}")
    if not network and not _can_be_cut_off():
        raise UsageError(
            "check:code: this machine lets no process leave the network (unshare is refused); run in a "
            "container without one and say check:code(network=True)"
        )

    def score(prompt: str, answer: str, row: Mapping[str, Any]) -> Score:
        before = str(row.get(setup) or "") if setup else ""
        work = {"program": _program(answer), "setup": before, "tests": _tests(row, tests)}
        return _run(work, seconds, memory_mb, network)

    return Check(score, (tests, *([setup] if setup else [])), ("markdown-it-py",))


def _program(answer: str) -> str:
    """The first code block in Python, else the first without a language, else the first, else all of it."""
    blocks = [token for token in MarkdownIt().parse(answer) if token.type == "fence"]
    languages = [
        block.info.split(maxsplit=1)[0].lower().rstrip("0123456789.") if block.info.strip() else ""
        for block in blocks
    ]
    for language in _LANGUAGES:
        if language in languages:
            return blocks[languages.index(language)].content
    return blocks[0].content if blocks else answer


def _tests(row: Mapping[str, Any], columns: str) -> list[str]:
    """The tests of a row. Raises `ValueError` where none of them would run."""
    given, called = first_given(row, columns), row.get("entry_point")
    asked = [given] if isinstance(given, str) else [str(test) for test in given]
    if called and any("def check(" in test for test in asked):
        asked = ["\n".join([*asked, f"check({called})"])]
    try:
        lines = [line for test in asked for line in ast.parse(test).body]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"a test is no Python: {error}") from None
    if not any(map(_does_something, lines)):
        end = "" if called else ", and no `entry_point` that they could be called with"
        raise ValueError(f"the row has no test that runs in its column {named(columns)}{end}")
    return asked


def _does_something(line: ast.stmt) -> bool:
    if isinstance(line, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return any(isinstance(node, ast.Assert | ast.Call | ast.Raise) for node in ast.walk(line))


def _run(work: dict[str, Any], seconds: float, memory_mb: int, network: bool) -> Score:
    """Run the tests in a process of their own and read what they came to."""
    word = secrets.token_hex(8)  # what the program cannot say without its tests having run
    with tempfile.TemporaryDirectory(prefix="pairwright-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-I", str(_RUNNER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={"PATH": os.defpath, "HOME": folder, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
            preexec_fn=lambda: _confine(seconds, memory_mb, network),
        )
        try:
            out, _ = process.communicate(json.dumps(work | {"word": word}).encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            return 0.0, f"the program took longer than {seconds:g} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    lines = out.decode(errors="replace").splitlines()
    told = next((line.removeprefix(word) for line in lines if line.startswith(word)), "")
    if not told:
        return 0.0, "the program ended before its tests were through"
    said = json.loads(told)
    return said["passed"] / len(work["tests"]), said["wrong"]


def _confine(seconds: float, memory_mb: int, network: bool) -> None:
    """Take from this process what a program under test does not need."""
    limits = {
        resource.RLIMIT_CPU: int(seconds) + 1,
        resource.RLIMIT_AS: memory_mb * 2**20,
        resource.RLIMIT_FSIZE: _FILE_BYTES,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in limits.items():
        resource.setrlimit(what, (most, most))
    if not _cut_off(network):
        raise OSError(ctypes.get_errno(), "the network cannot be left")


def _cut_off(network: bool) -> bool:
    """Leave the network, and have process numbers of one's own where that is allowed."""
    needed = 0 if network else _NEW_NETWORK
    ways = (_NEW_PROCESSES, _NEW_PROCESSES | _NEW_USER, 0, _NEW_USER if needed else 0)
    return any(_libc.unshare(needed | way) == 0 for way in ways)


def _can_be_cut_off() -> bool:
    if sys.platform != "linux":
        return False
    child = os.fork()
    if child == 0:
        os._exit(not _cut_off(network=False))
    return os.waitpid(child, 0)[1] == 0
