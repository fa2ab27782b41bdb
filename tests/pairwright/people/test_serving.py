"""Who is let in, and what the page may do: asked over HTTP, as a browser and a stranger would."""

import httpx
import pytest
from hostile import hostile_run
from people_toy import TOKEN, question, revised, served

from pairwright.people.queue import Rows
from pairwright.people.reviewing import Reviewing


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    reviewing = Reviewing(Rows(revised(tmp_path_factory.mktemp("served"))), "ana")
    with served("review", reviewing.answers) as address:
        yield address


@pytest.fixture
def client(address):
    with httpx.Client(base_url=address) as client:
        yield client


def test_nothing_is_served_without_the_token(client):
    for path in ("/", "/page.js", "/favicon.ico", "/nowhere", "/?token=", "/?token=wrong"):
        assert client.get(path).status_code == 403, path
    assert client.post("/api/start", json={}).status_code == 403
    assert (
        client.post(f"/api/start?token={TOKEN}", json={}).status_code == 403
    )  # only a page's address has it


def test_the_token_goes_from_the_address_to_a_cookie_that_no_script_and_no_other_site_gets(client):
    first = client.get(f"/?token={TOKEN}")
    assert (first.status_code, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "<title>Review" in client.get("/").text
    origin = str(client.base_url).rstrip("/")
    assert client.post("/api/start", json={}, headers={"Origin": origin}).status_code == 200
    assert client.post("/api/start", json={}).status_code == 403  # by cookie alone: from which page?


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example", ""])
def test_another_host_is_turned_away(client, host):
    headers = {"Host": host, "Authorization": f"Bearer {TOKEN}"}
    assert client.get("/", headers=headers).status_code in (400, 421)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1"]
)
def test_another_origin_is_turned_away(client, origin):
    headers = {"Origin": origin, "Authorization": f"Bearer {TOKEN}"}
    assert client.post("/api/start", json={}, headers=headers).status_code == 403


def test_every_answer_carries_the_policy(client):
    for reply in (client.get("/"), client.get("/page.css", headers={"Authorization": f"Bearer {TOKEN}"})):
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["cache-control"] == "no-store"


def test_odd_requests_get_a_sentence(client):
    head = {"Authorization": f"Bearer {TOKEN}"}
    assert client.post("/api/start", content="[1]", headers=head).status_code == 415
    json = head | {"Content-Type": "application/json"}
    assert client.post("/api/start", content="[1]", headers=json).status_code == 400
    assert client.post("/api/start", content="{" * 100_000, headers=json).status_code == 400
    assert client.post("/api/nothing", json={}, headers=head).status_code == 400
    assert client.post("/api/decide", content=b" " * (2**22 + 1), headers=json).status_code == 413
    assert client.delete("/", headers=head).status_code == 405
    assert client.get("/../serving.py", headers=head).status_code == 404
    for place in ("data/0/9999", "data/-1/0", "../0/0", 7, None, "data/0"):
        status, said = question(client, "decide", place=place, kind="accept")
        assert (status, "row" in said["said"]) == (409, True)


def test_hostile_rows_are_text_in_json_and_never_in_a_page(tmp_path):
    reviewing = Reviewing(Rows(hostile_run(tmp_path, "http://127.0.0.1:9")), "<b>ana</b>")
    with served("review", reviewing.answers) as address, httpx.Client(base_url=address) as client:
        for at in range(len(reviewing.rows)):
            reply = client.post(
                "/api/pair",
                json={"status": "", "at": at},
                headers={"Authorization": f"Bearer {TOKEN}"},
            )
            assert reply.headers["content-type"] == "application/json"
            assert "\x1b" not in str(reply.json()["row"]["prompt"])
        head = {"Authorization": f"Bearer {TOKEN}"}
        for path in ("/", "/page.js", "/review.js", "/page.css"):
            text = client.get(path, headers=head).text
            assert "pwned" not in text
            for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http:"):
                assert way not in text, (path, way)
