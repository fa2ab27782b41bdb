"""`revise --mode edits`: rows played by hand, and whole runs read back by those who train on them."""

import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from in_process import run
from revising import ANSWER, BETTER, play, row, stage
from runs_on_disk import ANSWER as COUNTING
from runs_on_disk import answers, rows_of, write_jsonl
from tiny_model import save_tiny_model

from pairwright.errors import UsageError
from pairwright.folders.manifest import load_manifest
from pairwright.records import Completion, Message
from prompts import load
from revise import ReviseConfig, revise
from revise.stage import ReviseStage


def editing(**settings: Any) -> ReviseStage:
    return stage(mode="edits", **settings)


def said(*edits: dict[str, Any], **values: Any) -> Completion:
    return Completion(text=json.dumps({"edits": list(edits)}), model="m@1", **values)


GOOD = said({"find": "is five", "replace": "is four", "reason": "a slip"})


def test_edits_make_a_pair_and_stay_with_it() -> None:
    [request], outcome = play(editing(), row(completion_model="policy@7"), GOOD)
    assert f"<answer>\n{ANSWER}\n</answer>" in request.messages[0].content
    assert request.json_schema is not None
    assert request.template == load("revise_edits").hash
    columns = outcome.columns
    assert outcome.status == "kept"
    assert columns["chosen"] == [{"role": "assistant", "content": BETTER}]
    assert columns["rejected"] == [{"role": "assistant", "content": ANSWER}]
    assert columns["edits"] == [
        {"find": "is five", "replace": "is four", "reason": "a slip", "match": "exact"}
    ]
    assert (columns["rationale"], columns["token_levenshtein"]) == ("a slip", 1)
    assert set(columns) <= set(editing().schema.names)
    assert "edits" not in stage().schema.names


def test_worsening_turns_the_pair_around() -> None:
    worse = said({"find": "is four", "replace": "is five", "reason": "a slip"})
    [request], outcome = play(editing(direction="worsen"), row(BETTER), worse)
    assert "put one realistic flaw" in request.messages[0].content
    assert outcome.columns["chosen"][0]["content"] == BETTER
    assert outcome.columns["rejected"][0]["content"] == ANSWER
    assert (outcome.status, outcome.columns["source"]) == ("kept", "clair_worsened")


def test_an_empty_list_is_no_change() -> None:
    for nothing in (said(), said({"find": "five", "replace": "five"})):
        [_], outcome = play(editing(), row(), nothing)
        assert (outcome.status, outcome.columns["edits"]) == ("no_change", [])
    [_, again], _ = play(editing(direction="worsen"), row(), said(), GOOD)
    assert "Make the change that was asked for." in again.messages[-1].content


@pytest.mark.parametrize(
    ("first", "status", "words"),
    [
        (said({"find": "a", "replace": "b"}), "unapplied", "edit 1: “a” fits 4 places of the answer"),
        (said({"find": "is six", "replace": "b"}), "unapplied", "None of the edits was made."),
        (Completion(text="It is four."), "unparsed", "no complete list of edits"),
        (Completion(text='{"edits": [{"fi', finish_reason="length"), "truncated", "shorter edits"),
        (said({"find": ANSWER, "replace": "Four."}), "length_drift", "Edit only single places"),
        (said({"find": "Two plus", "replace": "In the revised answer, two plus"}), "meta_talk",
         "must not speak of itself"),
    ],
)  # fmt: skip
def test_problems_are_told_once_and_then_the_row_is_dropped(
    first: Completion, status: str, words: str
) -> None:
    [one, two], outcome = play(editing(), row(), first, GOOD)
    assert two.messages[:2] == (*one.messages, Message(role="assistant", content=first.text))
    assert words in two.messages[2].content
    assert (outcome.status, outcome.columns["attempts"]) == ("kept", 2)
    [_, _], outcome = play(editing(), row(), first, first)
    assert outcome.status == status


def test_one_edit_that_fits_nowhere_undoes_the_others() -> None:
    mixed = said({"find": "is five", "replace": "is four"}, {"find": "absent words", "replace": "x"})
    [_], outcome = play(editing(retry=False), row(), mixed)
    assert (outcome.status, "chosen" in outcome.columns) == ("unapplied", False)
    assert outcome.reason == (
        "edit 2: “absent words” does not stand in the answer; copy it letter for letter"
    )


def test_the_examples_of_the_instructions_are_no_edits() -> None:
    """Real completions of a small model that was held to the schema."""
    for echo in ("what stands there instead", "What stands here instead.", "what stands  there\ninstead"):
        for unit, where in (("text", {"find": "is five"}), ("sentence", {"sentence": 1})):
            [_], outcome = play(
                editing(retry=False, edit_unit=unit), row(), said(where | {"replace": echo})
            )
            assert (outcome.status, "chosen" in outcome.columns) == ("unapplied", False)
            assert outcome.reason == "edit 1: its `replace` only repeats the instructions"
    own = ANSWER + " It is what stands there instead."
    [_], outcome = play(
        editing(retry=False),
        row(own),
        said({"find": "has been", "replace": "is what stands there instead"}),
    )
    assert outcome.status == "kept"


def test_long_answers_are_numbered() -> None:
    long = " ".join(f"Line {n} is a line of words." for n in range(60))
    edit = said({"sentence": 2, "replace": "Line 1 is a fine line.", "reason": "nicer"})
    [request], outcome = play(editing(), row(long), edit)
    assert "[S2] Line 1 is a line of words. [S3] Line 2" in request.messages[0].content
    assert '"sentence": 3' in request.messages[0].content
    assert outcome.status == "kept"
    assert outcome.columns["chosen"][0]["content"] == long.replace(
        "Line 1 is a line of words.", "Line 1 is a fine line."
    )
    [request], _ = play(editing(edit_unit="text", retry=False), row(long), edit)
    assert "[S2]" not in request.messages[0].content
    [request], _ = play(editing(edit_unit="sentence"), row(), said())
    assert "[S1] Two plus two" in request.messages[0].content


def test_schemas_are_asked_of_engines_that_have_them() -> None:
    for settings, asked in (
        ({"reviser": "openai:m@http://h/v1"}, True),
        ({"reviser": "hf:smollm2"}, False),
        ({"reviser": "openai:m@http://h/v1", "constrain": False}, False),
    ):
        [request], _ = play(editing(**settings), row(), GOOD)
        assert (request.json_schema is not None) == asked


def test_templates_and_replies_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--edit_unit sentence: needs --mode edits"):
        stage(edit_unit="sentence")
    with pytest.raises(UsageError, match="--reply bare: needs --mode rewrite"):
        editing(reply="bare")
    own = tmp_path / "revise_edits_retry.j2"
    own.write_text("{% block user %}{{ answer }}{% endblock %}")
    with pytest.raises(UsageError, match="revise_edits_retry names the template"):
        editing(template=str(own))
    own = tmp_path / "mine.j2"
    own.write_text("{% block user %}{{ prompt }}|{{ answer }}{% endblock %}")
    long = "A line of words. " * 100
    [request], _ = play(editing(template=str(own)), row(long), said())
    assert request.messages[0].content == f"What is 2 + 2?|{long}"


def edits_config(folder: Path, rows: int = 12, **settings: Any) -> ReviseConfig:
    """Good edits, and now and then none, ones that fit nowhere, and no list at all."""
    replies = []
    for n in range(rows):
        edits = [{"find": f"it is {n},", "replace": f"it is {n + 1},", "reason": "the sum was wrong"}]
        near = [{"find": "everybdy knows who can cout", "replace": "all know who can count"}]
        texts = {
            1: "[]",
            2: '[{"find": "nowhere at all", "replace": "x"}]',
            3: "Well.",
            4: json.dumps(near),
        }
        text = texts.get(n % 6, json.dumps(edits))
        replies.append({"match": f"What is {n} plus one?", "text": text})
    values = {
        "input": str(answers(folder, rows)),
        "reviser": f"canned:{write_jsonl(folder / 'edits.jsonl', replies)}",
        "out": str(folder / "run"),
        "shard_size": 5,
        "mode": "edits",
        "constrain": False,
    }
    return ReviseConfig(**(values | settings))


def test_a_run_keeps_its_edits_and_a_gate_reads_them_anew(tmp_path: Path) -> None:
    config = edits_config(tmp_path)
    manifest = revise(config)
    assert manifest is not None
    assert manifest.counts == {"kept": 6, "no_change": 2, "unapplied": 2, "unparsed": 2}
    kept = {
        int(r["prompt"][0]["content"].split()[2]): r for r in rows_of(tmp_path / "run") if "status" not in r
    }
    assert kept[0]["edits"][0]["match"] == "exact"
    assert kept[4]["edits"] == [
        {"find": "everybody knows who can count", "replace": "all know who can count", "reason": "",
         "match": "fuzzy"}
    ]  # fmt: skip
    for pair in kept.values():
        [edit] = pair["edits"]
        assert (
            pair["rejected"][0]["content"].replace(edit["find"], edit["replace"])
            == (pair["chosen"][0]["content"])
        )
    strict = revise(config.model_copy(update={"min_match_ratio": 1.0}))
    assert strict is not None
    assert strict.counts == {"kept": 4, "no_change": 2, "unapplied": 4, "unparsed": 2}
    with pytest.raises(UsageError, match="`mode` was 'edits' and is now 'rewrite'"):
        revise(config.model_copy(update={"mode": "rewrite"}))
    assert load_manifest(tmp_path / "run").counts == strict.counts


def test_half_a_character_drops_its_row_and_no_other(tmp_path: Path) -> None:
    """Neither UTF-8 nor Parquet can hold one; a JSON escape can name it."""
    half = (
        r'[{"find": "it is", "replace": "\ud83d", "reason": "\ud83d"}, {"find": "\ud83d", "replace": ""}]'
    )
    replies = [{"match": "What is 0 plus", "text": half}]
    replies.append({"text": '[{"find": "easy to find", "replace": "found", "reason": "\\ud83d"}]'})
    reviser = write_jsonl(tmp_path / "half.jsonl", replies)
    manifest = revise(edits_config(tmp_path, rows=2, reviser=f"canned:{reviser}"))
    assert manifest is not None
    assert manifest.counts == {"unapplied": 1, "kept": 1}


def test_pairs_with_edits_load_and_train(tmp_path: Path) -> None:
    from trl import DPOConfig, DPOTrainer

    revise(edits_config(tmp_path))
    rows = datasets.load_dataset(str(tmp_path / "run"), cache_dir=str(tmp_path / "cache"))["train"]
    assert len(rows) == 6
    assert rows[0]["edits"][0]["replace"] == "it is 1,"
    settings = DPOConfig(
        output_dir=str(tmp_path / "out"), max_steps=1, use_cpu=True, bf16=False, report_to=[],
        save_strategy="no",
    )  # fmt: skip
    trainer = DPOTrainer(model=save_tiny_model(tmp_path / "model"), args=settings, train_dataset=rows)
    assert trainer.train().global_step == 1


def test_a_look_beforehand_shows_the_edits_template(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = edits_config(tmp_path, rows=2)
    argv = ["revise", config.input, "--reviser", config.reviser, "--out", config.out, "--mode", "edits"]
    code, out, err = run(capfd, *argv, "--preview", "--edit_unit", "sentence")
    assert (code, err) == (0, "")
    assert "[S1] " + COUNTING.format(n=0)[:20] in out
    code, out, _ = run(capfd, *argv, "--dry_run")
    assert code == 0
    assert not (tmp_path / "run").exists()
