"""A run of what people decided: nothing lost, everything measured again, and who said so."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from in_process import run
from people_toy import judged, revised
from runs_on_disk import rows_of

from pairwright.errors import UsageError
from pairwright.folders.manifest import load_manifest
from pairwright.pairs.minimality import measure
from pairwright.people.apply import apply
from pairwright.people.config import ApplyConfig
from pairwright.people.decisions import REVIEW, Decisions
from pairwright.people.queue import Rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return revised(tmp_path_factory.mktemp("apply"))


def decided(folder, kinds, who="ana"):
    """Append a decision about each row of the run: a kind, or None for none."""
    for path in folder.glob(f"{REVIEW}*"):
        path.unlink()
    rows, decisions = Rows(folder), Decisions(folder, load_manifest(folder))
    for number, kind in enumerate(kinds):
        place = rows.place(number)
        record = rows.record(place)
        if kind in ("accept", "swap") and not record["chosen"]:
            continue
        if kind is not None:
            text = "An answer by hand." if kind == "edit" else None
            decisions.append(who, "review", place, record["row_id"], kind, reason="so", text=text)
    found = {str(p): d.kind for p, d in decisions.reviewed().items()}
    decisions.close()
    return found


def by_id(folder):
    return {row["row_id"]: row for row in rows_of(folder)}


KINDS = st.sampled_from([None, "accept", "reject", "swap", "edit"])


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(KINDS, min_size=40, max_size=40))
def test_every_row_ends_once_as_it_was_decided(folder, tmp_path, kinds):
    decisions = decided(folder, kinds)
    before, rows = by_id(folder), Rows(folder)
    manifest = apply(ApplyConfig(run=folder, out=str(tmp_path / "out"), fresh=True, shard_size=16))
    assert sum(manifest.counts.values()) == manifest.items == 40
    after = by_id(tmp_path / "out")
    assert after.keys() == before.keys()
    for number in range(40):
        place = rows.place(number)
        old = before[rows.record(place)["row_id"]]
        new, kind = after[old["row_id"]], decisions.get(str(place))
        status = new.get("status", "kept")
        if kind is None:
            assert (status, new["reviewed"]) == (old.get("status", "kept"), None)
            assert {n: v for n, v in new.items() if n in old and n != "reviewed"} == old
            continue
        assert (new["reviewed"]["who"], new["reviewed"]["reason"]) == ("ana", "so")
        assert status == ("rejected_by_reviewer" if kind == "reject" else "kept")
        restored = kind == "accept" and place.part == "dropped"
        told = {"accept": "restored" if restored else "accepted", "swap": "swapped", "edit": "edited"}
        assert new["reviewed"]["status"] == told.get(kind, "rejected_by_reviewer")
        if kind == "swap":
            assert (new["chosen"], new["rejected"]) == (old["rejected"], old["chosen"])
            assert (new["chosen_model"], new["rejected_model"]) == (
                old["rejected_model"],
                old["chosen_model"],
            )
        elif kind == "edit":
            assert new["chosen"] == [{"role": "assistant", "content": "An answer by hand."}]
            assert new["rejected"] == old["rejected"]
        else:
            assert (new["chosen"], new["rejected"]) == (old["chosen"], old["rejected"])
        if kind in ("swap", "edit"):
            chosen, rejected = (new[side][0]["content"] for side in ("chosen", "rejected"))
            assert new["edit_distance"] == measure(chosen, rejected, original=rejected).edit_distance


def test_the_reviewed_run_stays_as_it_was_and_decisions_decide_which_run_it_is(folder, tmp_path):
    files = {p: p.read_bytes() for p in folder.rglob("*.parquet")}
    decided(folder, ["reject", "edit"])
    config = ApplyConfig(run=folder, out=str(tmp_path / "out"))
    first = apply(config)
    again = apply(config)
    assert (
        first.counts
        == again.counts
        == {"kept": 27, "rejected_by_reviewer": 1}
        | {n: c for n, c in load_manifest(folder).counts.items() if n != "kept"}
    )
    decided(folder, ["reject", "reject"])
    with pytest.raises(UsageError, match="belongs to a run with other settings: `decisions` was"):
        apply(config)
    assert {p: p.read_bytes() for p in folder.rglob("*.parquet")} == files


def test_only_reviewed_rows(folder, tmp_path):
    decided(folder, ["accept"] * 3)
    manifest = apply(ApplyConfig(run=folder, out=str(tmp_path / "out"), only_reviewed=True))
    assert (manifest.counts["kept"], manifest.counts["not_reviewed"]) == (3, 25)
    decided(tmp_path / "out", ["reject"])
    second = apply(ApplyConfig(run=tmp_path / "out", out=str(tmp_path / "two")))
    assert (second.counts["kept"], second.counts["rejected_by_reviewer"]) == (2, 1)
    kept = pa.concat_tables([pq.read_table(p) for p in (tmp_path / "two" / "data").glob("*.parquet")])
    assert [row["status"] for row in kept["reviewed"].to_pylist()] == ["accepted"] * 2


def test_a_verdict_goes_with_what_was_judged(tmp_path, capfd):
    folder = judged(tmp_path)
    assert load_manifest(folder).counts == {"kept": 6}
    old = by_id(folder)
    decided(folder, ["swap"])
    apply(ApplyConfig(run=folder, out=str(tmp_path / "swapped")))
    [swapped] = [r for r in rows_of(tmp_path / "swapped") if r["reviewed"]]
    before = old[swapped["row_id"]]
    assert swapped["margin"] == -before["margin"]
    assert swapped["verdict"]["preference"] == pytest.approx(1 - before["verdict"]["preference"])
    assert swapped["verdict"]["votes"][0]["chosen_first"] != before["verdict"]["votes"][0]["chosen_first"]
    decided(folder, ["edit"])
    apply(ApplyConfig(run=folder, out=str(tmp_path / "edited")))
    [edited] = [r for r in rows_of(tmp_path / "edited") if r["reviewed"]]
    assert edited["verdict"] is None
    assert "margin" not in edited
    assert "1 pairs that are kept now have no margin" in capfd.readouterr().err


def test_what_cannot_be_applied_is_one_sentence(tmp_path, capfd):
    folder = revised(tmp_path)
    code, _, err = run(capfd, "apply", str(folder), "--out", str(tmp_path / "out"))
    assert (code, "nobody has reviewed it" in err) == (2, True)
    decided(folder, ["accept"])
    code, _, err = run(capfd, "apply", str(folder), "--out", str(folder))
    assert (code, "is the run that was reviewed" in err) == (2, True)
    code, _, err = run(capfd, "apply", str(tmp_path), "--out", str(tmp_path / "out"))
    assert (code, "this is not a run folder" in err) == (2, True)
    code, _, err = run(capfd, "apply", str(folder), "--out", str(tmp_path / "out"))
    assert (code, err) == (0, "")
