"""What a judge run refuses, and what it does where engines fail."""

import pytest
from judging import better, judged, settings, three_answers
from planted_judge import candidates, choosing, plant, question
from runs_on_disk import rows_of, write_jsonl

from judge.command import judge
from judge.stage import JudgeStage
from pairwright.cli import main
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.manifest import load_manifest


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"judge": None}, "--judge must be given"),
        ({"judge": "reward:runs/rm"}, "neither a folder here nor a model on the hub"),
        ({"judge": "hf:smolm2"}, r"on the hub\. Did you mean smollm2\?"),
        ({"judge": "nobody:x"}, "unknown engine"),
        ({"columns": "one"}, "no prompt has two answers"),
        ({"columns": "one,two,one"}, "--columns names `one` twice"),
        ({"columns": "one,five"}, r"no column `five` \(--columns\)"),
        ({"columns": None}, "no prompt has two answers"),
        ({"policies": "hf:smollm2", "columns": None}, "two or more different engines"),
        ({"policies": "hf:a,hf:b", "policy": "hf:a"}, "give one of them"),
        ({"policy": "hf:smollm2", "n": 1, "columns": None}, "a comparison needs two answers"),
        ({"stronger": "three"}, "leave out --judge"),
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
    write_jsonl(
        tmp_path / "three.jsonl", [{"prompt": "Q", "one": "x", "two": "x"}, {"prompt": "R", "one": "y"}]
    )
    with pytest.raises(UsageError, match="no prompt has two different answers; nothing to compare"):
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
