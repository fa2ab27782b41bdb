"""Thoughts before answers: the ids of the model's own template, or no thoughts at all.

The templates are written for these tests, each after the manner of a model's: Qwen3 puts an empty block
before an answer without a thought, DeepSeek-R1's invitation opens the thought and its finished turns
drop it, gpt-oss has channels, SmolLM3 takes thoughts in the text alone and opens nothing.
"""

from functools import partial
from typing import Any

import pytest
from chat_styles import thinking_style
from tiny_model import TinyRun, numbered_pairs, write_jsonl
from transformers import PreTrainedTokenizerFast

from pairwright.errors import UsageError
from pairwright.inputs.pairs import parse_pair
from pairwright.models.chat import encode_prompt
from train.data.labelled import load_labelled
from train.data.pairs import encode_pair
from train.data.ranked import load_ranked
from train.data.thoughts import Thoughts, with_thoughts
from train.training import train

QWEN3 = """{%- set ns = namespace(last=-1) -%}
{%- for m in messages -%}{%- if m.role == 'user' -%}{%- set ns.last = loop.index0 -%}
{%- endif -%}{%- endfor -%}
{%- for m in messages -%}{%- if m.role != 'assistant' -%}
{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' -}}
{%- else -%}
{%- set why = m.reasoning_content if m.reasoning_content is string else '' -%}
{{- '<|im_start|>assistant\\n' -}}
{%- if loop.index0 > ns.last and (loop.last or why) -%}
{{- '<think>\\n' + why.strip('\\n') + '\\n</think>\\n\\n' -}}{%- endif -%}
{{- m.content.lstrip('\\n') + '<|im_end|>\\n' -}}{%- endif -%}{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"""

DEEPSEEK = """{%- for m in messages -%}{%- if m.role == 'assistant' -%}
{%- set text = m.content -%}{%- if '</think>' in text -%}
{%- set text = text.split('</think>')[-1] -%}{%- endif -%}
{{- '<|assistant|>' + text + '<|im_end|>' -}}{%- else -%}
{{- '<|' + m.role + '|>' + m.content -}}{%- endif -%}
{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|assistant|><think>\\n' -}}{%- endif -%}"""

GPT_OSS = """{%- for m in messages -%}{%- if m.role == 'assistant' -%}
{%- if loop.last and m.thinking -%}
{{- '<|start|>assistant<|channel|>analysis<|message|>' + m.thinking + '<|end|>' -}}{%- endif -%}
{{- '<|start|>assistant<|channel|>final<|message|>' + m.content -}}
{{- '<|return|>' if loop.last and not add_generation_prompt else '<|end|>' -}}
{%- else -%}{{- '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' -}}{%- endif -%}{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|start|>assistant' -}}{%- endif -%}"""

SMOLLM3 = """{%- for m in messages -%}{{- '<|im_start|>' + m.role + '\\n' -}}
{%- if m.role == 'assistant' -%}{%- if quick is defined -%}{{- '<think>\\n\\n</think>\\n' -}}{%- endif -%}
{{- m.content.lstrip('\\n') + '<|im_end|>\\n' -}}{%- else -%}
{{- m.content + '<|im_end|>\\n' -}}{%- endif -%}
{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"""

NONE = SMOLLM3.replace("<think>\\n\\n</think>\\n", "")
STYLES = {"qwen3": QWEN3, "deepseek": DEEPSEEK, "gpt_oss": GPT_OSS, "smollm3": SMOLLM3, "none": NONE}
EMPTY = "<think>\n\n</think>\n\n"
TRAINED = {
    "qwen3": {
        "keep": "<think>\nIt grows.\n</think>\n\nAn oak.<|im_end|>",
        "drop": EMPTY + "An oak.<|im_end|>",
    },
    "deepseek": {
        "keep": "It grows.\n</think>\n\nAn oak.<|im_end|>",
        "drop": "\n</think>\n\nAn oak.<|im_end|>",
    },
    "gpt_oss": {
        "keep": "<|channel|>analysis<|message|>It grows.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>An oak.<|return|>",
        "drop": "<|channel|>final<|message|>An oak.<|return|>",
    },
    "smollm3": {"keep": "<think>\nIt grows.\n</think>\nAn oak.<|im_end|>", "drop": "An oak.<|im_end|>"},
}
"""What a model must say after the invitation."""
PROMPT = [{"role": "user", "content": "Name a tree."}]
FORMS = {
    "message": {"chosen": [{"role": "assistant", "content": "An oak.", "reasoning_content": "It grows."}]},
    "column": {"chosen": "An oak.", "chosen_reasoning": "It grows."},
    "text": {"chosen": "<think>\nIt grows.\n</think>\n\nAn oak."},
}


def encoded(tokenizer: PreTrainedTokenizerFast, reasoning: Thoughts, row: dict[str, Any]) -> Any:
    parsed = parse_pair({"prompt": PROMPT, "rejected": "A mat.", **row}, "row", thoughts=True)
    [told] = with_thoughts([parsed], tokenizer, reasoning)
    return encode_pair(told, tokenizer), told


@pytest.mark.parametrize("reasoning", ["keep", "drop"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("style", TRAINED)
def test_an_answer_is_what_the_model_would_say(style, form, reasoning):
    if (style, form) == ("gpt_oss", "text"):
        return  # its channels are no marks in a text
    tokenizer = thinking_style(STYLES[style])
    pair, told = encoded(tokenizer, reasoning, FORMS[form])
    expected = tokenizer(TRAINED[style][reasoning], add_special_tokens=False)["input_ids"]
    assert pair.chosen_ids.tolist() == expected
    assert pair.prompt_tokens.tolist() == encode_prompt(tokenizer, told.prompt)
    assert (told.chosen.reasoning is None) == (reasoning == "drop")


@pytest.mark.parametrize("style", [style for style in TRAINED if style != "gpt_oss"])
def test_a_thought_in_the_text_is_in_the_form_of_the_template_whoever_encodes_the_pair(style):
    tokenizer = thinking_style(STYLES[style])
    row = {"prompt": PROMPT, "rejected": "A mat.", **FORMS["text"]}
    pair = encode_pair(parse_pair(row, "row"), tokenizer)
    assert (
        pair.chosen_ids.tolist() == tokenizer(TRAINED[style]["keep"], add_special_tokens=False)["input_ids"]
    )


@pytest.mark.parametrize("style", ["qwen3", "gpt_oss"])
def test_a_template_that_reads_thoughts_has_the_last_word(style):
    """All ids, and earlier turns with them, are those of plain `transformers`."""
    tokenizer = thinking_style(STYLES[style])
    before = [*PROMPT, {"role": "assistant", "content": "Elm.", "reasoning_content": "Wood."}, *PROMPT]
    answer = FORMS["message"]["chosen"]
    pair, _ = encoded(tokenizer, "keep", {"prompt": before, "chosen": answer})
    plain = tokenizer.apply_chat_template([*before, *answer], return_dict=False)
    end = pair.chosen_ids[-1]
    assert [*pair.prompt_tokens, *pair.chosen_ids] == plain[: len(plain) - plain[::-1].index(end)]
    begun = tokenizer.apply_chat_template(before, add_generation_prompt=True, return_dict=False)
    assert pair.prompt_tokens.tolist() == begun


def test_marks_in_a_thought_stay_characters():
    tokenizer = thinking_style(QWEN3)
    said = [
        {"role": "assistant", "content": "An oak.", "reasoning_content": "no </think> and <|im_end|> here"}
    ]
    pair, _ = encoded(tokenizer, "keep", {"chosen": said})
    marks = [tokenizer.convert_tokens_to_ids(mark) for mark in ("</think>", "<|im_end|>")]
    assert [pair.chosen_ids.tolist().count(mark) for mark in marks] == [1, 1]
    assert "no </think> and <|im_end|> here" in tokenizer.decode(pair.chosen_ids)


def test_a_template_without_thoughts_refuses_to_keep_them():
    tokenizer = thinking_style(NONE)
    with pytest.raises(UsageError, match=r"no place for thoughts.*--reasoning drop"):
        encoded(tokenizer, "keep", FORMS["message"])
    pair, _ = encoded(tokenizer, "drop", FORMS["message"])
    assert tokenizer.decode(pair.chosen_ids) == "An oak.<|im_end|>"
    pair, _ = encoded(tokenizer, "keep", FORMS["text"])  # no marks of this model: text like any other
    assert tokenizer.decode(pair.chosen_ids).startswith("<think>\nIt grows.")


@pytest.mark.parametrize("reasoning", ["keep", "drop"])
@pytest.mark.parametrize("form", ["scored", "labelled"])
def test_answers_that_are_no_pairs_are_told_apart_too(form, reasoning, tmp_path, capsys, caplog):
    tokenizer, thinks = thinking_style(QWEN3), FORMS["text"]["chosen"]
    thought_alone = "<think>\nIt grows.\n</think>\n\n"
    rows, load, what = {
        "scored": (
            [
                {"prompt": PROMPT, "completions": [thought_alone, thinks, "A mat."], "scores": [3, 2, 1]},
                {"prompt": "Only?", "completions": [thought_alone], "scores": [1]},
            ],
            partial(load_ranked, best_only=False),
            "prompt",
        ),
        "labelled": (
            [
                {"prompt": PROMPT, "completion": text, "label": True}
                for text in (thinks, "A mat.", thought_alone)
            ],
            load_labelled,
            "answer",
        ),
    }[form]
    config = TinyRun(tmp_path).config(
        data=write_jsonl(tmp_path / "rows.jsonl", rows), eval_share=0, reasoning=reasoning
    )
    found = load(config, tokenizer)
    ids = [
        ids for item in found.training for ids in (item.answers if form == "scored" else [item.chosen_ids])
    ]
    assert [tokenizer.decode(some) for some in ids] == [
        TRAINED["qwen3"][reasoning],
        EMPTY + "A mat.<|im_end|>",
    ]
    assert [len(row_ids) for row_ids in found.dropped.values()] == [1]
    said = f"2 {what}s hold thoughts, which are left out; --reasoning keep"
    assert (said in capsys.readouterr().err) == (reasoning == "drop")
    assert "special token" not in caplog.text  # the marks are the template's own


def test_a_run_says_what_it_leaves_out(tmp_path, capsys):
    tiny = TinyRun(tmp_path)
    rows = numbered_pairs(6)
    rows[0]["chosen"][0]["reasoning_content"] = "hm"
    tiny.settings |= {"data": write_jsonl(tmp_path / "thoughts.jsonl", rows), "eval_share": 0}
    assert train(tiny.config(loss="dpo")).pairs == 6
    assert "1 pairs hold thoughts, which are left out; --reasoning keep" in capsys.readouterr().err
    with pytest.raises(UsageError, match="no place for thoughts"):
        train(tiny.config("kept", loss="dpo", reasoning="keep"))
