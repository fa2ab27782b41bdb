"""The forms in which other trainers take preference pairs, each under its official field names.

trl           https://huggingface.co/docs/trl/dataset_formats (explicit prompt, conversational)
kto           the same page: unpaired preference, with `label`
openrlhf      openrlhf/datasets/reward_dataset.py: `--data.prompt_key prompt --data.apply_chat_template`
llamafactory  data/README.md of LLaMA-Factory: sharegpt, with `ranking` in `dataset_info.json`
axolotl       prompt_strategies/dpo/chat_template.py: `type: chat_template.default`
openai        https://developers.openai.com/api/docs/guides/direct-preference-optimization
jsonl         every column of the run, one object a line
"""

import base64
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

Row = Mapping[str, Any]
Messages = list[dict[str, str]]
FormatName = Literal["trl", "kto", "openrlhf", "llamafactory", "axolotl", "openai", "jsonl"]

_SHAREGPT = MappingProxyType({"user": "human", "assistant": "gpt", "tool": "observation"})


class Unfit(Exception):
    """A row that the consumer would drop or refuse; the message says why."""


class Format(NamedTuple):
    """How pairs are written for one consumer."""

    file: str
    """Where the rows go; the ending says how."""
    rows: Callable[[Row], list[dict[str, Any]]]
    """What becomes of a pair; raises `Unfit`."""
    use: str
    """How the consumer is pointed at it; `DIR` stands for the folder."""
    beside: Mapping[str, str] = MappingProxyType({})
    """Further files, by name."""

    @property
    def files(self) -> tuple[str, ...]:
        """Names of all files that are written in this form, but for the card."""
        return (self.file, *self.beside)


def _paired(row: Row) -> list[dict[str, Any]]:
    _refuse_tools(row)
    return [{name: row[name] for name in ("prompt", "chosen", "rejected")}]


def _trl(row: Row) -> list[dict[str, Any]]:
    _refuse(row, "documents", "chat_template_kwargs")
    return [{name: row[name] for name in ("prompt", "chosen", "rejected", "tools") if name in row}]


def _unpaired(row: Row) -> list[dict[str, Any]]:
    _refuse(row, "documents", "chat_template_kwargs")
    beside = {"tools": row["tools"]} if "tools" in row else {}
    return [
        {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen"} | beside
        for side in ("chosen", "rejected")
    ]


def _refuse(row: Row, *names: str) -> None:
    """Leave out a row with what this form has no place for."""
    for name in names:
        if row.get(name):
            raise Unfit(f"this form has no place for its `{name}`")


def _refuse_tools(row: Row) -> None:
    _refuse(row, "tools", "documents", "chat_template_kwargs")
    if any(len(message) > 2 for name in ("prompt", "chosen", "rejected") for message in row[name]):
        raise Unfit("this form has no place for its calls of tools")


def _axolotl(row: Row) -> list[dict[str, Any]]:
    _refuse_tools(row)
    return [{"messages": row["prompt"], "chosen": row["chosen"][-1], "rejected": row["rejected"][-1]}]


def _openai(row: Row) -> list[dict[str, Any]]:
    _refuse(row, "documents", "chat_template_kwargs")
    tools = json.loads(row.get("tools") or "[]")
    return [
        {
            "input": {"messages": row["prompt"], "tools": tools, "parallel_tool_calls": True},
            "preferred_output": row["chosen"],
            "non_preferred_output": row["rejected"],
        }
    ]


def _sharegpt(row: Row) -> list[dict[str, Any]]:
    """Return a prompt as ShareGPT turns.

    They must alternate, beginning and ending with the user or a tool: LLaMA-Factory skips what does not.
    """
    _refuse(row, "documents", "chat_template_kwargs")
    prompt: Messages = row["prompt"]
    system = prompt[:1] if prompt[0]["role"] == "system" else []
    turns = prompt[len(system) :]
    asks = [turn["role"] in ("user", "tool") for turn in turns]
    if asks != [place % 2 == 0 for place in range(len(turns))] or len(turns) % 2 == 0:
        raise Unfit("its turns do not alternate between user (or tool) and assistant")
    return [
        {
            "conversations": [
                *({"from": "system", "value": m["content"]} for m in system),
                *(_turn(m) for m in turns),
            ],
            "chosen": _turn(row["chosen"][-1]),
            "rejected": _turn(row["rejected"][-1]),
            "tools": row.get("tools") or "",
        }
    ]


def _turn(message: Mapping[str, Any]) -> dict[str, str]:
    """A message, or the call of a tool: its name and its arguments as JSON."""
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    if not calls:
        return {"from": _SHAREGPT[message["role"]], "value": message["content"]}
    if message["content"]:
        raise Unfit("this form has no place for words beside a call of a tool")
    try:
        said = [{"name": one["name"], "arguments": json.loads(one["arguments"])} for one in calls]
    except ValueError:
        raise Unfit("it calls a tool with arguments that are no JSON") from None
    called = said[0] if len(said) == 1 else said
    return {"from": "function_call", "value": json.dumps(called, ensure_ascii=False)}


_DATASET_INFO = {
    "pairwright": {
        "file_name": "train.jsonl",
        "formatting": "sharegpt",
        "ranking": True,
        "columns": {
            "messages": "conversations",
            "chosen": "chosen",
            "rejected": "rejected",
            "tools": "tools",
        },
    }
}

FORMATS: Mapping[FormatName, Format] = MappingProxyType(
    {
        "trl": Format(
            "data/train.parquet",
            _trl,
            'DPOTrainer(…, train_dataset=datasets.load_dataset("DIR", split="train"))',
        ),
        "kto": Format(
            "data/train.parquet",
            _unpaired,
            'KTOTrainer(…, train_dataset=datasets.load_dataset("DIR", split="train"))',
        ),
        "openrlhf": Format(
            "train.jsonl",
            _paired,
            "python -m openrlhf.cli.train_dpo --data.dataset DIR --data.apply_chat_template \\\n"
            "  --data.prompt_key prompt --data.chosen_key chosen --data.rejected_key rejected …",
        ),
        "llamafactory": Format(
            "train.jsonl",
            _sharegpt,
            "stage: dpo\ndataset_dir: DIR\ndataset: pairwright",
            {"dataset_info.json": json.dumps(_DATASET_INFO, indent=2) + "\n"},
        ),
        "axolotl": Format(
            "train.jsonl",
            _axolotl,
            "rl: dpo\ndatasets:\n  - path: DIR/train.jsonl\n    ds_type: json\n    split: train\n"
            "    type: chat_template.default\n    field_messages: messages\n"
            "    field_chosen: chosen\n    field_rejected: rejected",
        ),
        "openai": Format(
            "train.jsonl",
            _openai,
            'file = client.files.create(file=open("DIR/train.jsonl", "rb"), purpose="fine-tune")\n'
            'client.fine_tuning.jobs.create(training_file=file.id, method={"type": "dpo"}, model=…)',
        ),
        "jsonl": Format(
            "train.jsonl", lambda row: [dict(row)], 'pd.read_json("DIR/train.jsonl", lines=True)'
        ),
    }
)


def json_line(row: Mapping[str, Any]) -> str:
    """Return one row as one line of JSON that every reader accepts.

    NaN and infinite numbers become null, bytes Base64, times ISO 8601, durations seconds, and other values
    that JSON has no form for their text.
    """
    return json.dumps(_plain(row), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)
