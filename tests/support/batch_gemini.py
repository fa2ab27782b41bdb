"""Gemini's batch jobs with their requests in them, from the public description of its API."""

import json
import re
from datetime import UTC, datetime
from functools import partial

from batch_work import Jobs, Said, Work, find
from plain_server import Json

_STATES = {
    "in_progress": "BATCH_STATE_RUNNING",
    "completed": "BATCH_STATE_SUCCEEDED",
    "cancelling": "BATCH_STATE_RUNNING",
    "cancelled": "BATCH_STATE_CANCELLED",
    "expired": "BATCH_STATE_EXPIRED",
}
_CODES = {"400": 3, "404": 5, "429": 8, "500": 13, "503": 14, "cancelled": 1, "expired": 4}


def gemini(server: Jobs, method: str, path: str, query: Json, headers: Json, body: bytes) -> Said | None:
    """The reply to a request, if it is one of theirs."""
    found = re.match(r"/v1(?:beta)?/((?:models/[^/]+:batch|batches).*)", path)
    if found is None or (path.startswith("/v1/") and "x-goog-api-key" not in headers):
        return None
    if "x-goog-api-key" not in headers:
        return 403, {"error": {"code": 403, "message": "no API key", "status": "PERMISSION_DENIED"}}
    name = found[1]
    if name.endswith(":batchGenerateContent") and name.startswith("models/"):
        asked = json.loads(body)["batch"]
        lines = asked["inputConfig"]["requests"]["requests"]
        return 200, _job(server.begin("batches/", asked.get("displayName", ""), lines))
    if name == "batches":
        size, start = int(query.get("pageSize", 10)), int(query.get("pageToken") or 0)
        jobs = [_job(work) for work in server.works[::-1]]
        more = {"nextPageToken": str(start + size)} if len(jobs) > start + size else {}
        return 200, {"operations": jobs[start : start + size], **more}
    if (work := find(server, name.partition(":")[0])) is None:
        return 404, {"error": {"code": 404, "message": "not found", "status": "NOT_FOUND"}}
    if name.endswith(":cancel"):
        work.status = "cancelling" if work.status == "in_progress" else work.status
        return 200, {}
    server.look(work, partial(_do, server))
    return 200, _job(work)


def _do(server: Jobs, work: Work, line: Json, fate: str) -> None:
    key = line["metadata"]["key"]
    if fate == "ok":
        work.answers[key] = {"response": _content(server, line["request"]), "metadata": line["metadata"]}
    elif fate != "lost":
        error = {"code": _CODES[fate], "message": f"it is {fate}"}
        work.answers[key] = {"error": error, "metadata": line["metadata"]}


def _content(server: Jobs, request: Json) -> Json:
    config = request["generationConfig"]
    said = server.says(request["contents"][-1]["parts"][0]["text"])
    if schema := config.get("responseJsonSchema"):
        said = json.dumps({name: inner["enum"][0] for name, inner in schema["properties"].items()})
    thinks = config.get("thinkingConfig", {}).get("thinkingBudget") != 0
    parts = [{"text": "let me see", "thought": True}] if thinks else []
    return {
        "candidates": [
            {"content": {"role": "model", "parts": [*parts, {"text": said}]}, "finishReason": "STOP"}
        ],
        "usageMetadata": {
            "promptTokenCount": 5,
            "candidatesTokenCount": 2,
            "thoughtsTokenCount": 3 if thinks else 0,
            "totalTokenCount": 7,
        },
        "modelVersion": "gemini-test",
    }


def _job(work: Work) -> Json:
    over = work.status not in ("in_progress", "cancelling")
    total = len(work.lines)
    output = {"inlinedResponses": {"inlinedResponses": list(work.answers.values())}}
    metadata = {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
        "model": "models/m",
        "displayName": work.mark,
        "createTime": datetime.fromtimestamp(work.created, UTC).isoformat().replace("+00:00", "Z"),
        "state": _STATES[work.status],
        "batchStats": {"requestCount": str(total), "pendingRequestCount": str(0 if over else total)},
        "name": work.id,
    }
    said = {"name": work.id, "metadata": metadata | ({"output": output} if over else {})}
    return said | ({"done": True, "response": output} if over else {})
