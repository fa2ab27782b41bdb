"""Protocol `rank`: all answers in one question."""

import json
import math
import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.jury.config import JuryConfig
from judge.jury.jury import Jury
from judge.jury.listing import orders_of, read_ranking
from judge.jury.protocol import Case
from judge.jury.readout import label_doubt, read_cautiously
from judge.jury.verdict import Decision
from pairwright.errors import PairwrightError
from pairwright.records import Completion, Request

SHOWN = re.compile(r"<response (\w) (\w+)>\n(.*?)\n</response \1 \2>", re.DOTALL)


def decided(texts, reply, *, judge="hf:smollm2") -> tuple[list[Decision], list[Request]]:
    """What a jury of one decides about every two texts; `reply` is given the labels with the texts."""
    work = Jury(JuryConfig(judge=judge, protocol="rank")).decide(
        Case("row", "A task.", tuple(texts)), list(combinations(range(len(texts)), 2))
    )
    requests = next(work)
    try:
        work.send([reply([(m[0], m[2]) for m in SHOWN.findall(r.messages[-1].content)]) for r in requests])
    except StopIteration as stop:
        return stop.value, requests
    raise AssertionError


def by_worth(shown) -> Completion:
    """A judge that finds `3` three times as good as `1`."""
    total = sum(float(text) for _, text in shown) + 1
    return Completion(text="C", top_logprobs=[{label: math.log(float(t) / total) for label, t in shown}])


@given(st.integers(2, 9))
def test_either_of_two_stands_first_equally_often(count: int) -> None:
    orders = orders_of(range(count))
    for a, b in combinations(range(count), 2):
        assert sum(order.index(a) < order.index(b) for order in orders) * 2 == len(orders)
    assert len(orders) == count + count % 2


def test_probabilities_are_the_shares_of_the_two() -> None:
    decisions, requests = decided(["3", "1", "6"], by_worth)
    assert [d.preference for d in decisions] == pytest.approx([3 / 4, 3 / 9, 1 / 7])
    assert [d.status for d in decisions] == ["kept"] * 3
    assert len(requests) == 4
    assert len({tuple(SHOWN.findall(r.messages[-1].content)) for r in requests}) == 4
    assert len({r.messages[-1].content.partition("<response")[0] for r in requests}) == 1


def test_a_judge_that_goes_by_places_tells_nobody_apart() -> None:
    likes_first = lambda shown: Completion(  # noqa: E731
        text=shown[0][0],
        top_logprobs=[{label: math.log(0.5 / (place + 1)) for place, (label, _) in enumerate(shown)}],
    )
    decisions, _ = decided(["w", "x", "y", "z"], likes_first)
    assert {d.status for d in decisions} == {"inconsistent"}


def test_a_letter_that_was_not_reported_is_as_likely_as_it_can_be() -> None:
    def reply(shown):
        best = next(label for label, text in shown if text == "best")
        return Completion(text=best, top_logprobs=[{best: math.log(0.9), "The": math.log(0.05)}])

    [decision] = decided(["best", "other"], reply)[0]
    assert decision.preference == pytest.approx(0.9 / 0.95)


def test_an_order_that_is_written_is_read_from_its_own_line(tmp_path) -> None:
    silent = tmp_path / "silent.jsonl"
    silent.write_text(json.dumps({"text": "No log-probabilities."}) + "\n")

    def reply(shown):
        ranked = sorted(shown, key=lambda said: -float(said[1]))
        return Completion(text=f"All fine.\n**Ranking: {' > '.join(label for label, _ in ranked)}**")

    decisions, _ = decided(["1", "3", "2"], reply, judge=f"canned:{silent}")
    assert [d.preference for d in decisions] == [0, 0, 1]
    read = lambda text, quoted=(): read_ranking(Completion(text=text), ["C", "D"], quoted)  # noqa: E731
    assert read("Ranking: D > C") == [1.0, 2.0]
    assert read("Ranking: D > C", ["Ranking: D > C"]) is None
    assert read("Ranking: D") is None
    assert read("Ranking: D > E") is None


def test_silence_is_no_tie_and_too_many_are_refused() -> None:
    nothing = lambda shown: Completion(text="The", top_logprobs=[{"The": -0.01}])  # noqa: E731
    assert {d.status for d in decided(["x", "y"], nothing)[0]} == {"unparsed"}
    with pytest.raises(PairwrightError, match="23 answers to a prompt"):
        decided([str(n) for n in range(23)], nothing)


def test_a_label_has_at_most_what_those_that_are_reported_leave() -> None:
    """A server that tells of one token: beside 0.9 for A there is 0.1 for B, and not 0.9."""
    one = Completion(text="A", top_logprobs=({"A": math.log(0.9)},))
    reading = read_cautiously(one, ("A", "B"))
    assert (reading.label, reading.probability) == ("A", pytest.approx(0.9))
    assert label_doubt(one, ("A", "B")) == pytest.approx(0.1)
