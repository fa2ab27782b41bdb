"""The life of a row under revision, played with completions made by hand."""

from pathlib import Path

import pytest
from revising import ANSWER, BETTER, play, row, stage
from runs_on_disk import reviser, rows_of, write_jsonl

from pairwright.errors import UsageError
from pairwright.records import Completion, Message
from prompts import load
from revise import ReviseConfig, revise
from revise.stage import ReviseStage

GOOD = Completion(text=f"<rationale>a slip</rationale><revision>{BETTER}</revision>", model="m@1")


SAME = Completion(text=f"<rationale>fine</rationale><revision>{ANSWER}</revision>", model="m@1")


LOOSE = Completion(text="I would not know.", model="m@1")


META = Completion(text=f"<revision>Here is the revised answer: {BETTER}</revision>", model="m@1")


CUT = Completion(text=f"<revision>{BETTER}", finish_reason="length", completion_tokens=9, model="m@1")


def test_a_good_revision_is_a_pair() -> None:
    [request], outcome = play(stage(), row(completion_model="policy@7"), GOOD)
    assert request.role == "reviser"
    assert [m.role for m in request.messages] == ["user"]
    assert "<task>\nWhat is 2 + 2?\n</task>" in request.messages[0].content
    assert f"<answer>\n{ANSWER}\n</answer>" in request.messages[0].content
    assert (request.template, request.sample_index) == (load("revise").hash, 0)
    assert outcome.status == "kept"
    columns = outcome.columns
    assert columns["chosen"] == [{"role": "assistant", "content": BETTER}]
    assert columns["rejected"] == [{"role": "assistant", "content": ANSWER}]
    assert columns["rationale"] == "a slip"
    assert (columns["chosen_model"], columns["rejected_model"]) == ("m@1", "policy@7")
    assert (columns["chosen_template"], columns["rejected_template"]) == (load("revise").hash, None)
    assert (columns["source"], columns["attempts"]) == ("clair", 1)
    assert columns["token_levenshtein"] == 1
    [span] = columns["changed_spans"]
    assert ANSWER[span.rejected_start : span.rejected_end] == "five"
    assert set(columns) <= set(ReviseStage.schema.names)


def test_to_worsen_turns_the_pair_around() -> None:
    worse = Completion(text=f"<rationale>a slip</rationale><revision>{ANSWER}</revision>", model="m@1")
    [request], outcome = play(stage(direction="worsen"), row(BETTER, completion_model="policy@7"), worse)
    assert request.template == load("worsen").hash != load("revise").hash
    columns = outcome.columns
    assert columns["chosen"][0]["content"] == BETTER
    assert columns["rejected"][0]["content"] == ANSWER
    assert (columns["chosen_model"], columns["rejected_model"]) == ("policy@7", "m@1")
    assert (columns["chosen_template"], columns["rejected_template"]) == (None, load("worsen").hash)
    assert (columns["source"], outcome.status) == ("clair_worsened", "kept")


@pytest.mark.parametrize(
    ("first", "status", "words"),
    [
        (LOOSE, "unparsed", "no revision was found"),
        (META, "meta_talk", "it must not speak of itself"),
        (CUT, "truncated", "Be brief in the rationale"),
        (Completion(text="<revision>Four.</revision>"), "length_drift", "mend only single places"),
        (Completion(text="", finish_reason="content_filter"), "refused", "content filter"),
    ],
)
def test_a_dropped_revision_is_asked_for_again_with_the_reason(
    first: Completion, status: str, words: str
) -> None:
    [one, two], outcome = play(stage(), row(), first, GOOD)
    assert two.messages[:1] == one.messages
    assert two.messages[1] == Message(role="assistant", content=first.text)
    assert two.messages[2].role == "user"
    assert two.messages[2].content.startswith("That cannot be used: ")
    assert words in two.messages[2].content
    assert (outcome.status, outcome.columns["attempts"]) == ("kept", 2)
    [_, _], outcome = play(stage(), row(), first, first)
    assert (outcome.status, outcome.columns["attempts"]) == (status, 2)
    [_], outcome = play(stage(retry=False), row(), first)
    assert (outcome.status, outcome.columns["attempts"]) == (status, 1)


def test_the_second_try_is_judged_by_itself() -> None:
    _, outcome = play(stage(), row(), META, SAME)
    assert outcome.status == "no_change"
    _, outcome = play(stage(), row(), META, LOOSE)
    assert (outcome.status, outcome.columns.get("chosen")) == ("unparsed", None)
    assert outcome.columns["rejected"][0]["content"] == ANSWER


def test_no_change_is_an_answer_when_improving_and_none_when_worsening() -> None:
    [_], outcome = play(stage(), row(), SAME)
    assert (outcome.status, outcome.columns["attempts"]) == ("no_change", 1)
    [_, again], outcome = play(stage(direction="worsen"), row(), SAME, GOOD)
    assert "Make the change that was asked for." in again.messages[-1].content
    assert outcome.status == "kept"


def test_what_goes_on_after_a_whole_revision_is_cut_off_without_harm() -> None:
    text = f"<revision>{BETTER}</revision>\nAnd now for something"
    _, outcome = play(stage(), row(), Completion(text=text, finish_reason="length"))
    assert outcome.status == "kept"
    assert outcome.columns["chosen"][0]["content"] == BETTER


def test_a_policy_answers_first_where_there_is_no_answer() -> None:
    sampled = Completion(text=ANSWER, model="policy@7", prompt_tokens=5, completion_tokens=20)
    good = GOOD.model_copy(update={"prompt_tokens": 100, "completion_tokens": 30})
    both = stage(policy="canned:p.jsonl", policy_max_tokens=99)
    [first, second], outcome = play(both, row(None), sampled, good)
    assert (first.role, first.sampling.max_tokens, first.template) == ("policy", 99, "")
    assert (second.role, second.sampling.max_tokens) == ("reviser", 2048)
    assert (outcome.status, outcome.columns["rejected_model"]) == ("kept", "policy@7")
    assert (outcome.columns["prompt_tokens"], outcome.columns["completion_tokens"]) == (105, 50)
    [only], _ = play(both, row(ANSWER), GOOD)
    assert only.role == "reviser"


@pytest.mark.parametrize(
    ("sampled", "status"),
    [
        (Completion(text="Two plus", finish_reason="length", completion_tokens=7), "truncated"),
        (Completion(text="", finish_reason="content_filter"), "refused"),
        (Completion(text=" \n"), "empty"),
    ],
)
@pytest.mark.parametrize("direction", ["improve", "worsen"])
def test_a_policy_that_does_not_answer_ends_the_row(
    sampled: Completion, status: str, direction: str
) -> None:
    [_], outcome = play(stage(policy="canned:p.jsonl", direction=direction), row(None), sampled)
    assert (outcome.status, outcome.columns["attempts"]) == (status, 0)
    assert outcome.reason.startswith("the policy's answer: ")
    side, model = ("rejected", "rejected_model") if direction == "improve" else ("chosen", "chosen_model")
    assert outcome.columns[side] == [{"role": "assistant", "content": sampled.text}]
    assert outcome.columns[model] == "canned:p.jsonl"
    assert outcome.columns["completion_tokens"] == sampled.completion_tokens


def test_a_conversation_is_shown_with_its_speakers() -> None:
    turns = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "2 + 2?")]
    [request], _ = play(stage(), row(ANSWER, *turns), GOOD)
    assert (
        "System: Be brief.\n\nUser: Hi\n\nAssistant: Hello\n\nUser: 2 + 2?" in request.messages[0].content
    )


def test_equal_rows_are_asked_apart_and_the_same_row_alike() -> None:
    one, two = row(), row()._replace(occurrence=1)
    keys = [play(stage(), r, GOOD)[0][0].key("m") for r in (one, two, one)]
    assert keys[0] == keys[2] != keys[1]


def test_rows_without_answers_are_refused_before_anything_is_asked(tmp_path: Path) -> None:
    """Or passed over as bad rows, be it one answer that is missing or a whole list of them."""
    answers = [("response", "The sum is five."), ("completions", ["The sum is five."])]
    for column, given in answers:
        path = write_jsonl(tmp_path / f"{column}.jsonl", [{"prompt": "Q", column: given}, {"prompt": "R"}])
        settings = {
            "input": str(path),
            "reviser": f"canned:{reviser(tmp_path, 2)}",
            "out": str(tmp_path / column),
        }
        with pytest.raises(UsageError, match=rf"{column}.jsonl line 2: no answer to revise; .*--policy"):
            revise(ReviseConfig(**settings))
        assert not (tmp_path / column).exists()
        revise(ReviseConfig(**settings, skip_bad_rows=1))
        [bad] = [row for row in rows_of(tmp_path / column) if row.get("status") == "bad_row"]
        assert bad["reason"].startswith(f"{path} line 2: no answer to revise")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "{% block user %}{{ anwser }}{% endblock %}",
            "mine: no variable `anwser`; there are prompt, answer",
        ),
        ("{% block user %}{{ answer }}", "mine.j2 line 1: Unexpected end of template"),
        ("{{ answer }}", "mine.j2 line 1: stands outside of every block"),
    ],
)
def test_a_template_of_the_users_is_checked_beforehand(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "mine.j2").write_text(text)
    with pytest.raises(UsageError) as caught:
        stage(template=str(tmp_path / "mine.j2"))
    assert reason in str(caught.value)


def test_a_template_of_the_users_is_used_and_kept(tmp_path: Path) -> None:
    text = "{% block system %}Mend.{% endblock %}{% block user %}{{ prompt }}|{{ answer }}{% endblock %}"
    (tmp_path / "mine.j2").write_text(text)
    own = stage(template=str(tmp_path / "mine.j2"))
    [request], _ = play(own, row(), GOOD)
    assert [m.content for m in request.messages] == ["Mend.", f"What is 2 + 2?|{ANSWER}"]
    assert own.templates["mine"] == text
    (tmp_path / "revise_retry.j2").write_text(text)
    with pytest.raises(UsageError, match="revise_retry names the template of the second try; rename yours"):
        stage(template=str(tmp_path / "revise_retry.j2"))
    with pytest.raises(UsageError, match="revize: no such template; ours are judge"):
        stage(template="revize")


def test_a_bare_reply_to_a_template_that_asks_for_tags_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage(template="revise_small", reply="bare")
    assert "asks for <revision> tags" not in caplog.text
    stage(reply="bare")
    assert "--reply bare: the template revise asks for <revision> tags" in caplog.text


def test_a_bare_reply_is_the_revision() -> None:
    small = stage(template="revise_small", reply="bare")
    text = f"```\n{BETTER}\n```\n"
    _, outcome = play(small, row(), Completion(text=text))
    assert (outcome.status, outcome.columns["rationale"]) == ("kept", "")
    assert outcome.columns["chosen"] == [{"role": "assistant", "content": BETTER}]
    _, outcome = play(small, row(), Completion(text=GOOD.text), Completion(text=" \n"))
    assert outcome.status == "unparsed"
    cut = Completion(text=BETTER, finish_reason="length")
    _, outcome = play(small, row(), cut, cut)
    assert outcome.status == "truncated"


def test_an_answer_with_a_thought_loses_it_on_both_sides() -> None:
    """What was thought before the answer is kept, for both: the revision revises that answer."""
    thought = f"<think>\n2 + 2?\n</think>\n\n{ANSWER}"
    small = stage(template="revise_small", reply="bare")
    [request], outcome = play(small, row(answer=thought), Completion(text=f"<think>hm</think>{BETTER}"))
    assert "<think>" not in request.messages[-1].content
    said = {side: outcome.columns[side][0]["content"] for side in ("chosen", "rejected")}
    assert said == {"chosen": BETTER, "rejected": ANSWER}
    assert {outcome.columns[f"{side}_reasoning"] for side in said} == {"2 + 2?"}


def test_an_answer_that_is_a_thought_alone_is_not_revised() -> None:
    work = stage().work(row(answer="<think>\n2 + 2?"), 0)
    with pytest.raises(StopIteration) as ended:
        next(work)
    assert (ended.value.value.status, ended.value.value.columns["chosen_reasoning"]) == ("empty", "2 + 2?")
