"""Texts cut at their white space: beside `str.split`."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pairwright.pairs.runs import Runs, cut

letters = st.characters() | st.sampled_from(" \n\t\r\x1c\x85\xa0\u2003\u3000\ud800aab")


@given(st.lists(st.text(letters, max_size=12), max_size=6))
def test_texts_are_cut_as_split_cuts_them(texts: list[str]) -> None:
    found = cut(tuple(texts))
    different = [run.decode("utf-8", "surrogatepass").rstrip() for run in found.runs_D]
    runs = [different[n] for n in found.which_R]
    begins = found.begins_R.tolist()
    assert len(found.borders_T) == len(texts) + 1
    for text, (first, last) in zip(texts, pairwise(found.borders_T.tolist()), strict=True):
        assert runs[first:last] == text.split()
        assert all(
            text.startswith(run, at) for run, at in zip(runs[first:last], begins[first:last], strict=True)
        )
        assert begins[first:last] == sorted(set(begins[first:last]))


def test_what_was_found_in_a_run_is_found_once() -> None:
    asked: list[str] = []
    sizes = Runs(lambda run: asked.append(run) or len(run))
    assert [sizes["ab"], sizes["abc"], sizes["ab"], sizes[b"ab"], sizes[b"ab \n"]] == [2, 3, 2, 2, 2]
    assert [sizes[b"\xc3\xa9\xc2\xa0"], sizes["é"]] == [1, 1]
    assert asked == ["ab", "abc", "é"]
