"""The shipped checks and how they are written."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from pairwright.engines.verifiers.calling import Kind
from pairwright.engines.verifiers.checks import make_check
from pairwright.engines.verifiers.lookup import look_up
from pairwright.engines.verifiers.spec import split_specs
from pairwright.errors import UsageError


def score(spec: str, said: str, **row: Any) -> tuple[float, str]:
    return make_check(spec, allow_code=True)("What is it?", said, row)


def test_commas_in_brackets_and_quotes_divide_nothing() -> None:
    text = "checks.py:passes, check:contains(\"a, b)\", 'c',column=words) ,hf:smollm2"
    assert split_specs(text) == [
        "checks.py:passes",
        "check:contains(\"a, b)\", 'c',column=words)",
        "hf:smollm2",
    ]


@pytest.mark.parametrize(
    ("spec", "answer", "wanted"),
    [
        ('check:contains("Please")', "yes, please", 1.0),
        ('check:contains("Please", ignore_case=False)', "yes, please", 0.0),
        ('check:contains("a", "b")', "just a", 0.5),
        ('check:excludes("sorry")', "I am Sorry", 0.0),
        ("check:excludes(sorry)", "fine", 1.0),
        ("check:length(max_words=2)", "one two", 1.0),
        ("check:length(max_words=2)", "one two three", 0.0),
        ("check:length(min_characters=4)", "one", 0.0),
        ('check:regex("^yes$")', "well\nyes", 1.0),
        ('check:regex("yes", whole=True)', "yes!", 0.0),
        ("check:json", '{"a": 1}', 1.0),
        ("check:json", '```json\n{"a": 1}\n```', 0.0),
        ("check:json(fenced=True)", '```json\n{"a": 1}\n```', 1.0),
        ("check:json(fenced=false)", '```json\n{"a": 1}\n```', 0.0),
        ("check:json", '{"a": NaN}', 0.0),
        ("check:json", "[" * 100_000, 0.0),
        ('check:regex("^yes", whole=false)', "yes sir", 1.0),
        ('check:contains("a", ignore_case=false)', "A", 0.0),
        (r'check:regex(r"\bcat\b")', "a cat sat", 1.0),
        (r'check:regex("\\bcat\\b")', "a cat sat", 1.0),
    ],
)
def test_texts(spec: str, answer: str, wanted: float) -> None:
    found, feedback = score(spec, answer)
    assert found == wanted
    assert (feedback == "") == (wanted == 1.0)


def test_columns_of_the_row_say_what_is_wanted() -> None:
    assert score("check:contains(column=words)", "a cat", words=["cat", "dog"]) == (
        0.5, "the answer must contain “dog”",
    )  # fmt: skip
    assert score("check:regex(column=pattern)", "42", pattern=r"^\d+$")[0] == 1.0
    schema = json.dumps({"type": "object", "required": ["name"]})
    assert score("check:json(column=schema)", "{}", schema=schema) == (
        0.0, "at $: 'name' is a required property",
    )  # fmt: skip
    assert make_check("check:json(column=schema)").wants == ("schema",)


@pytest.mark.parametrize("spec", ["contains(column=p)", "regex(column=p)", "json(column=p)", "math(gold=p)",
                                  "code(p)", "ifeval(ids=p)"])  # fmt: skip
@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_value_that_is_missing_is_no_wrong_answer(spec: str, missing: Any) -> None:
    with pytest.raises(ValueError, match="the row has no value in its column `p`"):
        score(f"check:{spec}", "None nan", p=missing, kwargs=[])


def test_nothing_asked_is_nothing_followed() -> None:
    for spec, row in (
        ("contains(column=p)", {"p": []}),
        ("ifeval", {"instruction_id_list": [], "kwargs": []}),
    ):
        with pytest.raises(ValueError, match=r"the row has no (text|instruction) in its column"):
            score(f"check:{spec}", "anything", **row)


def test_a_schema_in_a_file_is_part_of_what_the_check_is(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text('{"type": "array"}')
    before = make_check(f'check:json("{path}")')
    assert before("", "[]", {})[0] == 1.0
    path.write_text('{"type": "object"}')
    assert make_check(f'check:json("{path}")').identity != before.identity


@pytest.mark.parametrize(
    ("answer", "gold", "wanted"),
    [
        ("She sells 16 - 7 = 9 eggs, so 9 * 2 = $18.", "9 * 2 = <<9*2=18>>18\n#### 18", 1.0),
        (r"It is \boxed{\frac{1}{2}}.", "0.5", 1.0),
        ("The answer is 1,000.", "1000", 1.0),
        ("The answer is 19.", "#### 18", 0.0),
        ("I do not know.", "18", 0.0),
        ("B", "B", 1.0),
        (" (1,2)", "(1,2)", 1.0),
    ],
)
def test_results_of_mathematics(answer: str, gold: str, wanted: float) -> None:
    assert score("check:math", answer, answer=gold)[0] == wanted
    assert score("check:math(gold=right)", answer, right=gold)[0] == wanted
    assert score("check:math", answer, solution=None, answer=gold)[0] == wanted


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("check:nope", "no check 'nope'; checks are contains, excludes"),
        ("check:length", "is given min_words, max_words"),
        ("check:length(max_word=3)", "unexpected keyword argument 'max_word'; it takes (min_words"),
        (
            "check:regex(^a)",
            'a check is written check:NAME or check:NAME(argument=value), with texts in "quotes"',
        ),
        ('check:regex("[")', "'[' is no pattern"),
        ("check:contains", "are given texts"),
        ("check:contains(['a', 'b'])", "['a', 'b']: Input should be a valid string"),
        ("check:contains(column=5)", "column=5: Input should be a valid string"),
        ("check:contains(**{'column': 'a'})", "a check is written"),
        (r'check:regex("\bcat")', r"'\x08' is a control character there; write a backslash in r"),
        ("check:length(max_words=ten)", "max_words='ten': Input should be a valid integer"),
        ('check:length(max_words="10")', "max_words='10': Input should be a valid integer"),
        ("check:length(min_words=10, max_words=5)", "no answer has at least 10 and at most 5 words"),
        ("check:length(max_words=-1)", "no answer has at least 0 and at most -1 words"),
        ("check:math(72)", "72: Input should be a valid string"),
        ('check:json("nowhere.json")', "cannot read nowhere.json"),
        ("check:code", "--allow_code"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(spec: str, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        make_check(spec)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


TESTS = ["assert double(1) == 2", "assert double(3) == 6"]


@pytest.mark.parametrize(
    ("program", "wanted", "said"),
    [
        ("Sure:\n```python\ndef double(x):\n    return 2 * x\n```\nDone.", 1.0, ""),
        ("def double(x):\n    return 2", 0.5, "assert double(3) == 6"),
        ("import sys\nsys.exit(0)", 0.0, "does not run: SystemExit"),
        ("import os\nos._exit(0)", 0.0, "ended before its tests were through"),
        ("def double(x):\n    while True: pass", 0.0, "took longer than 0.7 s"),
        ("def double(x):\n    'x' * 10**10\n    return 2 * x", 0.0, "MemoryError"),
        ("def double(x):\n    open('f', 'w').write('a' * 10**8)\n    return 2 * x", 0.0, "too large"),
        (
            "import socket\ndef double(x):\n    socket.create_connection(('127.0.0.1', 9), 1)",
            0.0,
            "Network",
        ),
        ("import os\ndef double(x):\n    return 2 * x if 'SECRET' not in os.environ else 0", 1.0, ""),
        ("def double(x", 0.0, "SyntaxError"),
    ],
)
def test_programs_run_confined(
    program: str, wanted: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "1")
    seconds = 0.7 if "longer" in said else 30  # a busy machine takes its time for what does end
    found, feedback = score(f"check:code(seconds={seconds})", program, tests=TESTS)
    assert found == wanted
    assert said in feedback


@pytest.mark.parametrize(
    "fence", ["```python", "```Python3", "``` python", '```python title="a.py"', "~~~py", "```"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_program_is_the_code_block_in_python(fence: str, end: str) -> None:
    lines = [
        "Install:",
        "```bash",
        "pip install x",
        "```",
        "Then:",
        fence,
        "def f():",
        "    return 2",
        fence[:3],
    ]
    assert score("check:code", end.join(lines), tests=["assert f() == 2"]) == (1.0, "")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"test": "def check(c):\n    assert c(1) == 2"}, "in its column .*, and no `entry_point` that"),
        ({"tests": ""}, "the row has no test that runs in its column `tests`"),
        ({"tests": []}, "the row has no test that runs"),
        (
            {"tests": ["import unittest\nclass T(unittest.TestCase):\n    def test(self): assert 0"]},
            "no test that",
        ),
        ({"tests": ["assert f("]}, "a test is no Python"),
    ],
)
def test_a_program_that_no_test_touched_has_not_passed(row: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        score("check:code", "def f(x): return 'wrong'", **row)


def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    left = tmp_path / "left"
    program = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1.5)\n"
        f"    open({str(left)!r}, 'w').close()\n    os._exit(0)\ndef f(x): return x + 1"
    )
    began = time.monotonic()
    assert score("check:code", program, tests=["assert f(1) == 2"]) == (1.0, "")
    time.sleep(max(0.0, began + 2 - time.monotonic()))
    assert not left.exists()


def test_a_program_does_not_end_what_asked_for_its_score() -> None:
    """It would be this process, if it were the program's parent."""
    score("check:code", "import os\nos.kill(os.getppid(), 9)", tests=["assert True"])
    assert score("check:code", "x = 1", tests=["assert x == 1"]) == (1.0, "")


def test_programs_with_a_check_of_their_entry_point() -> None:
    test = "def check(candidate):\n    assert candidate(2) == 4\n"
    assert score("check:code", "def f(x):\n    return x * x", test=test, entry_point="f")[0] == 1.0


@pytest.mark.parametrize("kind", ["text", "revision"])
def test_a_check_is_asked_for_no_answers(kind: Kind) -> None:
    with pytest.raises(UsageError, match="check:math says whether an answer is right, and gives none"):
        look_up("check:math", kind)
