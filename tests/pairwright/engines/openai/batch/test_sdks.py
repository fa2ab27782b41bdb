"""The server of batch jobs under the official SDKs: it takes what they send, they read what it says."""

import io
import json
from collections.abc import Iterator

import pytest
from batch_server import BatchServer

pytestmark = pytest.mark.sdk


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as running:
        yield running


def test_openai(server: BatchServer) -> None:
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=server.url, api_key="k", max_retries=0)
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    file = client.files.create(file=("x.jsonl", io.BytesIO(json.dumps(line).encode())), purpose="batch")
    made = client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"pairwright": "mark"},
    )
    assert [(job.id, job.metadata) for job in client.batches.list()] == [(made.id, {"pairwright": "mark"})]
    assert client.batches.retrieve(made.id).status == "in_progress"
    done = client.batches.retrieve(made.id)
    assert (done.status, done.request_counts.completed, done.error_file_id) == ("completed", 1, None)
    answer = json.loads(client.files.content(done.output_file_id).text)
    assert answer["response"]["body"]["choices"][0]["message"]["content"] == "HELLO"
    server.holds = True
    other = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    assert client.batches.cancel(other.id).status == "cancelling"
    assert client.batches.retrieve(other.id).status == "cancelled"


def test_anthropic(server: BatchServer) -> None:
    anthropic = pytest.importorskip("anthropic")
    client = anthropic.Anthropic(base_url=server.url.removesuffix("/v1"), api_key="k", max_retries=0)
    params = {"model": "m", "max_tokens": 16, "messages": [{"role": "user", "content": "hello"}]}
    made = client.messages.batches.create(requests=[{"custom_id": "mark-a", "params": params}])
    assert (made.processing_status, made.request_counts.processing) == ("in_progress", 1)
    assert [job.id for job in client.messages.batches.list()] == [made.id]
    client.messages.batches.retrieve(made.id)
    done = client.messages.batches.retrieve(made.id)
    assert (done.processing_status, done.request_counts.succeeded) == ("ended", 1)
    assert done.results_url.endswith(f"/v1/messages/batches/{made.id}/results")
    lines = server.works[0].answers.values()
    results = [
        anthropic.types.messages.MessageBatchIndividualResponse.model_validate(line) for line in lines
    ]
    [result] = results
    assert (result.custom_id, result.result.type) == ("mark-a", "succeeded")
    assert result.result.message.content[0].text == "HELLO"
    server.holds = True
    other = client.messages.batches.create(requests=[{"custom_id": "mark-b", "params": params}])
    assert client.messages.batches.cancel(other.id).processing_status == "canceling"


def test_gemini(server: BatchServer) -> None:
    genai = pytest.importorskip("google.genai")
    options = {"base_url": server.url.removesuffix("/v1")}
    client = genai.Client(api_key="k", http_options=options)
    asked = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}], "metadata": {"key": "a"}}
    asked["config"] = {"max_output_tokens": 16}
    made = client.batches.create(model="m", src=[asked], config={"display_name": "mark"})
    assert (made.display_name, made.state.name) == ("mark", "JOB_STATE_RUNNING")
    assert [job.name for job in client.batches.list()] == [made.name]
    client.batches.get(name=made.name)
    done = client.batches.get(name=made.name)
    assert done.state.name == "JOB_STATE_SUCCEEDED"
    [answer] = done.dest.inlined_responses
    assert (answer.metadata, answer.response.text) == ({"key": "a"}, "HELLO")
    server.holds = True
    client.batches.cancel(name=client.batches.create(model="m", src=[asked]).name)
    assert server.works[-1].status == "cancelling"
