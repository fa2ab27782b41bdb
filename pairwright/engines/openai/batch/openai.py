"""The batch jobs of OpenAI, and of servers that have the same: `/files` and `/batches`."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx

from pairwright.engines.openai.batch.endpoint import (
    MIB,
    Endpoint,
    NoEndpointError,
    Seen,
    TroubleError,
    lines_of,
    may_be,
)
from pairwright.engines.openai.batch.store import Answer, Asked, Batch

MARK = "pairwright"
"""Under this name of a job's metadata stands its mark."""

_OVER = {"completed", "failed", "expired", "cancelled"}
_FULL = {"token_limit_exceeded", "batch_limit_exceeded", "rate_limit_exceeded"}
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)$")
_PAGE = 100


class OpenAIBatches(Endpoint):
    """`POST /files`, `POST /batches`, `GET /batches/ID`, `GET /files/ID/content`."""

    name = "openai"
    most_requests = 50_000
    most_bytes = 190 * MIB  # of 200 MB

    @property
    def _deployment(self) -> str | None:
        """On Azure, the deployment that the address names."""
        found = _DEPLOYMENT.search(self._access.base.path)
        return found[1] if found else None

    def _at(self, path: str, **query: str) -> httpx.URL:
        base = self._access.base
        url = base.copy_with(path=_DEPLOYMENT.sub("", base.path) + path)
        return url.copy_merge_params(query) if query else url

    async def check(self) -> None:
        """Raise `NoEndpointError` where there is no list of jobs."""
        try:
            listed = await self.json("GET", self._at("/batches", limit="1"))
        except TroubleError as error:
            if error.fault.code in ("http_401", "http_403"):
                raise
            raise NoEndpointError(str(error.fault)) from None
        jobs = listed.get("data")
        if not isinstance(jobs, list) or any(job.get("object", "batch") != "batch" for job in jobs):
            raise NoEndpointError("its /batches is no list of jobs")

    def line(self, mark: str, asked: Asked) -> bytes:
        """Return a line of the file."""
        body = asked.body if self._deployment is None else asked.body | {"model": self._deployment}
        said = {"custom_id": asked.job.key, "method": "POST", "url": self._path, "body": body}
        return json.dumps(said).encode() + b"\n"

    @property
    def _path(self) -> str:
        return "/v1/chat/completions" if self._deployment is None else "/chat/completions"

    async def upload(self, batch: Batch, lines: list[bytes]) -> str:
        """Upload the file of requests, unless the server has it already."""
        form = {"file": (f"{batch.mark}.jsonl", b"".join(lines), "application/jsonl")}
        found = await self.json("POST", self._at("/files"), files=form, data={"purpose": "batch"})
        return str(found["id"])

    async def create(self, batch: Batch, lines: list[bytes]) -> str:
        """Create the job, its mark in its metadata."""
        said = {
            "input_file_id": batch.file,
            "endpoint": self._path,
            "completion_window": "24h",
            "metadata": {MARK: batch.mark},
        }
        return str((await self.json("POST", self._at("/batches"), json=said))["id"])

    async def find(self, batch: Batch) -> str:
        """Look through the list, which has the newest first."""
        after: dict[str, str] = {}
        while True:
            listed = await self.json("GET", self._at("/batches", limit=str(_PAGE), **after))
            jobs = [job for job in listed.get("data", ()) if may_be(batch, job.get("created_at", 0))]
            for job in jobs:
                if (job.get("metadata") or {}).get(MARK) == batch.mark:
                    return str(job["id"])
            if not (listed.get("has_more") and jobs):
                return ""
            after = {"after": str(jobs[-1]["id"])}

    async def look(self, batch: Batch) -> Seen:
        """Return the state of the job."""
        job = await self._job(batch)
        status, counts = str(job.get("status")), job.get("request_counts") or {}
        errors = (job.get("errors") or {}).get("data") or []
        return Seen(
            over=status in _OVER,
            status=status,
            answered=int(counts.get("completed") or 0) + int(counts.get("failed") or 0),
            refusal="; ".join(str(e.get("message")) for e in errors[:3]) if status == "failed" else "",
            full=any(error.get("code") in _FULL for error in errors),
        )

    async def answers(self, batch: Batch) -> AsyncIterator[Answer]:
        """Yield the contents of both files: answers and errors."""
        job = await self._job(batch)
        for name in ("output_file_id", "error_file_id"):
            if job.get(name):
                reply = await self.call("GET", self._at(f"/files/{job[name]}/content"))
                for line in lines_of(reply.content):
                    yield _answer(line)

    async def cancel(self, batch: Batch) -> None:
        """Cancel the job; one that is over already stays as it is."""
        try:
            await self.json("POST", self._at(f"/batches/{batch.id}/cancel"))
        except TroubleError as error:
            if error.fault.code not in ("http_400", "http_409"):
                raise

    async def _job(self, batch: Batch) -> dict[str, Any]:
        return await self.json("GET", self._at(f"/batches/{batch.id}"))


def _answer(line: Any) -> Answer:
    reply, error = line.get("response"), line.get("error")
    if isinstance(reply, dict) and isinstance(reply.get("body"), dict):
        return Answer(str(line.get("custom_id")), int(reply.get("status_code") or 200), reply["body"])
    return Answer(str(line.get("custom_id")), 0, {"error": error or {"message": "no answer"}})
