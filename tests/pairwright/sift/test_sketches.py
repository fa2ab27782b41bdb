"""Sketches of texts: which runs of words they share, and that near ones meet in a band."""

import random

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pairwright.sift.shingles import runs, split_folded, words_of
from pairwright.sift.sketches import LENGTH, Sketch, Sketcher, jaccard

SKETCHER = Sketcher(0.8)
PIECES = [
    "a",
    "B",
    "don't",
    "a,b",
    "…",
    "é",
    "e\u0301",
    "日本",
    "x\n\ty",
    "",
    "SS",
    "ß",
    "🇩🇪",
]


def sketched(texts: list[str]) -> list[Sketch]:
    return SKETCHER(split_folded(pa.array(texts, pa.string())))


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=7).map(" ".join), min_size=2, max_size=5))
def test_shares_are_those_of_the_runs_of_words(texts: list[str]) -> None:
    """Whatever stands beside a text in its batch."""
    sketches = sketched(texts)
    plain = [set(runs(words_of(text), LENGTH)) for text in texts]
    for one, a in zip(sketches, plain, strict=True):
        assert len(one.shingles) == len(a)
        for other, b in zip(sketches, plain, strict=True):
            assert jaccard(one.shingles, other.shingles) == len(a & b) / len(a | b)
    [alone] = sketched(texts[:1])
    assert (alone.bands == sketches[0].bands).all()


def test_near_texts_meet_and_others_do_not() -> None:
    """At 0.8 and with 5,000 words: 300 texts, each beside itself with two words in 120 changed."""
    chance = random.Random(0)
    firsts = [[f"w{chance.randrange(5000)}" for _ in range(120)] for _ in range(300)]
    seconds = [[f"v{n}" if n % 60 == 7 else w for n, w in enumerate(words)] for words in firsts]
    sketches = sketched([" ".join(words) for words in firsts + seconds])
    near = list(zip(sketches[:300], sketches[300:], strict=True))
    assert all(jaccard(a.shingles, b.shingles) > 0.8 for a, b in near)
    assert all({*a.bands} & {*b.bands} for a, b in near)
    bands = [set(sketch.bands) for sketch in sketches[:300]]
    assert not [n for n in range(300) for m in range(n) if bands[n] & bands[m]]


def test_nothing_is_sketched_of_nothing() -> None:
    assert sketched([]) == []
    empty, mark = sketched(["", "…"])
    assert (empty.bands == mark.bands).all()
