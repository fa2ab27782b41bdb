"""Runs a program and its tests, and says how many passed. Needs nothing but Python.

    python -I run_tests.py

Reads one line of JSON: `program`, `setup`, `tests` and `word`. Writes a line that begins with the word,
which the program never sees: one that exits early has passed nothing.
"""

import json
import os
import sys


def main() -> None:
    """Run the tests one after the other, in one namespace."""
    work = json.loads(sys.stdin.readline())
    word, told = work.pop("word"), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    names = {"__name__": "answer"}
    passed, wrong = 0, ""
    try:
        exec(compile(work["program"], "answer", "exec"), names)
        exec(compile(work["setup"], "setup", "exec"), names)
    except BaseException as error:
        wrong = f"the program does not run: {_said(error)}"
    for test in [] if wrong else work["tests"]:
        try:
            exec(compile(test, "test", "exec"), names)
            passed += 1
        except BaseException as error:
            wrong = wrong or f"a test fails with {_said(error)}: {test.strip()[-300:]}"
    os.write(told, (f"\n{word}" + json.dumps({"passed": passed, "wrong": wrong}) + "\n").encode())
    os._exit(0)


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


if __name__ == "__main__":
    main()
