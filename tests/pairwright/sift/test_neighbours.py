"""Near duplicates that stayed are found by the block and across blocks alike."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pairwright.sift.neighbours import Near, Neighbours
from pairwright.sift.shingles import hashed
from pairwright.sift.sketches import Sketcher, jaccard

NEAR = 0.6
WORDS = [f"w{n}" for n in range(30)]


def one_by_one(texts: list[str], out: list[bool]) -> list[Near | None]:
    """Look at every text that stayed, as long as it shares a band."""
    shingles, bands_TB = Sketcher(NEAR)(hashed(texts))
    bands = [set(bands.tolist()) for bands in bands_TB]
    stayed: list[int] = []
    found: list[Near | None] = []
    for place in range(len(texts)):
        near: Near | None = None
        met = [n for n in stayed if bands[place] & bands[n]]
        shares = [jaccard({*shingles[place]}, {*shingles[n]}) for n in met]
        if not out[place]:
            if shares and max(shares) >= NEAR:
                near = Near(met[shares.index(max(shares))], max(shares))
            else:
                stayed.append(place)
        found.append(near)
    return found


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_blocks_find_what_one_by_one_finds(data: st.DataObject) -> None:
    bases = [WORDS[n : n + 18] for n in range(0, 12, 4)]
    texts = []
    for _ in range(data.draw(st.integers(1, 24))):
        words = list(data.draw(st.sampled_from(bases)))
        for _ in range(data.draw(st.integers(0, 2))):
            words[data.draw(st.integers(0, 17))] = "other"
        texts.append(" ".join(words))
    out = data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts)))
    look, found = Neighbours(NEAR), list[Near | None]()
    size = data.draw(st.integers(1, len(texts)))
    for start in range(0, len(texts), size):
        some = texts[start : start + size]
        found += look(hashed(some), out[start : start + size], [(b"", b"")] * len(some))
    assert found == one_by_one(texts, out)
