"""Lists of edits as models write them: everything that is whole is read, nothing that is half is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revise.edits.apply import Edit
from revise.edits.parse import parse_edits, schema_of

FOUR = Edit("five", "four", "a slip")
ITEM = '{"find": "five", "replace": "four", "reason": "a slip"}'


@pytest.mark.parametrize(
    "text",
    [
        f'{{"edits": [{ITEM}]}}',
        f"[{ITEM}]",
        ITEM,
        f'{{"edits": {ITEM}}}',
        f"```json\n[{ITEM}]\n```",
        f"Here [as you asked] are my {{edits}}:\n\n```\n[{ITEM}]\n```\nI hope this helps!",
        f'First I thought of [{{"find": "x", "replace": "y"}}], but better:\n[{ITEM}]',
        f"[{ITEM},]",
        f"[{ITEM[:-1]},}},]",
        "[{'find': 'five', 'replace': 'four', 'reason': 'a slip'}]",
        "[{“find”: “five”, “replace”: “four”, “reason”: “a slip”}]",
        '[{find: "five", replace: "four", reason: "a slip"}]',
        f"[{ITEM} // the sum\n]",
        f'{{"edits": [{ITEM}], "edits_count": 1}}',
    ],
)
def test_what_is_whole_is_read(text: str) -> None:
    assert parse_edits(text, "text") == [FOUR]


@pytest.mark.parametrize("text", ['{"edits": []}', "[]", "```json\n[]\n```", "Nothing is wrong: []"])
def test_an_empty_list_is_a_list(text: str) -> None:
    assert parse_edits(text, "text") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would not change a thing.",
        "five -> four",
        f"[{ITEM}, {{",
        f'[{ITEM}, {{"find": "b',
        f'{{"edits": [{ITEM}, {{"find": "b", "repl',
        f"[{ITEM}",
        f'[{ITEM}, {{"find": "x"}}]',
        f'[{ITEM}, {{"replace": "x"}}]',
        '[{"find": "x", "replace": null}]',
        '[{"find": 3, "replace": "x"}]',
        '[{"sentence": 3, "replace": "x"}]',
        '["five", "four"]',
        "[" * 50_000,
        "[{" * 5_000,
        '{"edits": "none"}',
    ],
)
def test_what_is_no_list_or_half_of_one_is_none(text: str) -> None:
    assert parse_edits(text, "text") is None


def test_only_whole_json_survives_being_cut_off() -> None:
    assert parse_edits(f"[{ITEM}] and further", "text", cut_off=True) == [FOUR]
    assert parse_edits(f"[{ITEM},] and further", "text", cut_off=True) is None


def test_quotation_marks_within_a_text_do_not_cut_it_short() -> None:
    said = '[{"find": "said yes", "replace": "said "no", loudly", "reason": "x"}]'
    assert parse_edits(said, "text") == [Edit("said yes", 'said "no", loudly', "x")]
    assert parse_edits('[{"find": "x", "replace": "of "a", "b": and c", "reason": "y"}]', "text") is None
    strict = '[{"find": "x", "replace": "y", "reason": "z", "severity": "low"}]'
    assert parse_edits(strict, "text") == [Edit("x", "y", "z")]


def test_half_a_character_in_a_reason_is_replaced() -> None:
    said = '[{"find": "x", "replace": "\\ud83d\\ude42", "reason": "\\ud83d"}]'
    assert parse_edits(said, "text") == [Edit("x", "🙂", "?")]


def test_sentences_are_named_by_number() -> None:
    for number in ("3", '"3"', '"S3"', '"[S3]"'):
        assert parse_edits(f'[{{"sentence": {number}, "replace": "x"}}]', "sentence") == [Edit(3, "x")]
    for number in ("true", "3.5", '"third"', "null", '"find"'):
        assert parse_edits(f'[{{"sentence": {number}, "replace": "x"}}]', "sentence") is None


EDITS = st.lists(st.builds(Edit, st.text(), st.text(), st.text()), max_size=4)


@given(EDITS, st.sampled_from(["{}", "```json\n{}\n```", "So: {} done"]), st.booleans())
def test_json_is_read_back(edits: list[Edit], frame: str, ascii_only: bool) -> None:
    body = json.dumps({"edits": [e._asdict() for e in edits]}, ensure_ascii=ascii_only)
    assert parse_edits(frame.replace("{}", body, 1), "text") == edits


@given(st.text(st.sampled_from("[]{}\"',:find replace\n`“”\\edits0")))
def test_reading_never_raises(text: str) -> None:
    parse_edits(text, "text")
    parse_edits(f'[{{"find": {text}', "sentence")


def test_schemas_are_what_strict_servers_take() -> None:
    for unit, key in (("text", "find"), ("sentence", "sentence")):
        schema = schema_of(unit)  # type: ignore[arg-type]
        item = schema["properties"]["edits"]["items"]
        assert schema["type"] == item["type"] == "object"
        assert item["required"] == list(item["properties"]) == [key, "replace", "reason"]
        assert item["additionalProperties"] is schema["additionalProperties"] is False
