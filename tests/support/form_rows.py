"""A row of every form in which people keep rows, as the data set has it that made the form known."""

from typing import Any

ASKED = [{"role": "user", "content": "How cold is it?"}]
COLD, WARM = "Five below zero, at noon.", "Five above zero, at noon."


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


PREFERRED: dict[str, dict[str, Any]] = {
    "openai_preference": {
        "input": {"messages": ASKED, "tools": [], "parallel_tool_calls": True},
        "preferred_output": [said(COLD)],
        "non_preferred_output": [said(WARM)],
    },
    "arena": {
        "question_id": "7", "model_a": "x", "model_b": "y", "winner": "model_b",
        "conversation_a": [*ASKED, said(WARM)], "conversation_b": [*ASKED, said(COLD)],
    },
    "helpsteer3": {
        "context": ASKED, "response1": COLD, "response2": WARM, "overall_preference": -2,
    },
    "shp": {
        "history": ASKED[0]["content"], "human_ref_A": WARM, "human_ref_B": COLD, "labels": 0, "score_A": 3,
    },
    "webgpt": {
        "question": {"full_text": ASKED[0]["content"]}, "answer_0": WARM, "answer_1": COLD,
        "score_0": -0.5, "score_1": 0.5,
    },
    "summaries": {
        "info": {"id": "7", "post": ASKED[0]["content"]}, "summaries": [{"text": WARM}, {"text": COLD}],
        "choice": 1,
    },
    "pku": {
        "prompt": ASKED[0]["content"], "response_0": COLD, "response_1": WARM, "better_response_id": 0,
        "safer_response_id": 1,
    },
    "llmbar": {"input": ASKED[0]["content"], "output_1": COLD, "output_2": WARM, "label": 1},
    "labels": {
        "prompt": ASKED, "response_a": WARM, "response_b": COLD, "preference": 2, "labelled_by": "ana",
    },
    "nectar": {
        "prompt": "\n\nHuman: How cold is it?\n\nAssistant: ", "num_responses": 3, "good_natured": True,
        "answers": [
            {"answer": WARM, "model": "x", "rank": 3.0}, {"answer": COLD, "model": "y", "rank": 1.0},
            {"answer": "Not at all.", "model": "z", "rank": 2.0},
        ],
    },
    "rated": {
        "instruction": ASKED[0]["content"], "generations": [WARM, COLD], "ratings": [1.0, 9.0],
        "generation_models": ["x", "y"],
    },
    "stack": {
        "qid": 7, "question": ASKED[0]["content"],
        "answers": [{"text": WARM, "pm_score": 0}, {"text": COLD, "pm_score": 6}],
    },
}  # fmt: skip
"""Forms that say which answer is better: here that it is cold."""

TREE: list[dict[str, Any]] = [
    {"message_id": "c", "parent_id": "b", "text": "In summer?", "role": "prompter", "rank": None},
    {"message_id": "a", "parent_id": None, "text": "How cold is it?", "role": "prompter", "rank": None},
    {"message_id": "b", "parent_id": "a", "text": COLD, "role": "assistant", "rank": 0},
    {"message_id": "d", "parent_id": "a", "text": WARM, "role": "assistant", "rank": 1},
    {"message_id": "e", "parent_id": "c", "text": "Never.", "role": "assistant", "rank": None},
]
"""Rows of messages, parents after their children too."""

_SUM = {"type": "function", "function": {"name": "thermometer", "arguments": "{}"}}
CALLS: list[dict[str, Any]] = [
    *ASKED,
    {"role": "assistant", "content": "", "tool_calls": [_SUM]},
    {"role": "tool", "content": "-5", "name": "thermometer"},
]
"""A conversation in which a tool is called and answers."""
_REQUEST = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions"}
TEXT = ASKED[0]["content"]

OTHERS: dict[str, list[dict[str, Any]]] = {
    "openai_batch": [_REQUEST | {"body": {"model": "m", "messages": ASKED}}],
    "helpsteer": [
        {"prompt": TEXT, "response": answer, "helpfulness": mark, "correctness": mark, "verbosity": 1}
        for answer, mark in ((WARM, 1), (COLD, 4))
    ],
    "kto": [
        {"prompt": ASKED, "completion": [said(answer)], "label": good}
        for answer, good in ((COLD, True), (WARM, False))
    ],
    "oasst": TREE,
    "oasst_trees": [
        {
            "message_tree_id": "a",
            "prompt": TREE[1] | {"replies": [TREE[2] | {"replies": []}, TREE[3] | {"replies": []}]},
        }
    ],
    "orca": [{"system": "Be exact.", "question": TEXT, "chosen": COLD, "rejected": WARM}],
    "pairs": [{"prompt": ASKED, "chosen": [said(COLD)], "rejected": [said(WARM)]}],
    "hh": [
        {
            "chosen": f"\n\nHuman: {TEXT}\n\nAssistant: {COLD}",
            "rejected": f"\n\nHuman: {TEXT}\n\nAssistant: {WARM}",
        }
    ],
    "ultrafeedback": [{"chosen": [*ASKED, said(COLD)], "rejected": [*ASKED, said(WARM)]}],
    "drafts": [{"prompt": TEXT, "draft": WARM, "edited": COLD}],
    "alpaca": [{"instruction": "Answer.", "input": TEXT, "output": COLD}],
    "dolly": [{"instruction": "Answer.", "context": TEXT, "response": COLD, "category": "qa"}],
    "sharegpt": [{"conversations": [{"from": "human", "value": TEXT}, {"from": "gpt", "value": COLD}]}],
    "messages": [{"messages": [*CALLS, said(COLD)], "tools": [{"name": "thermometer"}]}],
    "completion": [{"prompt": TEXT, "completion": COLD}],
}
EXAMPLES: dict[str, list[dict[str, Any]]] = {form: [row] for form, row in PREFERRED.items()} | OTHERS
"""Rows of each form; the answers of a batch (`openai_answers`) are none without its requests."""
