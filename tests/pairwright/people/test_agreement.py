"""Several people at one run: who gets which pairs, and how far they agree, against numbers by hand."""

from random import Random

import pytest
from in_process import run
from people_toy import labelled, revised

from pairwright.figures.intervals import Interval
from pairwright.people.agreement import between, in_words
from pairwright.people.decisions import Place
from pairwright.people.labelling import Labelling
from pairwright.people.queue import Rows
from pairwright.people.reviewing import Reviewing


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
    assert two.kappa.value == pytest.approx(17 / 23)
    assert -1 <= two.kappa.low < two.kappa.value < two.kappa.high <= 1
    # of 12 values (c 5, r 5, t 2), disagreement: observed 2/12, by chance 1 - (5·4 + 5·4 + 2·1)/(12·11)
    assert found.alpha.value == pytest.approx(1 - (2 / 12) / (90 / 132))
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
    assert between(labels).alpha.value == pytest.approx(0.743, abs=5e-4)


def test_intervals_hold_the_truth_where_they_should():
    """By chance alone in nineteen of twenty."""
    random, held, other = Random(0), 0, {"c": "r", "r": "c"}
    for n in range(20):
        truth = [random.choice("cr") for _ in range(60)]  # each says the other thing in a fifth of pairs
        ana, ben = ("".join(t if random.random() < 0.8 else other[t] for t in truth) for _ in "ab")
        found = between({"ana": said(ana), "ben": said(ben + "." * n)})
        [two] = found.two
        held += two.kappa.low <= 0.36 <= two.kappa.high  # 2 · (0.8² + 0.2²) - 1
        assert abs((two.kappa.low + two.kappa.high) / 2 - two.kappa.value) < 0.1
        assert found.alpha.low <= found.alpha.value <= found.alpha.high
    assert held >= 17


def test_sums_over_drawn_pairs_are_what_the_libraries_compute(monkeypatch):
    """All pairs drawn once each: the number is the library's."""
    drawn = []
    monkeypatch.setattr(
        "pairwright.people.agreement.bootstrap",
        lambda data, of, *_, **__: [drawn.append(float(of(*data, axis=-1)[0])) or Interval(0, 0, 0)],
    )
    found = between({"ana": said("ccrrct.c"), "ben": said("crrrctc."), "eva": said("tcrrcct.")})
    assert drawn == pytest.approx([*(two.kappa.value for two in found.two), found.alpha.value])


def test_people_who_review_the_same_rows(tmp_path, capfd):
    folder = revised(tmp_path)
    ana, ben = (Reviewing(Rows(folder), who, order="file") for who in ("ana", "ben"))
    places = [str(ana.rows.place(n)) for n in range(6)]
    for person, kinds in ((ana, ["accept"] * 3 + ["reject"] * 3), (ben, ["accept"] * 4 + ["reject"] * 2)):
        for place, kind in zip(places, kinds, strict=True):
            person.decide({"place": place, "kind": kind})
    ben.decide({"place": places[0], "kind": "reject"})
    ben.decide({"place": places[0], "kind": "accept"})  # the last word counts
    [line, over_all] = ana.people({})["between"]
    assert line.startswith("ana and ben: 83.3 % the same (43.6 % to 97.0 %, 6 pairs), Cohen's kappa 0.67 (")
    assert "2 people, 6 pairs shared: Krippendorff's alpha 0.69 (" in over_all
    view = ana.pair({"status": "", "state": "contested", "view": 1})
    assert (view["total"], view["row"]["place"]) == (1, places[3])


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
    code, _, err = run(capfd, "label", str(folder), "--export", "--as", "ben")
    assert code == 0
    assert "2 people, 6 pairs shared: Krippendorff's alpha" in err
