"""`check:code`: the row's own tests on an answer's program, in a restricted process.

It runs in a process with limits on time, memory and files, with an empty environment, in a folder
that is removed, and with no network. It can still read what this user can read: for programs of
strangers, run all of it in a container.
"""

import contextlib
import ctypes
import json
import os
import re
import resource
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pairwright.engines.verifiers.check import Check, Score
from pairwright.errors import UsageError

_TESTS = "tests|test_list|test"
_FENCE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_RUNNER = Path(__file__).with_name("run_tests.py")
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
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
    if not network and not _can_be_cut_off():
        raise UsageError(
            "check:code: this machine lets no process leave the network (unshare is refused); run in a "
            "container without one and say check:code(network=True)"
        )

    def score(prompt: str, answer: str, row: Mapping[str, Any]) -> Score:
        column = next(name for name in tests.split("|") if name in row)
        given = row[column]
        asked = [given] if isinstance(given, str) else [str(test) for test in given]
        if row.get("entry_point") and any("def check(" in test for test in asked):
            asked = ["\n".join([*asked, f"check({row['entry_point']})"])]
        fenced = _FENCE.search(answer)
        before = str(row.get(setup) or "") if setup else ""
        work = {"program": fenced[1] if fenced else answer, "setup": before, "tests": asked}
        return _run(work, seconds, memory_mb, network)

    return Check(score, (tests, *([setup] if setup else [])))


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
    lines = [line for line in out.decode(errors="replace").splitlines() if line.startswith(word)]
    if not lines:
        return 0.0, "the program ended before its tests were through"
    said = json.loads(lines[-1].removeprefix(word))
    return said["passed"] / max(len(work["tests"]), 1), said["wrong"]


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
    if not network and _leave_network() != 0:
        raise OSError(ctypes.get_errno(), "the network cannot be left")


def _leave_network() -> int:
    return int(_libc.unshare(_NEW_NETWORK)) and int(_libc.unshare(_NEW_USER | _NEW_NETWORK))


def _can_be_cut_off() -> bool:
    if sys.platform != "linux":
        return False
    child = os.fork()
    if child == 0:
        os._exit(_leave_network() != 0)
    return os.waitpid(child, 0)[1] == 0
