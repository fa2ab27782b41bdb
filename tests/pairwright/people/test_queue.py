"""Rows in the order that is worth a person's time, and found again by what they hold."""

import numpy as np
import pytest
from in_process import run
from people_toy import judged, revised
from runs_on_disk import write_jsonl

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.manifest import load_manifest
from pairwright.people.decisions import Place
from pairwright.people.queue import Rows
from pairwright.people.wanted import NEAR, Wanted
from pairwright.stages.sample import SampleConfig, sample


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return Rows(revised(tmp_path_factory.mktemp("queue")))


def test_every_row_is_there_once_and_found_by_its_place(rows):
    assert len(rows) == 40
    assert rows.statuses == {"kept": 28, "no_change": 4, "truncated": 4, "unparsed": 4}
    for order in ("file", "random", "uncertain"):
        assert sorted(rows.order(order).tolist()) == list(range(40))
    for number in range(40):
        assert rows.number(rows.place(number)) == number
    records = [rows.record(rows.place(n)) for n in range(40)]
    assert len({r["row_id"] for r in records}) == 40
    assert [r.get("status", "kept") for r in records] == [rows.status(rows.place(n)) for n in range(40)]
    with pytest.raises(UsageError, match="has no row data/0/11"):
        rows.record(Place("data", 0, 11))


def test_uncertain_rows_come_first_the_nearest_first(rows, monkeypatch):
    distances = np.full(40, np.inf)
    distances[[5, 17, 30]] = [0.09, 0.01, 0.2]
    monkeypatch.setitem(rows.__dict__, "distances", distances)
    order = rows.order("uncertain").tolist()
    assert order[:2] == [17, 5]
    assert order[2:] != sorted(order[2:])
    assert order == rows.order("uncertain").tolist()


def test_distance_is_to_the_nearest_threshold_of_the_run(rows):
    gate = rows.manifest.gate
    for number in range(28):
        record = rows.record(rows.place(number))
        found = min(
            abs(record["kept_share"] - gate["min_kept_share"]),
            abs(record["edit_distance"] - gate["max_edit_distance"]),
            abs(record["length_ratio"] - gate["min_length_ratio"]),
            abs(record["length_ratio"] - gate["max_length_ratio"]),
        )
        assert rows.distances[number] == pytest.approx(found)
        assert found > NEAR


def test_filters(rows):
    def found(**wanted):
        kinds = {Place("data", 0, 0): "accept", Place("dropped", 0, 0): "reject"}
        return [rows.place(int(n)) for n in rows.view(Wanted(**wanted), "file", lambda: kinds)]

    assert len(found()) == 28
    assert len(found(status="dropped")) == 12
    assert len(found(status="", state="open")) == 38
    assert found(status="", state="reject") == [Place("dropped", 0, 0)]
    assert found(state="reject") == []
    assert len(found(status="", phrase="what IS 1")) == 11
    assert found(phrase="nobody says this [") == []
    assert len(found(source="clair")) == 28
    assert found(source="other") == []


def test_a_measure_lies_between_two_numbers(rows):
    def found(**wanted):
        return {rows.place(int(n)) for n in rows.view(Wanted(status="", **wanted), "file", dict)}

    everything = [(rows.place(n), rows.record(rows.place(n))["edit_distance"]) for n in range(40)]
    middle = sorted(d for _, d in everything if d is not None)[10]
    for low, high in ((str(middle), ""), ("", str(middle)), ("0", "0"), (str(middle), str(middle))):
        wanted = {
            place
            for place, d in everything
            if d is not None and float(low or "-inf") <= d <= float(high or "inf")
        }
        assert found(measure="edit_distance", low=low, high=high) == wanted
    assert found(doubt="near") == {p for n, (p, _) in enumerate(everything) if rows.distances[n] < NEAR}
    assert found(doubt="split") == set()
    assert rows.index.measured == ["kept_share", "edit_distance", "length_ratio"]
    for measure, low, said in (("colour", "", "no measure"), ("margin", "much", "between two numbers")):
        with pytest.raises(UsageError, match=said):
            found(measure=measure, low=low)


def test_rows_of_which_judges_say_different_things(tmp_path):
    """Here in one order the first answer and in the other the first again, but for two prompts."""

    def chooses(asked):
        return asked.first > asked.second if asked.first[-1] in "03" else True

    rows = Rows(judged(tmp_path, chooses))
    found = [rows.record(rows.place(int(n))) for n in rows.view(Wanted("", doubt="split"), "file", dict)]
    assert sorted(row["prompt"][0]["content"] for row in found) == ["Q1?", "Q2?", "Q4?", "Q5?"]
    assert {row["verdict"]["consistent"] for row in found} == {False}


def test_a_run_that_is_being_written_is_shown_as_far_as_it_is(tmp_path):
    """A shard is listed before its files are renamed into place."""
    folder = revised(tmp_path)
    load_manifest(folder).model_copy(update={"complete": False}).save(folder)
    (folder / "data" / "train-00002.parquet").rename(tmp_path / "later")
    rows = Rows(folder)
    assert {rows.place(n).shard for n in range(len(rows))} == set(rows.manifest.shards) == {0, 1}
    assert len(rows.index["status"]) == len(rows)
    (tmp_path / "later").rename(folder / "data" / "train-00002.parquet")
    assert len(Rows(folder)) == 40


@pytest.mark.parametrize("more", [{}, {"margin": 0.3}, {"margin": float("nan")}])
def test_rows_of_which_no_gate_or_judge_says_anything_are_all_there(tmp_path, capfd, more):
    pairs = [{"prompt": f"Q{n}?", "chosen": "Yes.", "rejected": "No.", **more} for n in range(5)]
    write_jsonl(tmp_path / "pairs.jsonl", pairs)
    assert run(capfd, "merge", str(tmp_path / "pairs.jsonl"), "--out", str(tmp_path / "merged"))[0] == 0
    rows = Rows(tmp_path / "merged")
    assert sorted(rows.order("uncertain").tolist()) == list(range(5))
    assert len(rows.view(Wanted(status=""), "uncertain", dict)) == 5
    assert not rows.near(Place("data", 0, 4))


def test_runs_without_pairs_and_damaged_ones_are_one_sentence(tmp_path):
    folder = revised(tmp_path)
    (folder / "data" / "train-00001.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(PairwrightError, match="damaged"):
        Rows(folder).index.part("data")
    (tmp_path / "p.jsonl").write_text('{"prompt": "Hello?"}\n')
    (tmp_path / "c.jsonl").write_text('{"text": "Hello."}\n')
    config = {"input": str(tmp_path / "p.jsonl"), "policy": f"canned:{tmp_path / 'c.jsonl'}"}
    sample(SampleConfig(**config, out=str(tmp_path / "sampled")))
    with pytest.raises(UsageError, match="holds no pairs \\(a run of `sample`\\)"):
        Rows(tmp_path / "sampled")
