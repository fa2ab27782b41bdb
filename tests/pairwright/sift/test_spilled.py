"""Rows that wait on disk come back as they were, in whatever order they are asked for."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pairwright.schema import CONVERSATION
from pairwright.sift.spilled import Spilled
from pairwright.sift.whole import Block

SCHEMA = pa.schema([("prompt", CONVERSATION), ("where", pa.string()), ("margin", pa.float64())])


def blocks(sizes: list[int]) -> list[Block]:
    found, place = [], 0
    for size in sizes:
        numbers = range(place, place + size)
        rows = [
            {
                "prompt": [{"role": "user", "content": f"question {n}"}],
                "where": None if n % 3 else f"the user's own {n}",
                "margin": None if n % 5 == 0 else n / 7,
            }
            for n in numbers
        ]
        problems = {n - place: f"row {n} is broken" for n in numbers if n % 11 == 4}
        found.append(
            Block([f"rows.jsonl line {n}" for n in numbers], pa.Table.from_pylist(rows, SCHEMA), problems)
        )
        place += size
    return found


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 150), min_size=1, max_size=4), st.data())
def test_rows_come_back_in_the_order_asked_for(sizes: list[int], data: st.DataObject) -> None:
    given_blocks = blocks(sizes)
    every = [row for block in given_blocks for row in block.rows()]
    spilled = Spilled(given_blocks, SCHEMA)
    assert len(spilled) == len(every)
    assert [row for block in spilled.blocks() for row in block.rows()] == every
    assert spilled.column("margin") == [row.columns["margin"] for row in every]
    places = data.draw(st.lists(st.integers(0, len(every) - 1), min_size=1)) if every else []
    if places:
        assert list(spilled.take(places).rows()) == [every[place] for place in places]
