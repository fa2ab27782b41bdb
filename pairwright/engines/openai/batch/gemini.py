"""Gemini's batch jobs: the chat protocol translated to `generateContent` and back."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx

from pairwright.engines.openai.access import Access
from pairwright.engines.openai.batch.endpoint import MIB, Endpoint, Seen, TroubleError, may_be
from pairwright.engines.openai.batch.store import Answer, Asked, Batch

Json = dict[str, Any]

_OVER = ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")
_PAGE = "100"
_FINISH = {"STOP": "stop", "MAX_TOKENS": "length"}
_CONFIG = {
    "max_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}
_SAID = ("model", "messages", "n", "response_format", "reasoning_effort", "tools", "tool_choice")
_BUDGET = {"none": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24576}
"""Tokens of thought that the compatible endpoint allows for an effort."""
_STATUS = {3: 400, 5: 404, 7: 403, 8: 429, 13: 500, 14: 503, 16: 401}
"""HTTP's statuses of the codes that errors of single requests have."""
_SYSTEM = ("system", "developer")
_GIVEN_UP = (1, 4)
"""Cancelled, and out of time."""


class GeminiBatches(Endpoint):
    """`POST /v1beta/models/MODEL:batchGenerateContent`, the requests in it; the mark is its name."""

    name = "gemini"
    most_requests = 20_000
    most_bytes = 18 * MIB  # of 20 MB

    def headers(self, access: Access) -> dict[str, str]:
        """Return the key in Google's own header."""
        further = {n: v for n, v in access.headers.items() if n.lower() != "authorization"}
        return {**({"x-goog-api-key": access.key} if access.key else {}), **further}

    def _at(self, path: str, **query: str) -> httpx.URL:
        base = self._access.base
        url = base.copy_with(path=base.path.removesuffix("/openai") + path)
        return url.copy_merge_params(query) if query else url

    async def check(self) -> None:
        """Ask for the list of jobs, which checks the key."""
        await self.json("GET", self._at("/batches", pageSize="1"))

    def line(self, mark: str, asked: Asked) -> bytes:
        """Return a request and its key."""
        said = {"request": as_contents(asked.body), "metadata": {"key": asked.job.key}}
        return json.dumps(said).encode()

    async def upload(self, batch: Batch, lines: list[bytes]) -> str:
        """Do nothing: there is nothing to upload."""
        return ""

    async def create(self, batch: Batch, lines: list[bytes]) -> str:
        """Create the job."""
        name = json.dumps(batch.mark).encode()
        content = b'{"batch":{"displayName":%b,"inputConfig":{"requests":{"requests":[%b]}}}}'
        content = content % (name, b",".join(lines))
        model = self._model.removeprefix("models/")
        url = self._at(f"/models/{model}:batchGenerateContent")
        kind = {"Content-Type": "application/json"}
        return str((await self.json("POST", url, content=content, headers=kind))["name"])

    async def find(self, batch: Batch) -> str:
        """Look through the list for the display name."""
        page: dict[str, str] = {}
        while True:
            listed = await self.json("GET", self._at("/batches", pageSize=_PAGE, **page))
            for job in listed.get("operations") or ():
                said = job.get("metadata") or {}
                if said.get("displayName") == batch.mark and may_be(batch, _time(said.get("createTime"))):
                    return str(job["name"])
            if not listed.get("nextPageToken"):
                return ""
            page = {"pageToken": str(listed["nextPageToken"])}

    async def look(self, batch: Batch) -> Seen:
        """Return the state of the job."""
        job = await self._job(batch)
        said = job.get("metadata") or {}
        status = str(said.get("state", "")).rpartition("STATE_")[2]
        stats = said.get("batchStats") or {}
        answered = sum(int(stats.get(f"{kind}RequestCount") or 0) for kind in ("successful", "failed"))
        error = job.get("error") or {}
        refusal = str(error.get("message")) if status == "FAILED" else ""
        full = error.get("code") == 8
        return Seen(status in _OVER, status.lower(), answered, refusal, full)

    async def answers(self, batch: Batch) -> AsyncIterator[Answer]:
        """Yield the answers that stand in the job itself."""
        job = await self._job(batch)
        found = (job.get("metadata") or {}).get("output") or job.get("response") or {}
        for one in (found.get("inlinedResponses") or {}).get("inlinedResponses") or ():
            key = str((one.get("metadata") or {}).get("key"))
            if isinstance(one.get("response"), dict):
                yield Answer(key, 200, as_completion(one["response"], self._model))
            else:
                error = one.get("error") or {}
                code = int(error.get("code") or 0)
                status = 0 if code in _GIVEN_UP else _STATUS.get(code, 500)
                yield Answer(key, status, {"error": error})

    async def cancel(self, batch: Batch) -> None:
        """Cancel the job; one that is over already stays as it is."""
        try:
            await self.call("POST", self._at(f"/{batch.id}:cancel"))
        except TroubleError as error:
            if error.fault.code not in ("http_400", "http_409"):
                raise

    async def _job(self, batch: Batch) -> Json:
        return await self.json("GET", self._at(f"/{batch.id}"))


def as_contents(body: Json) -> Json:
    """Return what `generateContent` is sent for the body of a chat completion."""
    system = [m["content"] for m in body["messages"] if m["role"] in _SYSTEM]
    said: Json = {"contents": [_content(m) for m in body["messages"] if m["role"] not in _SYSTEM]}
    if system:
        said["systemInstruction"] = {"parts": [{"text": "\n\n".join(system)}]}
    config: Json = {name: body[ours] for ours, name in _CONFIG.items() if ours in body}
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        config |= {
            "responseMimeType": "application/json",
            "responseJsonSchema": form["json_schema"]["schema"],
        }
    if body.get("reasoning_effort") in _BUDGET:
        config["thinkingConfig"] = {"thinkingBudget": _BUDGET[body["reasoning_effort"]]}
    if tools := [tool["function"] for tool in body.get("tools") or ()]:
        said["tools"] = [
            {
                "functionDeclarations": [
                    {"name": f["name"], "parametersJsonSchema": f["parameters"]} for f in tools
                ]
            }
        ]
        names = [function["name"] for function in tools]
        said["toolConfig"] = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": names}}
    further = {name: value for name, value in body.items() if name not in {*_CONFIG, *_SAID}}
    return said | {"generationConfig": config} | further


def _content(message: Json) -> Json:
    role = "model" if message["role"] == "assistant" else "user"
    return {"role": role, "parts": [{"text": message["content"]}]}


def as_completion(reply: Json, model: str) -> Json:
    """Return the body of a chat completion for what `generateContent` gave."""
    first = (reply.get("candidates") or [{}])[0]
    parts = (first.get("content") or {}).get("parts") or []
    said: Json = {"role": "assistant", "content": _joined(parts, thought=False)}
    if thought := _joined(parts, thought=True):
        said["reasoning_content"] = thought
    if calls := [part["functionCall"] for part in parts if "functionCall" in part]:
        said["tool_calls"] = [
            {
                "type": "function",
                "function": {"name": c["name"], "arguments": json.dumps(c.get("args", {}))},
            }
            for c in calls
        ]
    choice: Json = {"index": 0, "message": said}
    choice["finish_reason"] = _FINISH.get(str(first.get("finishReason")), "content_filter")
    if found := (first.get("logprobsResult") or {}).get("topCandidates"):
        choice["logprobs"] = {"content": [_position(place["candidates"]) for place in found]}
    usage = reply.get("usageMetadata") or {}
    thoughts = usage.get("thoughtsTokenCount") or 0
    return {
        "model": reply.get("modelVersion") or model,
        "choices": [choice],
        "usage": {
            "prompt_tokens": usage.get("promptTokenCount") or 0,
            "completion_tokens": (usage.get("candidatesTokenCount") or 0) + thoughts,
            "completion_tokens_details": {"reasoning_tokens": thoughts},
        },
    }


def _joined(parts: list[Json], *, thought: bool) -> str:
    return "".join(str(part.get("text", "")) for part in parts if bool(part.get("thought")) is thought)


def _position(candidates: list[Json]) -> Json:
    tops = [{"token": c.get("token", ""), "logprob": c.get("logProbability", 0.0)} for c in candidates]
    return {**tops[0], "top_logprobs": tops}


def _time(text: Any) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
