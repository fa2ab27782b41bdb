"""Keys met before are found again as a dictionary finds them, however many arrays they are in."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pairwright.sift.sorted_runs import Firsts, SortedRuns

KEYS = st.lists(st.integers(0, 30).map(lambda n: n * (2**64 - 1) // 30), max_size=40)


@settings(max_examples=50, deadline=None)
@given(st.lists(KEYS, max_size=12))
def test_firsts_are_those_of_a_dictionary(blocks: list[list[int]]) -> None:
    firsts, known, count = Firsts(), dict[bytes, int](), 0
    for block in blocks:
        # half of the keys share their first eight bytes with another one
        hashes = [(n // 2 * 2).to_bytes(8, "little") + n.to_bytes(8, "little") for n in block]
        expected = [known.setdefault(key, count + n) for n, key in enumerate(hashes)]
        assert firsts(hashes) == expected
        count += len(block)


@settings(max_examples=50, deadline=None)
@given(st.lists(KEYS, max_size=12), KEYS)
def test_all_values_of_a_key_are_found(blocks: list[list[int]], asked: list[int]) -> None:
    runs, expected = SortedRuns(), []
    for number, block in enumerate(blocks):
        runs.add(np.array(block, np.uint64), np.full(len(block), number))
        expected += [(place, number) for key in block for place, other in enumerate(asked) if other == key]
    found = [
        pair
        for places, (values,) in runs.find(np.array(asked, np.uint64))
        for pair in zip(places.tolist(), values.tolist(), strict=True)
    ]
    assert sorted(found) == sorted(expected)
