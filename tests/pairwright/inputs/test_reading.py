"""What a model is shown: whole prompts, in every form in which people keep them, or a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from pairwright.errors import UsageError
from pairwright.inputs import transcripts
from pairwright.inputs.columns import Columns
from pairwright.inputs.pairs import read_pairs
from pairwright.inputs.rows import Input

TOLD = {"role": "assistant", "content": "A."}
ASKED = {"role": "user", "content": "Q?"}
MORE = [{"role": "user", "content": "Sure?"}, {"role": "assistant", "content": "Yes."}]


def written(folder: Path, *rows: dict[str, Any]) -> str:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def turns(folder: Path, row: dict[str, Any], **wanted: Any) -> list[tuple[str, str]]:
    [read] = Input(written(folder, row), Columns(carry_only=(), **wanted), None, answers=False)
    return [(m.role, m.content) for m in read.prompt]


SYSTEM = ("system", "Be brief.")
SHOWN: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"question": "Q?", "system": "Be brief."}, [SYSTEM, ("user", "Q?")]),
    ({"prompt": "Q?", "system_prompt": "Be brief.", "chosen": "x"}, [SYSTEM, ("user", "Q?")]),
    ({"messages": [ASKED], "system_message": "Be brief."}, [SYSTEM, ("user", "Q?")]),
    ({"prompt": [{"role": "system", "content": "Be brief."}, ASKED], "system": "Be brief."},
     [SYSTEM, ("user", "Q?")]),
    ({"prompt": "Q?", "system": None}, [("user", "Q?")]),
    ({"prompt": "Q?", "system": "  "}, [("user", "Q?")]),
    ({"instruction": "Q?", "history": [["One?", "1."], ["Two?", "2."]], "system": "Be brief."},
     [SYSTEM, ("user", "One?"), ("assistant", "1."), ("user", "Two?"), ("assistant", "2."),
      ("user", "Q?")]),
    ({"prompt": "Q?", "history": [ASKED, TOLD]}, [("user", "Q?"), ("assistant", "A."), ("user", "Q?")]),
    ({"prompt": "Q?", "history": []}, [("user", "Q?")]),
    ({"instruction": "Say it.", "input": "In French.", "context": "It is late."},
     [("user", "Say it.\n\nIn French.\n\nIt is late.")]),
    ({"question": "Who?", "context": "Ada wrote it."}, [("user", "Who?\n\nAda wrote it.")]),
    ({"prompt": "Who?", "context": "a school"}, [("user", "Who?")]),
    ({"conversations": [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "Q?"}]},
     [SYSTEM, ("user", "Q?")]),
    ({"prompt": "\n\nHuman: One?\n\nAssistant: 1.\n\nHuman: Q?\n\nAssistant:"},
     [("user", "One?"), ("assistant", "1."), ("user", "Q?")]),
    ({"prompt": "### Human: One?\n### Assistant: 1.\n### Human: Q?"},
     [("user", "One?"), ("assistant", "1."), ("user", "Q?")]),
    ({"prompt": "Human: One?\n\nAssistant: 1.\n\nHuman: Q?\n\nAssistant:"},
     [("user", "One?"), ("assistant", "1."), ("user", "Q?")]),
    ({"prompt": "System: Be brief.\nUser: Q?\nAssistant: "}, [SYSTEM, ("user", "Q?")]),
    ({"prompt": "User: One?\nAssistant: 1.\nUser: Is\n  it?\nAssistant: "},
     [("user", "One?"), ("assistant", "1."), ("user", "Is\n  it?")]),
    ({"prompt": "USER: One? ASSISTANT: 1.</s>USER: Q? ASSISTANT:"},
     [("user", "One?"), ("assistant", "1."), ("user", "Q?")]),
    ({"prompt": "Human: is that a name?\n\nAssistant: is that one too?"},
     [("user", "Human: is that a name?\n\nAssistant: is that one too?")]),
    ({"prompt": [ASKED | {"content": [{"type": "text", "text": "Q"}, {"type": "text", "text": "?"}]}]},
     [("user", "Q?")]),
    ({"prompt": "Q?", "tools": None, "images": []}, [("user", "Q?")]),
    ({"prompt": "  Q?\n"}, [("user", "  Q?\n")]),
]  # fmt: skip


@pytest.mark.parametrize(("row", "expected"), SHOWN)
def test_all_of_a_prompt_is_shown(
    tmp_path: Path, row: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert turns(tmp_path, row) == expected


CALL = {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "function": {"name": "f"}}]}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"messages": [ASKED, CALL | {"tool_calls": [{"function": {}}]}, ASKED]}, "a tool call that is not"),
    ({"messages": [ASKED, CALL | {"tool_calls": "f(1)"}, ASKED]}, "`tool_calls` is text that is no JSON"),
    ({"messages": [ASKED | {"tool_calls": CALL["tool_calls"]}]}, "a message with `tool_calls`"),
    ({"messages": [ASKED | {"tool_call_id": "1"}]}, "a message with `tool_call_id`"),
    ({"messages": [ASKED | {"name": "Ada"}]}, "a message with `name`"),
    ({"messages": [ASKED, TOLD | {"reasoning_content": "Hm."}, ASKED]}, "and thoughts are not shown"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
        "a part of type",
    ),
    ({"messages": [ASKED, {"role": "assistant", "content": " "}, ASKED]}, "an empty turn of the assistant"),
    ({"messages": [ASKED, TOLD, {"role": "user", "content": ""}]}, "an empty turn of the user"),
    ({"prompt": "Q?", "tools": [{"type": "function"}]}, "`tools` must be a list of tools"),
    ({"prompt": "Q?", "tools": "hammer"}, "`tools` is text that is no JSON"),
    ({"prompt": "Q?", "documents": ["d"]}, "`documents` must be a list of objects"),
    ({"prompt": "Q?", "functions": [{"name": "f"}]}, "`functions` would be part of the prompt"),
    ({"prompt": "Q?", "images": ["x.png"]}, "`images` would be part of the prompt"),
    (
        {"prompt": "Q?", "chat_template_kwargs": {"messages": []}},
        "`chat_template_kwargs` cannot set `messages`",
    ),
    (
        {"prompt": [{"role": "system", "content": "Be long."}, ASKED], "system": "Be brief."},
        "different system",
    ),
    ({"prompt": "Q?", "system": 7}, "`system` is a number; a system message is text"),
    ({"prompt": [ASKED, TOLD, ASKED], "history": [["a", "b"]]}, "is a conversation already"),
    ({"prompt": "Q?", "history": [["a", None]]}, "`history` has a turn that is no text"),
    ({"prompt": "Q?", "history": "He said hello."}, "`history`"),
    ({"prompt": "<|im_start|>user\nQ?<|im_end|>"}, "a chat template has rendered already"),
    ({"prompt": "[INST] Q? [/INST]"}, "a chat template has rendered already"),
    ({"prompt": "<<SYS>>\nBe brief.\n<</SYS>>\n\n[INST] Q? [/INST]"}, "has rendered already (`<<SYS>>`)"),
    ({"prompt": "<｜begin▁of▁sentence｜><｜User｜>Q?<｜Assistant｜>"}, "has rendered already"),
    ({"prompt": "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>Q?"}, "has rendered already"),
    ({"prompt": "<|user|>Q?"}, "has rendered already (`<|user|>`)"),
    ({"prompt": "<|assistant|>Q?"}, "has rendered already (`<|assistant|>`)"),
    (
        {"prompt": "Q?<end_of_turn>\n<start_of_turn>model\n"},
        "has rendered already (`<start_of_turn>model`)",
    ),
    ({"messages": json.dumps([ASKED])}, "`messages` is a text that holds messages in JSON; give them as a"),
    ({"prompt": json.dumps(ASKED)}, "`prompt` is a text that holds messages in JSON"),
    ({"prompt": str([ASKED])}, "`prompt` is a text that holds messages as Python shows them"),
    ({"prompt": json.dumps({"messages": [ASKED]})}, "`prompt` is a text that holds messages in JSON"),
    (
        {"prompt": json.dumps([{"type": "text", "text": "Q?"}])},
        "`prompt` is a text that holds messages in JSON",
    ),
    ({"prompt": "Q?", "video": "x.mp4"}, "`video` would be part of the prompt"),
    ({"instruction": "Q?", "context": 3}, "`context` is a number; beside `instruction` it must be text"),
]


@pytest.mark.parametrize(("row", "said"), REFUSED)
def test_what_cannot_be_shown_is_refused(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=r"rows.jsonl line 1: ") as refused:
        turns(tmp_path, row)
    assert said in str(refused.value)


def test_columns_can_be_named_or_kept_apart(tmp_path: Path) -> None:
    row = {"prompt": "Q?", "persona": "Be brief.", "system": "linux", "tools": ["hammer"]}
    path = written(tmp_path, row)
    [read] = Input(path, Columns(system="persona", carry_only=("system", "tools")), None)
    assert [(m.role, m.content) for m in read.prompt] == [SYSTEM, ("user", "Q?")]
    assert read.carried == {"system": "linux", "input_tools": ["hammer"]}
    with pytest.raises(UsageError, match=r"no column `person` \(--system_column\)"):
        Input(path, Columns(system="person", carry_only=()), None)
    with pytest.raises(UsageError, match=r"no column `tool` \(--carry_only\)"):
        Input(path, Columns(carry_only=("tool",)), None)
    with pytest.raises(UsageError, match=r"`persona` cannot be both --system_column and --carry_only"):
        Input(path, Columns(system="persona", carry_only=("persona",)), None)
    [read] = Input(
        written(tmp_path, row | {"question": "R?"}), Columns(carry_only=("prompt", "tools")), None
    )
    assert [m.content for m in read.prompt] == ["linux", "R?"]


def test_what_is_read_into_a_prompt_is_part_of_what_a_run_is(tmp_path: Path) -> None:
    """A folder that was begun when it was only carried along is refused, not mixed."""
    system = Input(written(tmp_path, {"prompt": "Q?", "system": "Be brief."}), Columns(), None)
    assert system.reading == {"shown in the prompt": ["system"]}
    split = Input(written(tmp_path, {"prompt": "\n\nHuman: Q?"}), Columns(), None)
    assert split.reading == {"transcripts": "split into turns"}
    assert Input(written(tmp_path, {"instruction": "Q?", "input": "x"}), Columns(), None).reading == {}


PAIRS: list[tuple[dict[str, Any], list[str]]] = [
    ({"prompt": "Q?", "chosen": [ASKED, TOLD, *MORE], "rejected": [ASKED, TOLD, MORE[0], TOLD]},
     ["Q?", "A.", "Sure?"]),
    ({"chosen": [ASKED, TOLD, *MORE], "rejected": [ASKED, TOLD, MORE[0], TOLD]}, ["Q?", "A.", "Sure?"]),
    ({"chosen": "\n\nHuman: Q?\n\nAssistant: A.\n\nHuman: Sure?\n\nAssistant: Yes.",
      "rejected": "\n\nHuman: Q?\n\nAssistant: A.\n\nHuman: Sure?\n\nAssistant: A."},
     ["Q?", "A.", "Sure?"]),
    ({"system": "Be brief.", "question": "Q?", "chosen": "Yes.", "rejected": "A."}, ["Be brief.", "Q?"]),
]  # fmt: skip


@pytest.mark.parametrize(("row", "contents"), PAIRS)
def test_no_turn_of_a_pair_is_lost(tmp_path: Path, row: dict[str, Any], contents: list[str]) -> None:
    [pair] = read_pairs([written(tmp_path, row)])
    assert [m.content for m in pair.prompt] == contents
    assert (pair.chosen.content, pair.rejected.content) == ("Yes.", "A.")


@pytest.mark.parametrize("broken", ["{", '{\n"text"', '"text"', "[]", "7", "\x00"])
def test_a_file_that_begins_with_broken_lines_is_still_an_object_a_line(
    tmp_path: Path, broken: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{broken}\n" + json.dumps({"prompt": "Q?", "chosen": "A.", "rejected": "B."}) + "\n")
    rows = list(read_pairs([str(path)], skip=2))
    assert [row.chosen.content for row in rows if row.problem is None] == ["A."]
    assert all(f"{path} line " in row.problem for row in rows if row.problem is not None)
    assert len(rows) == 2 + broken.count("\n")


def test_a_margin_that_is_no_number_stops_only_those_who_read_margins(tmp_path: Path) -> None:
    source = written(tmp_path, {"prompt": "Q?", "chosen": "A.", "rejected": "B.", "margin": "wide"})
    [row] = read_pairs([source])
    assert row.margin is None
    with pytest.raises(UsageError, match="`margin` must be a number, and is 'wide'"):
        list(read_pairs([source], margins=True))


@pytest.mark.parametrize("name", ["systemPrompt", "System", "system prompt", "system-message"])
def test_a_system_column_is_shown_however_it_is_spelt(tmp_path: Path, name: str) -> None:
    source = written(tmp_path, {"prompt": "Q?", name: "Be brief.", "chosen": "A.", "rejected": "B."})
    [pair] = read_pairs([source])
    assert [(m.role, m.content) for m in pair.prompt] == [("system", "Be brief."), ("user", "Q?")]


@pytest.mark.parametrize("name", ["toolCalls", "Functions", "Images"])
def test_what_cannot_be_shown_is_refused_however_it_is_spelt(tmp_path: Path, name: str) -> None:
    source = written(tmp_path, {"prompt": "Q?", name: [{"name": "f"}], "chosen": "A.", "rejected": "B."})
    with pytest.raises(UsageError, match=f"`{name}` would be part of the prompt"):
        list(read_pairs([source]))


@pytest.mark.parametrize("answer", ["A.<|im_end|>\n", "A.</s>"])
def test_a_mark_of_templates_that_ends_an_answer_is_said_once(
    tmp_path: Path, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"{n}?", "answer": answer}) + "\n" for n in range(3)))
    transcripts._SAID.clear()
    assert [row.answer for row in Input(str(path), Columns(), None)] == [answer] * 3
    [said] = [record.getMessage() for record in caplog.records]
    assert said.startswith(
        f"{path} line 1: `answer` ends with `{answer.strip()[2:]}`, which chat models are shown"
    )


@pytest.mark.parametrize(
    "text",
    [
        "<s>old</s> and <s>older</s>",
        "Which token ends it, <eos> or EOS?",
        '{"type": "text", "size": 3}',
        "{'type': 1}",
    ],
)
def test_what_only_looks_like_marks_or_messages_is_text(tmp_path: Path, text: str) -> None:
    [row] = Input(written(tmp_path, {"prompt": text, "answer": text}), Columns(), None)
    assert (row.prompt[0].content, row.answer) == (text, text)


MEANT = ["context", "sysPrompt", "Chat log history", "previous_turns", "few-shot", "preamble", "imagePath"]


@pytest.mark.parametrize("name", [*MEANT, "image_url", "image_1", "img", "video_file"])
def test_what_may_have_been_meant_as_part_of_the_prompt_is_named(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, {"prompt": "Who?", name: "Ada was there.", "url": "u"})
    assert Input(path, Columns(carry_only=()), None).perhaps_meant == (name,)
    assert Input(path, Columns(carry_only=(name,)), None).perhaps_meant == ()


@pytest.mark.parametrize(
    "text", ["### Instruction:\nName it.\n\n### Response:\n", "USER: Name it. ASSISTANT:"]
)
def test_forms_of_base_models_are_said_once(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"{n} {text}"}) + "\n" for n in range(3)))
    transcripts._SAID.clear()
    list(Input(str(path), Columns(), None))
    assert [record.getMessage().count("shown as words") for record in caplog.records] == [1]
