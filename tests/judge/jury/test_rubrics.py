"""What a prompt is judged by: columns of the row in templates, rubrics of columns, written ones."""

import json
import sqlite3

import pytest
from planted_judge import choosing, seed
from runs_on_disk import rows_of, write_jsonl

from judge.config import JudgeConfig
from judge.jury.rubrics import as_text
from judge.stage import JudgeStage
from pairwright.cli import run_command
from pairwright.errors import UsageError
from pairwright.inputs.candidates import Candidates
from pairwright.inputs.columns import Columns
from pairwright.records import Completion
from prompts.template import TemplateError, parse

TEMPLATE = """{% block user %}
{{ prompt }} {{ nonce }} {{ first }} {{ second }} {{ protocol }}
Right is: {{ row.reference }}.{% if row.hints %} Hints: {{ row.hints }}{% endif %}

{{ labels[0] }}. The first response
{{ labels[1] }}. The second response
{% endblock %}
"""


CRITERIA = [{"criterion": "Is right", "weight": 2}, {"criterion": "Is short"}]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.j2").write_text(TEMPLATE)
    seed(tmp_path / "judge.jsonl")
    write_jsonl(
        tmp_path / "rows.jsonl",
        [
            {"prompt": f"{n} + {n}?", "response_a": "x", "response_b": "y", "reference": str(2 * n),
             "hints": ["count", "é"] if n else None, "rubric": CRITERIA}
            for n in range(2)
        ],
    )  # fmt: skip
    return tmp_path


def asked(place, **settings) -> list[str]:
    """What the first judge is asked about each row, with a checklist where it is to write one."""
    stage = JudgeStage(JudgeConfig(input="rows.jsonl", out="out", judge="canned:judge.jsonl", **settings))
    rows = Candidates("rows.jsonl", Columns(), None)
    stage.check(rows)
    texts = []
    for row in rows:
        work = stage.work(row, 0)
        requests = next(work)
        if requests[0].role == "rubric":
            texts.append(requests[0].messages[-1].content)
            requests = work.send([Completion(text="- It names the sum.\n")])
        texts.append(requests[0].messages[-1].content)
    return texts


def test_any_column_stands_in_a_template(place) -> None:
    first, second = asked(place, judge_template="own.j2")
    assert "Right is: 0." in first
    assert "Hints" not in first
    assert 'Right is: 2. Hints: ["count", "é"]' in second


def test_a_column_that_is_not_there_is_one_sentence_with_those_that_are(place) -> None:
    (place / "own.j2").write_text(TEMPLATE.replace("row.reference", "row['refrence']"))
    with pytest.raises(
        UsageError, match=r"no column `refrence`, and own\.j2: shows .*`reference`, `hints`"
    ):
        run_command(["judge", "rows.jsonl", "--judge", "canned:judge.jsonl", "--judge_template", "own.j2",
                     "--out", "out"])  # fmt: skip
    with pytest.raises(UsageError, match=r"no column `marks`, and --rubric marks; there are: `reference`"):
        asked(place, rubric="marks")


def test_a_row_is_no_way_into_python() -> None:
    template = parse("{% block user %}{{ row._values }}{% endblock %}", "own.j2")
    from prompts.template import Columns as Shown

    with pytest.raises(TemplateError):
        template.messages(row=Shown({"a": 1}))


def test_the_preview_names_the_columns(place, capsys) -> None:
    run_command(["judge", "rows.jsonl", "--judge", "canned:judge.jsonl", "--out", "out", "--preview"])
    assert "{{ row.NAME }}: reference, hints, rubric" in " ".join(capsys.readouterr().out.split())


def test_a_rubric_of_a_column_is_shown_criterion_by_criterion(place) -> None:
    first, _ = asked(place, rubric="rubric")
    assert "\n- Is right (weight 2)\n- Is short\n</rubric" in first
    assert as_text(["a", None, {"title": "b"}]) == "- a\n- b"
    assert as_text(None) == as_text([]) == ""


@pytest.mark.parametrize(
    ("rubric", "shown"),
    [
        ({"right": 5, "é": 2}, '{"right": 5, "é": 2}'),
        ([{"title": "a", "points": "5"}, {"text": "b", "weight": -2}], "- a (weight 5)\n- b (weight -2)"),
        ([{"criterion": {"de": "ä"}}, ["x", 1]], '- {"de": "ä"}\n- ["x", 1]'),
        ([{"name": None, "text": "a"}, {"text": None}], "- a"),
    ],
)  # fmt: skip
def test_a_rubric_is_shown_as_templates_show_values(rubric, shown) -> None:
    assert as_text(rubric) == shown


@pytest.mark.parametrize(
    ("criterion", "said"),
    [
        ({"text": "b", "weight": "high"}, "`weight` of criterion 2 is 'high'; it must be a number"),
        ({"text": "b", "points": True}, "`points` of criterion 2 is 'True'; it must be a number"),
        ({"text": "b", "points": "nan"}, "`points` of criterion 2 is 'nan'; it must be a number"),
        ({"name": "b", "x": 3}, "criterion 2 has `name`, `x`; write its text as `criterion` or `text`"),
    ],
)  # fmt: skip
def test_a_criterion_that_cannot_be_read_is_refused_with_its_row(place, criterion, said) -> None:
    pair = {"prompt": "P", "response_a": "x", "response_b": "y"}
    rubrics = ([{"text": "a"}], [{"text": "a"}, criterion])
    write_jsonl(place / "rows.jsonl", [pair | {"marks": marks} for marks in rubrics])
    with pytest.raises(UsageError) as refused:
        asked(place, rubric="marks")
    assert str(refused.value) == f"rows.jsonl row 2: `marks`: {said}"


def test_an_empty_rubric_is_refused_with_its_row(place) -> None:
    write_jsonl(place / "rows.jsonl", [{"prompt": "P", "response_a": "x", "response_b": "y", "marks": " "}])
    with pytest.raises(UsageError, match=r"rows\.jsonl row 1: `marks` is empty"):
        asked(place, rubric="marks")


def test_a_judge_writes_a_checklist_before_it_sees_an_answer(place) -> None:
    wrote, then, *_ = asked(place, rubric="write")
    assert "checklist" in wrote
    assert "0 + 0?" in wrote
    assert "response" not in wrote
    assert "\n- It names the sum.\n</rubric" in then


def test_a_written_rubric_is_kept_and_asked_for_once(place) -> None:
    rows = [{"prompt": "Same?", "response_a": f"x{n}", "response_b": f"y{n}"} for n in range(3)]
    write_jsonl(place / "rows.jsonl", rows)
    stage = JudgeStage(JudgeConfig(input="rows.jsonl", out="o", judge="canned:judge.jsonl", rubric="write"))
    lines = {}
    for row in Candidates("rows.jsonl", Columns(), None):
        work = stage.work(row, 0)
        [request] = next(work)
        lines[request.messages[-1].content] = {"text": "- Is right."}
        for question in work.send([Completion(text="- Is right.")]):
            lines[question.messages[-1].content] = choosing(lambda q: q.first.startswith("x"))(question)
    file = place / "judge.jsonl"
    file.write_text("".join(json.dumps({"match": m} | said) + "\n" for m, said in lines.items()))
    run_command(
        ["judge", "rows.jsonl", "--judge", "canned:judge.jsonl", "--rubric", "write", "--out", "out"]
    )
    assert [row["rubric"] for row in rows_of(place / "out")] == ["- Is right."] * 3
    with sqlite3.connect(place / "out" / "journal.sqlite") as journal:
        [table] = [n for (n,) in journal.execute("select name from sqlite_master where type = 'table'")][:1]
        assert journal.execute(f"select count(*) from {table}").fetchone() == (7,)


def test_a_checklist_that_was_cut_off_is_asked_for_once_more_and_never_used(place) -> None:
    stage = JudgeStage(
        JudgeConfig(
            input="rows.jsonl", out="o", judge="canned:judge.jsonl", rubric="write", reasoning_tokens=88
        )
    )
    row = next(iter(Candidates("rows.jsonl", Columns(), None)))
    cut = Completion(text="- It names", finish_reason="length", completion_tokens=512)
    whole = Completion(text="- It names the sum.")

    work = stage.work(row, 0)
    assert [next(work)[0].sampling.max_tokens, work.send([cut])[0].sampling.max_tokens] == [512, 600]
    assert "\n- It names the sum.\n</rubric" in work.send([whole])[0].messages[-1].content

    work = stage.work(row, 0)
    next(work)
    work.send([cut])
    with pytest.raises(StopIteration) as ended:
        work.send([cut])
    outcome = ended.value.value
    assert (outcome.status, outcome.columns["rubric"]) == ("unparsed", "")
    assert "no rubric was written for the prompt: cut off after" in outcome.reason
    assert "--reasoning_tokens" in outcome.reason


@pytest.mark.parametrize(
    ("protocol", "shown", "missing"),
    [
        ("text", "{{ first }}", "second"),
        ("choice", "{{ second }}", "first"),
        ("score", "", "response"),
        ("rank", "", "responses"),
    ],
)
def test_a_template_that_does_not_show_the_answers_is_refused(place, protocol, shown, missing) -> None:
    (place / "own.j2").write_text("{% block user %}Which one?" + shown + "{% endblock %}")
    with pytest.raises(UsageError, match=rf"own\.j2: shows no {{{{ {missing} }}}}, and a judge must see"):
        asked(place, judge_template="own.j2", protocol=protocol)


def test_a_template_without_the_rubric_and_a_judge_without_words_are_refused(place) -> None:
    with pytest.raises(UsageError, match=r"own\.j2: shows no \{\{ rubric \}\}"):
        asked(place, rubric="rubric", judge_template="own.j2")
    (place / "own.py").write_text("def f(prompt, answer, row):\n    return 1.0\n")
    with pytest.raises(UsageError, match="is given no prompt"):
        JudgeStage(JudgeConfig(input="rows.jsonl", out="out", judge="own.py:f", rubric="rubric"))
