"""What was decided is kept: after a kill, from two tabs and two people, and about the right rows only."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random

import httpx
import pytest
from people_toy import question, revised, served

from pairwright.errors import PairwrightError
from pairwright.folders.manifest import load_manifest
from pairwright.people.decisions import REVIEW, Decisions, Place
from pairwright.people.queue import Rows
from pairwright.people.reviewing import Reviewing
from revise import ReviseConfig, revise


@pytest.fixture
def folder(tmp_path) -> Path:
    return revised(tmp_path)


def opened(folder: Path) -> Decisions:
    return Decisions(folder, load_manifest(folder))


_WRITER = """
import sys
from pathlib import Path
from pairwright.folders.manifest import load_manifest
from pairwright.people.decisions import Decisions, Place
folder = Path(sys.argv[1])
decisions = Decisions(folder, load_manifest(folder))
for n in range(100_000):
    decisions.append("ana", "review", Place("data", 0, n % 11), f"{n}", "accept")
    print(n, flush=True)
"""


def test_what_was_answered_for_survives_kills(folder):
    kept = 0
    for patience in range(3):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(folder)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        answered = [int(writer.stdout.readline()) for _ in range(20 + 17 * patience)][-1] + 1
        os.kill(writer.pid, signal.SIGKILL)
        answered += len(writer.communicate()[0].splitlines())
        found = list(opened(folder).standing("review"))
        assert kept + answered <= len(found) <= kept + answered + 1
        kept = len(found)


def test_two_people_and_two_tabs_see_each_other(folder):
    ana, tab, ben = opened(folder), opened(folder), opened(folder)
    place, other = Place("data", 0, 1), Place("dropped", 1, 0)
    ana.append("ana", "review", place, "x", "accept")
    ben.append("ben", "review", place, "x", "reject", reason="wrong")
    ana.append("ana", "review", other, "y", "accept")
    tab.refresh()
    assert [(d.who, d.kind) for d in tab.of_row("review", place)] == [("ana", "accept"), ("ben", "reject")]
    assert tab.last(place).kind == "reject"
    undone = tab.undo("ana", "review")
    assert (undone.place, undone.kind) == (other, "accept")
    undone = ana.undo("ana", "review")
    assert (undone.place, undone.kind) == (place, "accept")
    assert ana.undo("ana", "review") is None
    ben.refresh()
    assert {p: d.who for p, d in ben.reviewed().items()} == {place: "ben"}


def test_many_writers_at_once_lose_nothing(folder):
    def work(who: str) -> None:
        mine = opened(folder)
        for n in range(15):
            mine.append(who, "review", Place("data", 0, n % 11), "x", "accept")
            if n % 5 == 4:
                assert mine.undo(who, "review").who == who

    threads = [threading.Thread(target=work, args=(f"p{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [d.who for d in opened(folder).standing("review")]
    assert {who: found.count(who) for who in found} == dict.fromkeys(["p0", "p1", "p2", "p3"], 12)
    entries = sqlite3.connect(folder / REVIEW).execute("SELECT count(*) FROM decisions").fetchone()
    assert entries == (4 * 18,)  # an undo is an entry, and nothing is ever removed


def test_many_may_open_a_review_that_nobody_opened_before(folder):
    for _ in range(12):
        (folder / REVIEW).unlink(missing_ok=True)
        together = threading.Barrier(8)

        def work(together=together) -> int:
            together.wait()
            mine = opened(folder)
            mine.append("ana", "review", Place("data", 0, 0), "x", "accept")
            mine.close()
            return 1

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(lambda _: work(), range(8))) == 8


def test_decisions_are_not_taken_for_ones_about_other_rows(folder):
    decisions = opened(folder)
    decisions.append("ana", "review", Place("data", 0, 0), "x", "reject")
    decisions.append("ana", "review", Place("data", 1, 0), "x", "reject")
    settings = load_manifest(folder).config | {"max_length_ratio": 1.0, "min_kept_share": 0.97}
    revise(ReviseConfig(**settings))  # other gates: other rows in the same files
    after = opened(folder)
    assert after.reviewed() == {}
    assert after.strangers == 2
    told = Reviewing(Rows(folder), "ana").start({})
    assert told["strangers"] == 2


def test_the_last_word_on_each_row_is_known_whatever_comes_and_goes(folder):
    mine, others, random = opened(folder), opened(folder), Random(0)
    for n in range(60):
        who, place = random.choice("ab"), Place("data", 0, random.randrange(3))
        at = random.choice((mine, others))
        if random.random() < 0.4:
            at.undo(who, "review")
        else:
            at.append(who, "review", place, "x", "accept", reason=str(n))
        for found in (mine, others):
            found.refresh()
            assert found.reviewed() == {d.place: d for d in found.standing("review")}


def test_a_disk_that_cannot_be_written_is_said_before_anybody_decides(folder, monkeypatch):
    opened(folder).append("ana", "review", Place("data", 0, 0), "x", "accept")
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, **more: connect(f"file:{path}?mode=ro", uri=True, **more)
    )
    found = opened(folder)
    assert len(found.reviewed()) == 1, "what is there can be read, and applied"
    with pytest.raises(PairwrightError, match=r"readonly database; .* copy the run to where you may write"):
        found.require_writable()
    (folder / REVIEW).unlink()
    with pytest.raises(PairwrightError, match=r"unable to open .* copy the run to where you may write"):
        opened(folder)


def test_a_run_that_was_moved_away_is_said(folder, tmp_path):
    mine = opened(folder)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(PairwrightError, match="the run was moved or removed while the page was open"):
        mine.append("ana", "review", Place("data", 0, 0), "x", "accept")
    (tmp_path / "elsewhere").rename(folder)
    mine.append("ana", "review", Place("data", 0, 0), "x", "accept")
    assert len(opened(folder).reviewed()) == 1


def test_a_file_with_a_write_ahead_log_is_turned_when_nobody_else_has_it(folder, tmp_path):
    opened(folder).append("ana", "review", Place("data", 0, 0), "x", "accept")
    before = sqlite3.connect(folder / REVIEW)
    assert before.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    assert before.execute("SELECT count(*) FROM decisions").fetchone() == (1,)
    with closing(opened(folder)._db) as together:  # both go on
        assert together.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    before.close()
    found = opened(folder)
    found.require_writable()
    found.append("ana", "review", Place("data", 0, 1), "x", "accept")
    assert [d.number for d in found.standing("review")] == [1, 2]
    (tmp_path / "copied").write_bytes((folder / REVIEW).read_bytes())
    copied = sqlite3.connect(tmp_path / "copied").execute("SELECT count(*) FROM decisions")
    assert copied.fetchone() == (2,), "a copy of the file is all of it"


def test_a_damaged_file_is_one_sentence(folder):
    (folder / REVIEW).write_bytes(b"not a database" * 100)
    with pytest.raises(PairwrightError, match=r"review\.sqlite: file is not a database; nothing that was"):
        opened(folder)


def test_a_review_over_http(folder):
    reviewing = Reviewing(Rows(folder), "ana")
    with served("review", reviewing.answers) as address, httpx.Client(base_url=address) as client:
        _, first = question(client, "pair", status="kept", view=1)
        row = first["row"]
        assert (first["total"], row["pair"], row["decided"]) == (28, True, [])
        assert [kind for kind, _ in row["text"]] == ["s", "o", "n", "s"]
        place = row["place"]
        status, found = question(client, "measure", place=place, text=row["rejected"])
        assert (status, found["facts"]["edit_distance"], found["facts"]["kept_share"]) == (200, 0, 1)
        assert question(client, "decide", place=place, kind="edit", text=row["rejected"])[0] == 409
        assert question(client, "decide", place=place, kind="edit", text=" ")[0] == 409
        assert question(client, "decide", place=place, kind="delete")[0] == 409
        assert question(client, "decide", place=place)[0] == 400
        status, found = question(client, "decide", place=place, kind="edit", text="Better.", reason="short")
        assert found["row"]["chosen"] == "Better."
        assert found["row"]["decided"][0]["reason"] == "short"
        assert found["progress"]["counts"] == {"edit": 1}
        confirmed = Reviewing(Rows(folder), "ben").decide({"place": place, "kind": "accept"})["row"]
        assert [(d["who"], d["kind"]) for d in confirmed["decided"]] == [("ana", "edit"), ("ben", "edit")]
        assert confirmed["chosen"] == "Better."
        assert Reviewing(Rows(folder), "ben").undo({})["place"] == place
        _, now = question(client, "pair", status="kept", view=1)
        assert now["at"] == 1, "the first that nobody decided of"
        assert question(client, "pair", status="kept", state="open", view=2)[1]["total"] == 27
        assert question(client, "pair", status="kept", state="edit", view=2)[1]["row"]["place"] == place
        assert question(client, "pair", status="kept", phrase="IS 12 PLUS", view=3)[1]["total"] == 1
        assert question(client, "pair", status="", view=4)[1]["total"] == 40
        _, unparsed = question(client, "pair", status="unparsed", view=5)
        status, said = question(client, "decide", place=unparsed["row"]["place"], kind="accept")
        assert (status, "no chosen answer" in said["said"]) == (409, True)
        assert question(client, "undo")[1]["place"] == place
        assert question(client, "undo") == (409, {"said": "you have nothing to undo"})
