"""From answers to pairs by comparison: where answers come from, what is kept, what is refused."""

import json
import math
from collections import Counter

import pyarrow as pa
import pytest
from asking import ask
from datasets import load_dataset
from planted_judge import candidates, choosing, plant, question, seed
from runs_on_disk import rows_of, write_jsonl

from judge.command import judge
from judge.config import JudgeConfig
from judge.stage import JudgeStage
from pairwright.cli import main
from pairwright.engines import EngineOptions
from pairwright.engines.canned import CannedEngine
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.manifest import load_manifest
from pairwright.inputs.rows import Input
from pairwright.records import Job
from pairwright.stages.sample import SampleConfig, sample

ABC = "one,two,three"


def three_answers(folder, rows=12):
    """Answers whose number says how good they are; row 5 has equal ones, row 7 only one."""
    records = [
        {"prompt": f"Q{n}?", "one": f"grade 1 of {n}", "two": f"grade 2 of {n}", "three": f"grade 3 of {n}"}
        for n in range(rows)
    ]
    if rows > 7:
        records[5] |= {"one": "same", "two": "same", "three": " same"}
        records[7] |= {"one": "", "two": None}
    return write_jsonl(folder / "three.jsonl", records)


def better(asked):
    return asked.first > asked.second


def settings(folder, **more):
    values = {
        "input": str(folder / "three.jsonl"), "columns": ABC, "out": str(folder / "run"), "shard_size": 5,
        "judge": f"canned:{seed(folder / 'judge.jsonl')}",
    }  # fmt: skip
    return JudgeConfig(**(values | more))


def judged(folder, config, reply, rows=None):
    """The manifest of a run by a planted judge."""
    rows = rows or candidates(folder / "three.jsonl", *(config.columns or ABC).split(","))
    plant(folder / "judge.jsonl", JudgeStage(config), rows, reply)
    manifest = judge(config)
    assert manifest is not None
    return manifest


def test_best_and_worst_of_three_make_one_pair(tmp_path):
    three_answers(tmp_path)
    manifest = judged(tmp_path, settings(tmp_path), choosing(better))
    assert manifest.counts == {"kept": 10, "identical": 1, "too_few": 1}
    rows = rows_of(tmp_path / "run")
    kept = [r for r in rows if "status" not in r]
    for row in kept:
        assert row["chosen"][0]["content"].startswith("grade 3")
        assert row["rejected"][0]["content"].startswith("grade 1")
        assert (row["chosen_model"], row["rejected_model"]) == ("three", "one")
        assert row["source"] == "off_policy_judge"
        assert row["margin"] == pytest.approx(0.8)
        assert row["verdict"]["preference"] == pytest.approx(0.9)
        assert row["verdict"]["consistent"] is True
        assert [v["chosen_first"] for v in row["verdict"]["votes"]] in ([True, False], [False, True])
    reasons = {r["status"]: r["reason"] for r in rows if "status" in r}
    assert reasons["too_few"] == "1 usable answer to the prompt"
    assert len(load_dataset(str(tmp_path / "run"), split="train")) == 10


def test_all_pairs_of_a_prompt_are_rows_and_the_prompt_counts_once(tmp_path):
    three_answers(tmp_path)
    manifest = judged(tmp_path, settings(tmp_path, pairs="all"), choosing(better))
    assert manifest.counts == {"kept": 10, "identical": 1, "too_few": 1}
    assert manifest.kept_rows == 30
    kept = [r for r in rows_of(tmp_path / "run") if "status" not in r]
    assert len({r["row_id"] for r in kept}) == len(kept) == 30
    assert Counter(r["prompt_id"] for r in kept).most_common(1)[0][1] == 3
    assert all(r["chosen"][0]["content"] > r["rejected"][0]["content"] for r in kept)
    assert json.loads((tmp_path / "run" / "stats.json").read_text())["kept_rows"] == 30


def test_pairs_and_margins_are_gates_that_ask_nothing_again(tmp_path):
    three_answers(tmp_path)
    config = settings(tmp_path)
    judged(tmp_path, config, choosing(better))
    (tmp_path / "run" / "journal.sqlite").stat()
    manifest = judge(config.model_copy(update={"min_margin": 0.9}))
    assert manifest.counts == {"tie": 10, "identical": 1, "too_few": 1}
    manifest = judge(config.model_copy(update={"pairs": "all"}))
    assert manifest.kept_rows == 30


def test_who_always_takes_the_first_contradicts_itself(tmp_path):
    three_answers(tmp_path)
    manifest = judged(tmp_path, settings(tmp_path), choosing(lambda asked: True))
    assert manifest.counts == {"inconsistent": 10, "identical": 1, "too_few": 1}
    row = next(r for r in rows_of(tmp_path / "run") if r.get("status") == "inconsistent")
    assert row["verdict"]["preference"] == pytest.approx(0.5)
    assert len(row["verdict"]["votes"]) == 2


def test_many_candidates_meet_in_swiss_rounds(tmp_path):
    names = [f"c{n}" for n in range(8)]
    write_jsonl(
        tmp_path / "three.jsonl",
        [
            {"prompt": f"Q{r}?", **{name: f"grade {n} of {r}" for n, name in enumerate(names)}}
            for r in range(4)
        ],
    )
    config = settings(tmp_path, columns=",".join(names))
    asked = []

    def watched(request):
        asked.append(request)
        return choosing(better)(request)

    judged(tmp_path, config, watched)
    assert len(asked) < 4 * 2 * 28
    for row in rows_of(tmp_path / "run"):
        assert row["chosen"][0]["content"].startswith("grade 7")
        assert row["rejected"][0]["content"].startswith("grade 0")


def test_a_sample_run_is_grouped_by_prompt(tmp_path):
    prompts = write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": f"Q{n}?", "tag": n} for n in range(6)])
    replies = [{"text": f"grade {n}"} for n in range(1, 9)]
    write_jsonl(tmp_path / "policy.jsonl", replies)
    answers = str(tmp_path / "answers")
    sample(SampleConfig(input=str(prompts), policy=f"canned:{tmp_path / 'policy.jsonl'}", out=answers, n=3))
    config = settings(tmp_path, input=answers, columns=None)
    manifest = judged(
        tmp_path, config, choosing(better), config.reader(answers, config.wanted_columns, None)
    )
    assert manifest.items == 6
    kept = [r for r in rows_of(tmp_path / "run") if "status" not in r]
    assert kept
    assert {r["source"] for r in kept} == {"on_policy_judge"}
    assert all(r["chosen"][0]["content"] > r["rejected"][0]["content"] for r in kept)
    assert all(isinstance(r["tag"], int) for r in kept)
    assert "sample_index" not in kept[0]
    assert len(list(config.reader(answers, config.wanted_columns, 4))) == 4


def test_the_policy_answers_first_in_the_same_run(tmp_path):
    prompts = write_jsonl(tmp_path / "three.jsonl", [{"prompt": f"Q{n}?"} for n in range(24)])
    policy = write_jsonl(
        tmp_path / "policy.jsonl",
        [{"text": "grade 1"}, {"text": "grade 2"}, {"text": "cut", "finish_reason": "length"}],
    )
    config = settings(tmp_path, columns=None, policy=f"canned:{policy}")
    engine = CannedEngine(policy, EngineOptions(), "")

    def reply(request):
        if request.role != "policy":
            return choosing(better)(request)
        [completion] = ask(engine, [Job(key=request.key(engine.identity), request=request)])
        return {"text": completion.text, "finish_reason": completion.finish_reason}

    rows = Input(str(prompts), config.wanted_columns, None)
    manifest = judged(tmp_path, config, reply, rows)
    assert set(manifest.counts) == {"kept", "identical", "too_few"}
    assert sum(manifest.counts.values()) == 24
    found = rows_of(tmp_path / "run")
    assert {r["source"] for r in found} == {"on_policy_judge"}
    assert any("truncated: cut off" in r.get("reason", "") for r in found)


def test_two_policies_are_off_policy(tmp_path):
    write_jsonl(tmp_path / "three.jsonl", [{"prompt": "Q?"}])
    a = write_jsonl(tmp_path / "a.jsonl", [{"text": "grade 1"}])
    b = write_jsonl(tmp_path / "b.jsonl", [{"text": "grade 2"}])
    config = settings(tmp_path, columns=None, policies=f"canned:{a},canned:{b}")

    def reply(request):
        if request.role.startswith("policy"):
            return {"text": "grade 1" if request.role == "policy_1" else "grade 2"}
        return choosing(better)(request)

    rows = Input(str(tmp_path / "three.jsonl"), config.wanted_columns, None)
    manifest = judged(tmp_path, config, reply, rows)
    assert manifest.counts == {"kept": 1}
    [row] = rows_of(tmp_path / "run")
    assert (row["source"], row["chosen"][0]["content"]) == ("off_policy_judge", "grade 2")


def test_the_stronger_answer_is_chosen_and_nobody_is_asked(tmp_path):
    three_answers(tmp_path, 3)
    config = settings(
        tmp_path, judge=None, columns=None, answer_column="one", stronger="three", out=str(tmp_path / "run")
    )
    assert judge(config).counts == {"kept": 3}
    row = rows_of(tmp_path / "run")[0]
    assert (row["source"], row["chosen_model"]) == ("stronger_preferred", "three")
    assert "verdict" not in row
    assert "margin" not in row
    assert row["chosen"][0]["content"] == "grade 3 of 0"
    assert row["rejected"][0]["content"] == "grade 1 of 0"
    engine = write_jsonl(tmp_path / "strong.jsonl", [{"text": "the best"}])
    config = config.model_copy(update={"stronger": f"canned:{engine}", "out": str(tmp_path / "asked")})
    assert judge(config).counts == {"kept": 3}
    assert {r["chosen"][0]["content"] for r in rows_of(tmp_path / "asked")} == {"the best"}
    cut = write_jsonl(tmp_path / "cut.jsonl", [{"text": "the", "finish_reason": "length"}])
    config = config.model_copy(update={"stronger": f"canned:{cut}", "out": str(tmp_path / "cut")})
    assert judge(config).counts == {"truncated": 3}


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


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"judge": None}, "--judge must be given"),
        ({"judge": "reward:runs/rm"}, "neither a folder here nor a model on the hub"),
        ({"judge": "hf:smolm2"}, r"on the hub\. Did you mean smollm2\?"),
        ({"judge": "nobody:x"}, "unknown engine"),
        ({"columns": "one"}, "no prompt has two answers"),
        ({"columns": "one,five"}, r"no column `five` \(--columns\)"),
        ({"columns": None}, "no prompt has two answers"),
        ({"policies": "hf:smollm2", "columns": None}, "two or more different engines"),
        ({"policies": "hf:a,hf:b", "policy": "hf:a"}, "give one of them"),
        ({"policy": "hf:smollm2", "n": 1, "columns": None}, "nothing to compare"),
        ({"stronger": "three"}, "leave --judge away"),
        ({"stronger": "three", "judge": None}, "which is the stronger answer"),
        ({"protocol": "score", "aspects": "truth:0"}, "must be a number above 0"),
        ({"protocol": "score", "aspects": "truth,truth"}, "each aspect once"),
        ({"judge_template": "nothing"}, "no such template"),
        ({"judge_template": "judge_score"}, "no variable `aspect`"),
        ({"min_agreement": 0.7}, "not calibrated"),
    ],
)
def test_bad_settings_are_one_sentence_and_write_nothing(tmp_path, more, words):
    three_answers(tmp_path)
    with pytest.raises(UsageError, match=words):
        judge(settings(tmp_path, **more))
    assert not (tmp_path / "run").exists()


def test_a_judge_without_logprobs_is_refused_where_they_were_demanded(tmp_path):
    three_answers(tmp_path)
    mute = write_jsonl(tmp_path / "mute.jsonl", [{"text": "C"}])
    with pytest.raises(UsageError, match="gives no log-probabilities; use --protocol choice or text"):
        judge(settings(tmp_path, judge=f"canned:{mute}", protocol="logprob"))
    assert not (tmp_path / "run").exists()


def test_equal_answers_everywhere_are_refused(tmp_path):
    write_jsonl(tmp_path / "three.jsonl", [{"prompt": f"Q{n}", "one": "x", "two": "x"} for n in range(3)])
    with pytest.raises(UsageError, match="answers to every prompt are equal"):
        judge(settings(tmp_path, columns="one,two"))


def test_too_many_rows_without_a_verdict_fail_the_command_and_lose_nothing(tmp_path, capsys):
    three_answers(tmp_path, 4)
    config = settings(tmp_path, columns="one,three")
    good = choosing(better)

    def sometimes(request):
        silent = "of 1" in question(request).first
        return {"text": "The", "top_logprobs": [{"The": -0.1}]} if silent else good(request)

    plant(
        tmp_path / "judge.jsonl",
        JudgeStage(config),
        candidates(tmp_path / "three.jsonl", "one", "three"),
        sometimes,
    )
    with pytest.raises(PairwrightError, match=r"1 of 4 rows came to no verdict.*--max_failed 0\.1"):
        judge(config)
    assert load_manifest(tmp_path / "run").counts == {"kept": 3, "unparsed": 1}
    assert judge(config.model_copy(update={"max_failed": 0.25})).complete
    with pytest.raises(SystemExit) as stop:
        main(
            [
                "judge",
                config.input,
                "--columns",
                "one,three",
                "--judge",
                str(config.judge),
                "--out",
                config.out,
            ]
        )
    assert stop.value.code == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_every_shard_has_the_same_types(tmp_path):
    three_answers(tmp_path)
    judged(tmp_path, settings(tmp_path), choosing(better))
    import pyarrow.parquet as pq

    schemas = {
        str(pq.read_schema(p).remove_metadata()) for p in (tmp_path / "run" / "data").glob("*.parquet")
    }
    assert len(schemas) == 1
    assert not any(
        pa.types.is_null(f.type) for f in pq.read_schema(next((tmp_path / "run" / "data").glob("*")))
    )


def test_a_lost_shard_is_made_again_with_the_same_rows(tmp_path):
    """Rows beyond the first of a prompt come back with the same ids, from the journal alone."""
    three_answers(tmp_path)
    config = settings(tmp_path, pairs="all")
    judged(tmp_path, config, choosing(better))
    before = rows_of(tmp_path / "run")
    (tmp_path / "run" / "data" / "train-00001.parquet").unlink()
    again = judge(config)
    assert again is not None
    assert again.kept_rows == 30
    assert rows_of(tmp_path / "run") == before


def test_preview_and_dry_run_ask_nothing(tmp_path, capsys):
    three_answers(tmp_path)
    assert judge(settings(tmp_path, preview=True)) is None
    assert "first response" in capsys.readouterr().out
    policy = write_jsonl(tmp_path / "policy.jsonl", [{"text": "hello"}])
    assert judge(settings(tmp_path, columns=None, policy=f"canned:{policy}", dry_run=True)) is None
    said = capsys.readouterr().out
    assert "policy" in said
    assert "judge" in said
    assert not (tmp_path / "run").exists()


def test_an_outage_gives_no_verdicts_and_the_next_run_asks_again(tmp_path):
    three_answers(tmp_path, 3)
    config = settings(tmp_path, columns="one,three", max_failed=0.5)
    write_jsonl(tmp_path / "out.jsonl", [{"failure": "the server is gone", "top_logprobs": [{"C": -0.1}]}])
    down = config.model_copy(
        update={"judge": f"canned:{tmp_path / 'out.jsonl'}", "out": str(tmp_path / "down")}
    )
    with pytest.raises(PairwrightError, match="3 of 3 rows came to no verdict"):
        judge(down)
    rows = rows_of(tmp_path / "down")
    assert [(r["status"], r["reason"], r["verdict"]) for r in rows] == [
        ("failed", "the server is gone", None)
    ] * 3
    assert judged(tmp_path, config, choosing(better)).counts == {"kept": 3}


def test_the_stronger_answer_beside_every_answer_of_a_prompt(tmp_path):
    three_answers(tmp_path)
    config = settings(tmp_path, judge=None, columns="one,two", stronger="three", pairs="all")
    manifest = judge(config)
    assert manifest is not None
    assert manifest.counts == {"kept": 10, "identical": 1, "too_few": 1}
    assert manifest.kept_rows == 20
    kept = [r for r in rows_of(tmp_path / "run") if "status" not in r]
    assert {(r["chosen_model"], r["rejected_model"]) for r in kept} == {("three", "one"), ("three", "two")}
