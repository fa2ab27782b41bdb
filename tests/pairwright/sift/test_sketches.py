"""Sketches of texts: which runs of words they share, and that near ones meet in a band."""

import random
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from pairwright.sift.shingles import Hashes, folded, hashed, keys_of, runs, words_of
from pairwright.sift.sketches import LENGTH, Sketcher, jaccard

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


class Sketch(NamedTuple):
    """What is stored of one text."""

    shingles: Hashes
    bands: Hashes


def sketched(texts: list[str]) -> list[Sketch]:
    return list(map(Sketch, *SKETCHER(hashed(texts))))


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=7).map(" ".join), min_size=2, max_size=5))
def test_shares_are_those_of_the_runs_of_words(texts: list[str]) -> None:
    """Whatever stands beside a text in its batch."""
    sketches = sketched(texts)
    plain = [set(runs(words_of(text), LENGTH)) for text in texts]
    for one, a in zip(sketches, plain, strict=True):
        assert len({*one.shingles}) == len(a)
        for other, b in zip(sketches, plain, strict=True):
            assert jaccard({*one.shingles}, {*other.shingles}) == len(a & b) / len(a | b)
    [alone] = sketched(texts[:1])
    assert (alone.bands == sketches[0].bands).all()


def test_near_texts_meet_and_others_do_not() -> None:
    """At 0.8 and with 5,000 words: 300 texts, each beside itself with two words in 120 changed."""
    chance = random.Random(0)
    firsts = [[f"w{chance.randrange(5000)}" for _ in range(120)] for _ in range(300)]
    seconds = [[f"v{n}" if n % 60 == 7 else w for n, w in enumerate(words)] for words in firsts]
    sketches = sketched([" ".join(words) for words in firsts + seconds])
    near = list(zip(sketches[:300], sketches[300:], strict=True))
    assert all(jaccard({*a.shingles}, {*b.shingles}) > 0.8 for a, b in near)
    assert all({*a.bands} & {*b.bands} for a, b in near)
    bands = [set(sketch.bands) for sketch in sketches[:300]]
    assert not [n for n in range(300) for m in range(n) if bands[n] & bands[m]]


def test_nothing_is_sketched_of_nothing() -> None:
    assert sketched([]) == []
    empty, mark = sketched(["", "…"])
    assert (empty.bands == mark.bands).all()


@given(st.lists(st.text("aAß \n\t\u3000", max_size=6), min_size=1, max_size=6))
def test_keys_are_those_of_what_stands_between_white_space(texts: list[str]) -> None:
    keys = list(keys_of(hashed(texts)))
    said = [folded(text) for text in texts]
    assert all(len(key) == 16 for key in keys)
    assert [keys.index(key) for key in keys] == [said.index(text) for text in said]
