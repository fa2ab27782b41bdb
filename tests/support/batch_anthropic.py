"""Anthropic's message batches, from the public description of its API."""

import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial

from batch_work import Jobs, Said, Work, find, page_of
from plain_server import Json

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_VERSIONS = ("2023-06-01", "2026-10-21")
"""What we ask for, and what the SDK asks for since 2.x."""
_COUNTED = {"succeeded": "succeeded", "errored": "errored", "canceled": "canceled", "expired": "expired"}


def anthropic(server: Jobs, method: str, path: str, query: Json, headers: Json, body: bytes) -> Said | None:
    """The reply to a request, if it is one of theirs."""
    if "/messages/batches" not in path:
        return None
    signed = "x-api-key" in headers or "authorization" in headers  # the SDK sends the latter since 2.x
    if headers.get("anthropic-version") not in _VERSIONS or not signed:
        return 401, _error("authentication_error", "x-api-key header is required")
    parts = path.partition("/messages/batches")[2].strip("/").split("/")
    if method == "POST" and parts == [""]:
        lines = json.loads(body)["requests"]
        names = [line["custom_id"] for line in lines]
        if len(set(names)) < len(names) or not all(_NAME.fullmatch(name) for name in names):
            return 400, _error("invalid_request_error", "custom_id")
        return 200, _job(server.begin("msgbatch_", names[0].rpartition("-")[0], lines))
    if parts == [""]:
        page, more = page_of([_job(work) for work in server.works], query, "after_id")
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
        return 200, {"data": page, "has_more": more, "first_id": None, "last_id": None, **ends}
    if (work := find(server, parts[0])) is None:
        return 404, _error("not_found_error", "no such batch")
    if parts[-1] == "cancel":
        work.status = "cancelling" if work.status == "in_progress" else work.status
    elif parts[-1] == "results":
        return 200, "".join(json.dumps(line) + "\n" for line in work.answers.values()).encode()
    else:
        server.look(work, partial(_do, server))
    return 200, _job(work)


def _do(server: Jobs, work: Work, line: Json, fate: str) -> None:
    params, found = line["params"], {"type": {"cancelled": "canceled"}.get(fate, fate)}
    if fate == "ok":
        found = {"type": "succeeded", "message": _message(server, params)}
    elif fate.isdecimal():
        kind = {"400": "invalid_request_error", "529": "overloaded_error"}.get(fate, "api_error")
        found = {"type": "errored", "error": _error(kind, f"it is a {fate}")}
    if fate != "lost":
        work.answers[line["custom_id"]] = {"custom_id": line["custom_id"], "result": found}


def _message(server: Jobs, params: Json) -> Json:
    prompt = params["messages"][-1]["content"]
    content = [{"type": "thinking", "thinking": "let me see", "signature": "s"}]
    content = content if params.get("thinking", {}).get("type") == "enabled" else []
    if params.get("tool_choice"):
        [tool] = params["tools"]
        [(name, schema)] = tool["input_schema"]["properties"].items()
        said = {"type": "tool_use", "id": "t", "name": tool["name"], "input": {name: schema["enum"][0]}}
    else:
        said = {"type": "text", "text": server.says(prompt), "citations": None}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": params["model"],
        "content": [*content, said],
        "stop_reason": "tool_use" if params.get("tool_choice") else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }


def _job(work: Work) -> Json:
    over = work.status not in ("in_progress", "cancelling")
    counts = dict.fromkeys(("processing", *_COUNTED), 0)
    for answer in work.answers.values():
        counts[answer["result"]["type"]] += 1
    counts["processing" if not over else "expired"] += len(work.lines) - len(work.answers)
    created = datetime.fromtimestamp(work.created, UTC)
    state = {"in_progress": "in_progress", "cancelling": "canceling"}.get(work.status, "ended")
    return {
        "id": work.id,
        "type": "message_batch",
        "processing_status": state,
        "request_counts": counts,
        "created_at": created.isoformat(),
        "expires_at": (created + timedelta(days=1)).isoformat(),
        "ended_at": datetime.now(UTC).isoformat() if over else None,
        "archived_at": None,
        "cancel_initiated_at": created.isoformat() if "cancel" in work.status else None,
        "results_url": f"https://api.anthropic.com/v1/messages/batches/{work.id}/results" if over else None,
    }


def _error(kind: str, message: str) -> Json:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req"}
