"""Blind labels: nothing shows which side is which, repeats turn round, and calibrate reads the file."""

import json
from pathlib import Path

import httpx
import pytest
from in_process import run
from people_toy import question, revised, served
from runs_on_disk import write_jsonl

from judge.calibration.stage import labelled
from pairwright.figures.intervals import wilson
from pairwright.inputs.candidates import Candidates
from pairwright.inputs.columns import Columns
from pairwright.people.decisions import Place
from pairwright.people.labelling import Labelling


@pytest.fixture
def folder(tmp_path):
    return revised(tmp_path)


def chosen_side(labelling, pair):
    """What a person who prefers the chosen answer says."""
    chosen = labelling.rows.record(Place.parsed(pair["place"]))["chosen"][0]["content"]
    return "first" if pair["answers"][0] == chosen else "second"


def test_the_page_is_told_nothing_but_the_texts(folder):
    labelling = Labelling(folder, "ana", repeat_every=3, reveal=4)
    with served("label", labelling.answers) as address, httpx.Client(base_url=address) as client:
        firsts, seen, turned = [], {}, 0
        answer = question(client, "next")[1]
        for n in range(16):
            pair = answer["pair"]
            assert set(pair) == {"place", "turned", "prompt", "answers"}
            assert ("agreement" in answer["progress"]) == (answer["progress"]["done"] >= 4)
            if pair["turned"]:
                turned += 1
                assert pair["answers"] == seen[pair["place"]][::-1]
            else:
                assert pair["place"] not in seen
                seen[pair["place"]] = pair["answers"]
                firsts.append(chosen_side(labelling, pair))
            said = "tie" if n == 1 else chosen_side(labelling, pair)
            fields = {"place": pair["place"], "turned": pair["turned"], "answer": said}
            _, answer = question(client, "label", **fields)
            assert not answer["again"]
        assert turned == 4
        assert {"first", "second"} <= set(firsts), "the side is drawn"
        assert question(client, "label", **fields)[1]["again"], "as from a second tab"
        assert question(client, "label", place="data/0/0", turned=False, answer="best")[0] == 409
        assert question(client, "label", place="dropped/0/0", turned=False, answer="tie")[0] == 409
    assert labelling.agreement() == wilson(11, 11)
    assert labelling.consistency().n == 4


def test_an_undo_gives_the_pair_back(folder):
    labelling = Labelling(folder, "ana")
    pair = labelling.next({})["pair"]
    labelling.label({"place": pair["place"], "turned": False, "answer": "first"})
    assert labelling.next({})["pair"] != pair
    assert labelling.undo({})["pair"] == pair
    assert Labelling(folder, "ben").next({})["pair"] == pair


def test_a_row_with_one_answer_is_no_pair_to_label(tmp_path, capfd):
    rows = [{"prompt": f"Q{n}?", "chosen": "Yes.", "rejected": "No."} for n in range(3)]
    rows[1]["rejected"] = None
    write_jsonl(tmp_path / "rows.jsonl", rows)
    assert run(capfd, "merge", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "merged"))[0] == 0
    labelling = Labelling(tmp_path / "merged", "ana")
    answer, asked = labelling.next({}), []
    while answer["pair"] is not None:
        asked.append(answer["pair"]["place"])
        answer = labelling.label({"place": asked[-1], "turned": False, "answer": "tie"})
    assert sorted(asked) == ["data/0/0", "data/0/2"]
    assert answer["progress"]["pairs"] == 2


def test_labels_take_the_place_of_labels_alone(folder, tmp_path, capfd):
    mine = write_jsonl(tmp_path / "mine.jsonl", [{"prompt": "Q"}])
    code, _, err = run(capfd, "label", str(folder), "--export", "--labels", str(mine))
    assert (code, err.count("\n")) == (2, 1)
    assert "mine.jsonl: is a file of something else; choose another --labels" in err
    assert Path(mine).read_text() == '{"prompt": "Q"}\n'


def test_calibrate_reads_the_labels(folder, tmp_path, capfd):
    wanted = {}
    for who in ("ana", "ben"):
        labelling = Labelling(folder, who, repeat_every=4)
        for n in range(9):
            pair = labelling.next({})["pair"]
            side = chosen_side(labelling, pair)
            said = [side, side, "tie", "both_bad", "skip"][n % 5]
            labelling.label({"place": pair["place"], "turned": pair["turned"], "answer": said})
            wanted[pair["place"]] = said
    code, _, err = run(capfd, "label", str(folder), "--export", "--labels", str(tmp_path / "labels.jsonl"))
    assert code == 0
    rows = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert f"{len(rows)} labels" in err
    assert {row["labelled_by"] for row in rows} == {"ana", "ben"}
    assert {row["preference"] for row in rows} == {0, 1, 2}
    read = Candidates(str(tmp_path / "labels.jsonl"), Columns(), None)
    for row, line in zip(read, rows, strict=True):
        pair = labelled(row, "here")
        if line["preference"]:
            assert pair is not None
            assert pair[0].text == line[f"response_{'ab'[line['preference'] - 1]}"]
            told = pair[0].text.split("it is ")[1].split(",")[0]
            asked = line["prompt"][0]["content"].split("What is ")[1].split(" plus")[0]
            assert int(told) == int(asked) + 1, "the chosen answer of this run is the right sum"
        else:
            assert pair is None
    reward = tmp_path / "judge.jsonl"
    reward.write_text(json.dumps({"text": "A"}) + "\n")
    command = [
        "calibrate",
        str(tmp_path / "labels.jsonl"),
        "--judge",
        f"canned:{reward}",
        "--protocol",
        "text",
    ]
    code, _, err = run(capfd, *command, "--out", str(tmp_path / "calibration"))
    assert code == 0, err
