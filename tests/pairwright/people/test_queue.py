"""Rows in the order that is worth a person's time, and found again by what they hold."""

import numpy as np
import pytest
from people_toy import revised

from pairwright.errors import PairwrightError, UsageError
from pairwright.people.decisions import Place
from pairwright.people.queue import NEAR, Rows, Wanted
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


def test_runs_without_pairs_and_damaged_ones_are_one_sentence(tmp_path):
    folder = revised(tmp_path)
    (folder / "data" / "train-00001.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(PairwrightError, match="damaged"):
        Rows(folder)
    (tmp_path / "p.jsonl").write_text('{"prompt": "Hello?"}\n')
    (tmp_path / "c.jsonl").write_text('{"text": "Hello."}\n')
    config = {"input": str(tmp_path / "p.jsonl"), "policy": f"canned:{tmp_path / 'c.jsonl'}"}
    sample(SampleConfig(**config, out=str(tmp_path / "sampled")))
    with pytest.raises(UsageError, match="holds no pairs \\(a run of `sample`\\)"):
        Rows(tmp_path / "sampled")
