"""Ways to ask: juries, ratings, reasoning before the choice."""

import json
import math

import pytest
from judging import better, judged, settings, three_answers
from planted_judge import candidates, choosing, plant, seed
from runs_on_disk import rows_of, write_jsonl

from judge.command import judge
from judge.stage import JudgeStage


def test_who_always_takes_the_first_contradicts_itself(tmp_path):
    three_answers(tmp_path)
    manifest = judged(tmp_path, settings(tmp_path), choosing(lambda asked: True))
    assert manifest.counts == {"inconsistent": 10, "identical": 1, "too_few": 1}
    row = next(r for r in rows_of(tmp_path / "run") if r.get("status") == "inconsistent")
    assert row["verdict"]["preference"] == pytest.approx(0.5)
    assert len(row["verdict"]["votes"]) == 2


def test_a_jury_keeps_every_vote(tmp_path):
    three_answers(tmp_path, 2)
    good, bad = tmp_path / "judge.jsonl", tmp_path / "bad.jsonl"
    third = tmp_path / "third.jsonl"
    for path in (bad, third):
        seed(path)
    config = settings(
        tmp_path, columns="one,three", judge=f"canned:{seed(good)},canned:{bad},canned:{third}"
    )
    rows = candidates(tmp_path / "three.jsonl", "one", "three")

    def reply(request):
        if request.role == "judge_2":
            return choosing(lambda asked: not better(asked))(request)
        return choosing(better)(request)

    plant(good, JudgeStage(config), rows, reply)
    every = [json.loads(line) for line in good.read_text().splitlines()]
    # each judge draws labels of its own, so a question tells whose it is; with equal labels the first
    # reply counts
    for place, path in enumerate((good, bad, third)):
        write_jsonl(path, [line for n, line in enumerate(every) if n % 6 // 2 == place])
    assert judge(config).counts == {"kept": 2}
    votes = rows_of(tmp_path / "run")[0]["verdict"]["votes"]
    assert [v["judge"] for v in votes] == [j for j in config.judge.split(",") for _ in range(2)]
    assert [round(v["probability"], 2) for v in votes] == [0.9, 0.9, 0.1, 0.1, 0.9, 0.9]
    assert judge(config.model_copy(update={"agree": "all"})).counts == {"disagreement": 2}
    assert judge(config.model_copy(update={"agree": "mean"})).counts == {"kept": 2}


def test_ratings_are_expectations_over_aspects(tmp_path):
    write_jsonl(tmp_path / "three.jsonl", [{"prompt": "Q?", "one": "bad text", "two": "good text"}])
    config = settings(
        tmp_path, columns="one,two", protocol="score", aspects="truth:3,style", min_margin=0.2
    )

    def reply(request):
        text = request.messages[-1].content
        good, truth = "good text" in text, "respect: truth" in text
        scores = {"5": 0.5, "3": 0.3} if good and truth else {"3": 0.5, "2": 0.1}
        top = {token: math.log(p) for token, p in scores.items()}
        return {"text": max(top, key=top.get), "top_logprobs": [top]}

    manifest = judged(tmp_path, config, reply)
    assert manifest.counts == {"kept": 1}
    [row] = rows_of(tmp_path / "run")
    by_aspect = {v["aspect"]: v for v in row["verdict"]["votes"]}
    # 5 · 0.625 + 3 · 0.375 = 4.25 against 3 · 5/6 + 2 · 1/6 = 17/6; the margin weighs truth 3 in 4
    assert by_aspect["truth"]["chosen_score"] == pytest.approx(4.25)
    assert by_aspect["truth"]["rejected_score"] == pytest.approx(17 / 6)
    assert by_aspect["truth"]["outside_mass"] == pytest.approx(0.4)
    assert row["margin"] == pytest.approx(0.75 * (4.25 - 17 / 6) / 4)
    assert {v["chosen_first"] for v in row["verdict"]["votes"]} == {None}


def test_reasoning_comes_before_the_choice(tmp_path):
    three_answers(tmp_path, 2)
    replies = []
    for row in range(2):
        for first, second in (("1", "3"), ("3", "1")):
            text = f"<first response NONCE>\ngrade {first} of {row}"
            replies.append((text, second > first))
    config = settings(tmp_path, columns="one,three", protocol="choice")

    def reply(request):
        if request.choices:
            asked = request.messages[0].content
            first = asked.index("grade 3") < asked.index("grade 1")
            return {"text": request.choices[not first]}
        assert "Do not announce a decision yet" in request.messages[-1].content
        return {"text": f"Reasons about {request.messages[-1].content[-9:]}."}

    outcomes = plant(
        tmp_path / "judge.jsonl",
        JudgeStage(config),
        candidates(tmp_path / "three.jsonl", "one", "three"),
        reply,
    )
    assert [o.status for o in outcomes.values()] == ["kept", "kept"]
    vote = outcomes["Q0?"].columns["verdict"]["votes"][0]
    assert vote["probability"] == 1
    assert vote["reply"].startswith("Reasons about")
