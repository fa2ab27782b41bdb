"""Rows whose columns are read as they stand (`pairwright.inputs.columns`), each form with its name."""

from typing import Any

from pairwright.inputs.forms.form import Form
from pairwright.inputs.source import Record
from pairwright.inputs.transcripts import is_transcript


def _transcripts(record: Record) -> bool:
    return isinstance(record["chosen"], str) and is_transcript(record["chosen"])


def _conversations(record: Record) -> bool:
    return isinstance(record["chosen"], list) and len(record["chosen"]) > 1


def _drafts(draft: Any, edited: Any) -> dict[str, Any]:
    return {"chosen": edited, "rejected": draft}


PLAIN = (
    Form(
        "orca",
        ("question", "chosen", "rejected"),
        "Intel/orca_dpo_pairs",
        "a pair with its `system` message",
        also=("system",),
    ),
    Form(
        "pairs",
        ("prompt", "chosen", "rejected"),
        "TRL's preference rows, argilla's and many others",
        "a pair; answers are texts, messages, or whole conversations that begin with the prompt",
        also=("system",),
    ),
    Form(
        "hh",
        ("chosen", "rejected"),
        "Anthropic/hh-rlhf",
        "a pair, its prompt the turns before the last",
        tells=_transcripts,
    ),
    Form(
        "ultrafeedback",
        ("chosen", "rejected"),
        "HuggingFaceH4/ultrafeedback_binarized, argilla/dpo-mix-7k",
        "a pair, its prompt the messages before the last",
        tells=_conversations,
    ),
    Form(
        "drafts",
        ("draft", "edited"),
        "what users of a product made of what it wrote",
        "a pair: what was `edited` over its `draft`",
        _drafts,
    ),
    Form(
        "alpaca",
        ("instruction", "output"),
        "tatsu-lab/alpaca",
        "`instruction` with its `input`, and one answer",
        also=("input",),
    ),
    Form(
        "dolly",
        ("instruction", "context", "response"),
        "databricks/databricks-dolly-15k",
        "`instruction` with its `context`, and one answer",
    ),
    Form(
        "sharegpt",
        ("conversations",),
        "ShareGPT, Open-Orca/SlimOrca, LLaMA-Factory",
        "turns `from` human and gpt; an answer that ends them is the row's",
    ),
    Form(
        "messages",
        ("messages",),
        "ChatML, OpenAI's fine-tuning, HuggingFaceH4/ultrachat_200k",
        "messages; an answer that ends them is the row's",
    ),
    Form("completion", ("prompt", "completion"), "TRL's prompt-completion rows", "a prompt and one answer"),
)
