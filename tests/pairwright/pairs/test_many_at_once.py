"""The measures of many pairs at once: those of each alone, and distinct tokens as sets have them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairwright.pairs.minimality import measure, measure_all
from pairwright.pairs.tokens import WORD

TEXT = st.text(st.sampled_from(list("abc  ,.\n\té漢か\u0301\u200d😀_1\ud800")), max_size=30)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=6))
def test_many_pairs_are_measured_as_each_is_alone(pairs: list[tuple[str, str]]) -> None:
    chosen, rejected = ([pair[side] for pair in pairs] for side in (0, 1))
    found = measure_all(chosen, rejected, original_is_chosen=False)
    assert found == [measure(c, r, original=r) for c, r in pairs]
    for (c, r), one in zip(pairs, found, strict=True):
        distinct_c, distinct_r = set(WORD.findall(c)), set(WORD.findall(r))
        either = len(distinct_c | distinct_r)
        assert one.jaccard == (len(distinct_c & distinct_r) / either if either else 1.0)


@pytest.mark.parametrize("original_is_chosen", [True, False])
def test_no_pairs_have_no_measures(*, original_is_chosen: bool) -> None:
    assert measure_all([], [], original_is_chosen=original_is_chosen) == []
