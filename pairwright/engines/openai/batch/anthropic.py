"""Anthropic's message batches: the chat protocol translated to Messages and back."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx

from pairwright.engines.openai.access import Access
from pairwright.engines.openai.batch.endpoint import MIB, Endpoint, Seen, lines_of, may_be
from pairwright.engines.openai.batch.store import Answer, Asked, Batch

Json = dict[str, Any]

_VERSION = "2023-06-01"
_PAGE = 100
_SAME = ("model", "max_tokens", "temperature", "thinking", "top_k", "metadata", "service_tier")
_FINISH = {"max_tokens": "length", "tool_use": "tool_calls", "refusal": "content_filter"}
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""HTTP's statuses of the errors that answers of a job can be; any other is 500."""


class AnthropicBatches(Endpoint):
    """`POST /v1/messages/batches`. Jobs have no metadata there: the mark begins every `custom_id`."""

    name = "anthropic"
    most_requests = 100_000
    most_bytes = 240 * MIB  # of 256 MB

    def headers(self, access: Access) -> dict[str, str]:
        """Return the key in Anthropic's own header."""
        further = {n: v for n, v in access.headers.items() if n.lower() != "authorization"}
        opens = {"x-api-key": access.key} if access.key else {}
        return {"anthropic-version": _VERSION, **opens, **further}

    def _at(self, path: str, **query: str) -> httpx.URL:
        base = self._access.base
        url = base.copy_with(path=f"{base.path}/messages/batches{path}")
        return url.copy_merge_params(query) if query else url

    async def check(self) -> None:
        """Ask for the list of jobs, which checks the key."""
        await self.json("GET", self._at("", limit="1"))

    def line(self, mark: str, asked: Asked) -> bytes:
        """Return a request with its own name."""
        said = {"custom_id": f"{mark}-{asked.job.key}", "params": as_messages(asked.body)}
        return json.dumps(said).encode()

    async def upload(self, batch: Batch, lines: list[bytes]) -> str:
        """Do nothing: there is nothing to upload."""
        return ""

    async def create(self, batch: Batch, lines: list[bytes]) -> str:
        """Create the job."""
        content = b'{"requests":[' + b",".join(lines) + b"]}"
        kind = {"Content-Type": "application/json"}
        return str((await self.json("POST", self._at(""), content=content, headers=kind))["id"])

    async def find(self, batch: Batch) -> str:
        """Look through the list for a job of as many requests, of that time, whose answers bear our mark.

        Answers can be seen only once a job is over. One that is not yet over is taken for ours: nothing
        is paid twice if it is, and if it is not, that shows when its answers come.
        """
        after: dict[str, str] = {}
        while True:
            listed = await self.json("GET", self._at("", limit=str(_PAGE), **after))
            jobs = [job for job in listed.get("data", ()) if may_be(batch, _time(job.get("created_at")))]
            for job in jobs:
                if sum(job["request_counts"].values()) == batch.requests and await self._is(batch, job):
                    return str(job["id"])
            if not (listed.get("has_more") and jobs):
                return ""
            after = {"after_id": str(jobs[-1]["id"])}

    async def _is(self, batch: Batch, job: Json) -> bool:
        if not job.get("results_url"):
            return _time(job.get("created_at")) >= batch.asked - 60.0
        found = lines_of((await self.call("GET", self._at(f"/{job['id']}/results"))).content)
        return any(str(line.get("custom_id", "")).startswith(batch.mark) for line in found)

    async def look(self, batch: Batch) -> Seen:
        """Return the state of the job."""
        job = await self.json("GET", self._at(f"/{batch.id}"))
        counts, status = job.get("request_counts", {}), str(job.get("processing_status"))
        answered = sum(counts.values()) - counts.get("processing", 0)
        return Seen(over=status == "ended", status=status, answered=answered)

    async def answers(self, batch: Batch) -> AsyncIterator[Answer]:
        """Yield the lines of the results, in the chat protocol's form."""
        reply = await self.call("GET", self._at(f"/{batch.id}/results"))
        for line in lines_of(reply.content):
            mark, _, key = str(line.get("custom_id")).rpartition("-")
            if mark == batch.mark:
                yield _answer(key, line.get("result") or {})

    async def cancel(self, batch: Batch) -> None:
        """Cancel the job; one that is over already stays as it is."""
        if not (await self.look(batch)).over:
            await self.json("POST", self._at(f"/{batch.id}/cancel"))


def as_messages(body: Json) -> Json:
    """Return the parameters of a message for the body of a chat completion."""
    said = {name: body[name] for name in _SAME if name in body}
    if body.get("top_p", 1.0) != 1.0:
        said["top_p"] = body["top_p"]  # newer models take one of the two; 1 changes nothing
    system = [m["content"] for m in body["messages"] if m["role"] in ("system", "developer")]
    if system:
        said["system"] = "\n\n".join(system)
    said["messages"] = [m for m in body["messages"] if m["role"] not in ("system", "developer")]
    if tools := body.get("tools"):
        said["tools"] = [
            {
                "name": tool["function"]["name"],
                "description": tool["function"].get("description", ""),
                "input_schema": tool["function"]["parameters"],
            }
            for tool in tools
        ]
    if isinstance(choice := body.get("tool_choice"), dict):
        said["tool_choice"] = {"type": "tool", "name": choice["function"]["name"]}
    known = {*_SAME, "messages", "tools", "tool_choice", "top_p", "n", "seed", "stream"}
    return said | {name: value for name, value in body.items() if name not in known}


def _answer(key: str, result: Json) -> Answer:
    kind = result.get("type")
    if kind == "succeeded":
        return Answer(key, 200, as_completion(result.get("message") or {}))
    error = result.get("error") or {}
    error = error.get("error", error) if isinstance(error, dict) else {}
    if kind == "errored":
        return Answer(key, _STATUS.get(str(error.get("type")), 500), {"error": error})
    return Answer(key, 0, {"error": {"message": str(kind)}})


def as_completion(message: Json) -> Json:
    """Return the body of a chat completion for a message."""
    blocks = [block for block in message.get("content") or () if isinstance(block, dict)]

    def joined(kind: str, name: str) -> str:
        return "".join(str(b.get(name, "")) for b in blocks if b.get("type") == kind)

    said: Json = {"role": "assistant", "content": joined("text", "text")}
    if thought := joined("thinking", "thinking"):
        said["reasoning_content"] = thought
    calls = [b for b in blocks if b.get("type") == "tool_use"]
    if calls:
        said["tool_calls"] = [
            {"type": "function", "function": {"name": b["name"], "arguments": json.dumps(b["input"])}}
            for b in calls
        ]
    reason, usage = str(message.get("stop_reason")), message.get("usage") or {}
    read = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return {
        "model": message.get("model"),
        "choices": [{"index": 0, "message": said, "finish_reason": _FINISH.get(reason, reason)}],
        "usage": {
            "prompt_tokens": sum(usage.get(name) or 0 for name in read),
            "completion_tokens": usage.get("output_tokens") or 0,
        },
    }


def _time(text: Any) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
