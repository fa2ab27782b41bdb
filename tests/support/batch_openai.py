"""OpenAI's files and batches, from the public description of its API."""

import json
import time
from email.parser import BytesParser
from functools import partial

from batch_work import Jobs, Said, Work, find, page_of
from plain_server import Json


def openai(server: Jobs, method: str, path: str, query: Json, headers: Json, body: bytes) -> Said | None:
    """The reply to a request, if it is one of theirs."""
    parts = path.removeprefix("/openai").removeprefix("/v1").strip("/").split("/")
    if parts[0] == "files" and method == "POST":
        fields = _form(headers["content-type"], body)
        if fields["purpose"][1] != b"batch":
            return 400, {"error": {"message": "purpose"}}
        name = f"file-{len(server.files) + 1}"
        server.files[name] = fields["file"][1]
        return 200, _file(name, fields["file"][0], len(fields["file"][1]))
    if parts[0] == "files" and parts[-1] == "content":
        found = server.files.get(parts[1])
        return (
            (200, server.garbles(found))
            if found is not None
            else (404, {"error": {"message": "No such File object"}})
        )
    if parts[0] != "batches" or "x-goog-api-key" in headers:
        return None
    if method == "POST" and len(parts) == 1:
        return _create(server, json.loads(body))
    if len(parts) == 1:
        page, more = page_of([_job(work) for work in server.works], query, "after")
        return 200, {"object": "list", "data": page, "has_more": more}
    work = find(server, parts[1])
    if work is None:
        return 404, {"error": {"message": f"No batch found with id '{parts[1]}'."}}
    if parts[-1] == "cancel":
        if work.status != "in_progress":
            return 409, {"error": {"message": f"Cannot cancel a batch with status '{work.status}'."}}
        work.status = "cancelling"
    else:
        server.look(work, partial(_do, server))
        for kind in ("output", "error"):
            lines = [a for a in work.answers.values() if (a["response"] is None) == (kind == "error")]
            if lines and work.status not in ("in_progress", "cancelling"):
                text = "".join(json.dumps(line) + "\n" for line in lines)
                server.files[f"file-{kind}-{work.id}"] = text.encode()
    return 200, _job(work)


def _create(server: Jobs, said: Json) -> Said:
    if said["input_file_id"] not in server.files or said["completion_window"] != "24h":
        return 400, {"error": {"message": "Invalid file or window"}}
    lines = [json.loads(line) for line in server.files[said["input_file_id"]].splitlines()]
    names = [line["custom_id"] for line in lines]
    mark = (said.get("metadata") or {}).get("pairwright", "")
    more = {"file": said["input_file_id"], "endpoint": said["endpoint"]}
    work = server.begin("batch_", mark, lines, **more)
    why = server.refuses(said)
    if len(set(names)) < len(names) or any(line["url"] != said["endpoint"] for line in lines):
        why = "invalid_request: duplicate custom_id, or url is not the endpoint"
    if why:
        code, _, message = why.partition(": ")
        errors = [{"code": code, "message": message}]
        work.status, work.errors = "failed", {"object": "list", "data": errors}
    return 200, _job(work)


def _do(server: Jobs, work: Work, line: Json, fate: str) -> None:
    name = line["custom_id"]
    found = {"id": f"batch_req_{len(work.answers)}", "custom_id": name}
    if fate == "ok":
        answer = {"status_code": 200, "request_id": "r", "body": server.completion(line["body"])}
        work.answers[name] = found | {"response": answer, "error": None}
    elif fate.isdecimal():
        error = {"error": {"message": f"it is a {fate}", "type": "invalid_request_error"}}
        work.answers[name] = found | {"response": {"status_code": int(fate), "body": error}, "error": None}
    elif fate != "lost":
        error = {"code": f"batch_{fate}", "message": f"This request was {fate}."}
        work.answers[name] = found | {"response": None, "error": error}


def _job(work: Work) -> Json:
    done = {kind: f"file-{kind}-{work.id}" for kind in ("output", "error")}
    given = [a for a in work.answers.values() if a["response"] is not None]
    over = work.status not in ("in_progress", "cancelling", "failed")
    return {
        "id": work.id,
        "object": "batch",
        "endpoint": work.endpoint,
        "errors": work.errors,
        "input_file_id": work.file,
        "completion_window": "24h",
        "status": work.status,
        "output_file_id": done["output"] if over and given else None,
        "error_file_id": done["error"] if over and len(given) < len(work.answers) else None,
        "created_at": int(work.created),
        "request_counts": {"total": len(work.lines), "completed": len(given), "failed": 0},
        "metadata": {"pairwright": work.mark} if work.mark else None,
    }


def _file(name: str, filename: str, size: int) -> Json:
    return {
        "id": name,
        "object": "file",
        "bytes": size,
        "created_at": int(time.time()),
        "filename": filename,
        "purpose": "batch",
        "status": "processed",
    }


def _form(kind: str, body: bytes) -> dict[str, tuple[str, bytes]]:
    """The fields of a form: file name and content."""
    parsed = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    fields = {}
    for part in parsed.get_payload():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        fields[name] = (part.get_filename() or "", content)
    return fields
