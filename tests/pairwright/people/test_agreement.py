"""Several people at one run: who gets which pairs, and how far they agree, against numbers by hand."""

import pytest
from in_process import run
from people_toy import labelled, revised

from pairwright.people.agreement import between, in_words
from pairwright.people.decisions import Place
from pairwright.people.labelling import Labelling


def said(words: str) -> dict[Place, str]:
    """One label a pair: c, r or t; `.` for none."""
    kinds = {"c": "chosen", "r": "rejected", "t": "tie"}
    return {Place("data", 0, n): kinds[w] for n, w in enumerate(words) if w != "."}


def test_two_people_by_hand():
    """po = 5/6; pe = (3·2 + 2·3 + 1·1)/36 = 13/36; kappa = (30 - 13)/(36 - 13) = 17/23."""
    found = between({"ana": said("ccrrct."), "ben": said("crrrctc")})
    [two] = found.two
    assert (two.one, two.other, two.same.n) == ("ana", "ben", 6)
    assert two.same.value == pytest.approx(5 / 6)
    assert two.kappa == pytest.approx(17 / 23)
    # of 12 values (c 5, r 5, t 2), disagreement: observed 2/12, by chance 1 - (5·4 + 5·4 + 2·1)/(12·11)
    assert found.alpha == pytest.approx(1 - (2 / 12) / (90 / 132))
    assert found.shared == 6


def test_krippendorffs_own_example():
    """Nominal data of his 2011 paper, C: four observers, twelve units, alpha 0.743."""
    table = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    labels = {
        f"{n}": {Place("data", 0, u): v for u, v in enumerate(row.split()) if v != "."}
        for n, row in enumerate(table)
    }
    assert between(labels).alpha == pytest.approx(0.743, abs=5e-4)


def test_what_says_nothing_is_not_a_number():
    assert between({}).two == []
    assert in_words(between({"ana": said("cr")})) == []
    found = between({"ana": said("ccc"), "ben": said("ccc")})
    assert (found.alpha, found.two[0].kappa) == (None, None)
    assert "undefined" in in_words(found)[0]


def test_everybody_gets_shared_pairs_and_pairs_of_their_own(tmp_path):
    folder = revised(tmp_path)
    people = {who: Labelling(folder, who, shared=0.25) for who in ("ana", "ben", "eva")}
    got = {who: labelled(labelling, 8) for who, labelling in people.items()}
    for one in got:
        for other in got:
            if one < other:
                assert len(set(got[one]) & set(got[other])) == 2, "a quarter of eight"
    rest = {who: labelled(labelling, 28) for who, labelling in people.items()}
    everything = [place for who in got for place in got[who] + rest[who]]
    assert len(set(everything)) == 28, "no pair is left out"
    assert len(everything) == 28 + 2 * 7, "the seven shared ones are labelled by all three"
    (tmp_path / "alone").mkdir()
    alone = Labelling(revised(tmp_path / "alone"), "ana", shared=0.25)
    assert len(labelled(alone, 40)) == 28


def test_what_people_agree_on_is_said_at_the_end(tmp_path, capfd):
    folder = revised(tmp_path)
    for who, answers in (("ana", "first"), ("ben", "first")):
        labelling = Labelling(folder, who, reveal=4)
        for n in range(6):
            pair = labelling.next({})["pair"]
            answer = "second" if n == 5 and who == "ben" else answers
            said = labelling.label({"place": pair["place"], "turned": False, "answer": answer})
    assert "ana and ben: 83.3 % the same (43.6 % to 97.0 %, 6 pairs)" in said["progress"]["between"][0]
    code, _, err = run(capfd, "label", str(folder), "--export")
    assert code == 0
    assert "2 people, 6 pairs shared: Krippendorff's alpha" in err
