"""Replies from a file: which one, when, and what is wrong with the file."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from asking import ask, job

from pairwright.engines.base import Engine
from pairwright.engines.canned import CannedEngine, canned_identity
from pairwright.engines.kinds import reports_logprobs
from pairwright.engines.options import EngineOptions
from pairwright.errors import UsageError
from pairwright.records import Completion, Job, Message, Request


def written(path: Path, *lines: dict[str, Any] | str) -> Path:
    path.write_text("".join(f"{x if isinstance(x, str) else json.dumps(x)}\n" for x in lines), "utf-8")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "replies.jsonl"


def opened(path: Path) -> CannedEngine:
    return CannedEngine(path, EngineOptions(), f"canned:{path}")


def test_one_line_answers_everything(file: Path) -> None:
    engine: Engine = opened(written(file, {"text": "Yes."}))
    completions = ask(engine, [job(f"question {i}") for i in range(50)])
    assert set(completions) == {Completion(text="Yes.", model="canned")}
    assert not reports_logprobs(engine.spec)
    assert engine.poll() == []


def test_the_first_match_answers(file: Path) -> None:
    engine = opened(
        written(file, {"text": "z"}, {"match": "red", "text": "R"}, "", {"match": "red fox", "text": "F"})
    )
    red, fox, other = ask(engine, [job("a red fox"), job("fox"), job("a red hen")])
    assert (red.text, fox.text, other.text) == ("R", "z", "R")


def test_every_message_can_match(file: Path) -> None:
    engine = opened(written(file, {"match": "red", "text": "R"}))
    messages = (Message(role="system", content="red"), Message(role="user", content="fox"))
    request = Request(role="policy", messages=messages)
    split = Request(role="policy", messages=(messages[1], Message(role="user", content="re\nd")))
    found, missed = ask(engine, [Job(key=r.key("x"), request=r) for r in (request, split)])
    assert found.text == "R"
    assert missed.failure == "no canned reply matches"


def test_draws_by_seed_and_not_by_order(file: Path) -> None:
    lines = [{"text": str(i)} for i in range(5)]
    jobs = [job("same question", sample_index=i) for i in range(500)]
    forward = ask(opened(written(file, *lines)), jobs)
    backward = ask(opened(file), jobs[::-1])
    assert forward == backward[::-1]
    counts = [sum(c.text == line["text"] for c in forward) for line in lines]
    assert min(counts) > 70


def test_everything_a_line_can_say(file: Path) -> None:
    engine = opened(
        written(
            file,
            {"match": "cut", "text": "Half an", "finish_reason": "length"},
            {"match": "fail", "failure": "out of order"},
            {"match": "old", "text": "A", "logprobs": [{"A": -0.2, "B": -1.7}]},
            {"text": "B", "top_logprobs": [{"B": -0.1}]},
        )
    )
    assert reports_logprobs(engine.spec)
    cut, failed, old, rest = ask(engine, [job(m, logprobs=2) for m in ("cut", "fail", "old", "rest")])
    assert cut.failure == "the canned reply cannot be given: it has no `top_logprobs`"
    assert failed == Completion(failure="out of order", model="canned")
    assert old.top_logprobs == ({"A": -0.2, "B": -1.7},)
    assert rest.text == "B"
    assert ask(engine, [job("cut")])[0].finish_reason == "length"


def test_constraints_hold(file: Path) -> None:
    engine = opened(written(file, {"match": "json", "text": '{"a": 1}'}, {"text": "A"}))
    schema = {"type": "object", "required": ["a"]}
    chosen, refused, formed, broken = ask(
        engine,
        [
            job("x", choices=("A", "B")),
            job("x", choices=("C", "D")),
            job("json", json_schema=schema),
            job("x", json_schema=schema),
        ],
    )
    assert chosen.text == "A"
    assert refused.failure == "the canned reply cannot be given: it is none of the 2 choices asked for"
    assert formed.text == '{"a": 1}'
    assert "not JSON" in (broken.failure or "")


def test_delays_hold_nobody_else_up(file: Path) -> None:
    engine = opened(written(file, {"match": "slow", "text": "s", "delay": 0.3}, {"text": "q"}))
    before = time.monotonic()
    for prompt in ("slow 1", "quick", "slow 2"):
        engine.submit(job(prompt))
    assert [f.completion.text for f in engine.poll()] == ["q"]
    assert time.monotonic() - before < 0.25
    assert engine.poll(timeout=0.01) == []
    late = engine.drain()
    assert [f.completion.text for f in late] == ["s", "s"]
    assert 0.3 <= time.monotonic() - before < 2


def test_closing_gives_up_what_is_in_hand(file: Path) -> None:
    engine = opened(written(file, {"text": "s", "delay": 60}))
    engine.submit(job("x"))
    engine.close()
    assert engine.poll() == []


def test_identity_is_the_content(file: Path, tmp_path: Path) -> None:
    copy = written(tmp_path / "copy.jsonl", {"text": "Yes."})
    assert opened(written(file, {"text": "Yes."})).identity == canned_identity(copy)
    assert canned_identity(written(copy, {"text": "No."})) != canned_identity(file)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("not json", "Invalid JSON"),
        ("[1]", "object"),
        ('{"text": 3}', "field text"),
        ('{"text": null}', "field text"),
        ('{"text": "\\ud83d"}', "line 2"),
        ('{"text": "x", "delay": -1}', "field delay"),
        ('{"text": "x", "delay": NaN}', "field delay"),
        ('{"text": "x", "match": ""}', "field match"),
        ('{"text": "x", "mach": "y"}', "field mach"),
        ('{"text": "x", "finish_reason": "tired"}', "field finish_reason"),
        ('{"text": "x", "logprobs": [{"A": "big"}]}', "field logprobs.0.A"),
        ('{"text": "x", "logprobs": [{"A": NaN}]}', "finite"),
        ('{"text": "x", "logprobs": [{"A": 0.5}]}', "at most 0"),
        ("{}", "needs `text` or `failure`"),
    ],
)
def test_what_is_wrong_is_named(file: Path, line: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"replies\.jsonl, line 2") as caught:
        opened(written(file, {"text": "fine"}, line))
    assert said in str(caught.value)


def test_bytes_that_are_no_text(file: Path) -> None:
    file.write_bytes(b'{"text": "\xff"}\n')
    with pytest.raises(UsageError, match="line 1"):
        opened(file)


def test_empty_and_missing_files(file: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        opened(file)
    with pytest.raises(UsageError, match="holds no replies"):
        opened(written(file, "", "  "))


def test_is_fast(file: Path) -> None:
    engine = opened(written(file, *({"text": str(i)} for i in range(10))))
    jobs = [Job(key=f"{i:032x}", request=job("x").request) for i in range(20_000)]
    before = time.monotonic()
    for start in range(0, len(jobs), engine.capacity):
        for one in jobs[start : start + engine.capacity]:
            engine.submit(one)
        engine.poll()
    assert len(jobs) / (time.monotonic() - before) > 20_000
