"""The pages in a real Chromium: worked by keyboard, hostile rows and all, and asking nobody else.

Run by `make test-browser`. Screenshots go to the folder named by PAIRWRIGHT_SCREENSHOTS, else to a
temporary one.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hostile import hostile_run
from people_toy import TOKEN, judged, labelled, revised, served
from visits import Visit, chromium

from pairwright.people.labelling import Labelling
from pairwright.people.queue import Rows
from pairwright.people.reviewing import Reviewing

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("PAIRWRIGHT_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_hostile_rows_run_nothing_and_no_request_leaves(browser, tmp_path):
    folder = hostile_run(tmp_path, "http://127.0.0.1:9")
    reviewing, labelling = (
        Reviewing(Rows(folder), "<img src=x onerror='window.pwned=1'>"),
        Labelling(folder, "ana"),
    )
    for name, answers in (("review", reviewing.answers), ("label", labelling.answers)):
        with served(name, answers) as address:
            visit = Visit(browser, address)
            if name == "review":
                visit.page.select_option("#status", "")
                visit.settled()
                for _ in range(len(reviewing.rows)):
                    visit.press("e", "Escape", "r", "Escape", "a")
            else:
                visit.press(*["1"] * 10)
            assert visit.page.evaluate("window.pwned") is None
            refused = "409 (Conflict)"  # rows of one answer cannot be accepted, and the console says so
            assert [said for said in visit.complaints if refused not in said] == []
            assert {url.split("/")[2] for url in visit.requests} == {address.split("/")[2]}
            assert visit.page.locator("main img, main a, main script, main svg, main iframe").count() == 0
            assert TOKEN not in visit.page.url


def test_a_review_by_keyboard(browser, tmp_path):
    reviewing = Reviewing(Rows(revised(tmp_path)), "ana", order="file")
    with served("review", reviewing.answers) as address:
        visit = Visit(browser, address)
        assert "1 of 28" in visit.text("#row .push")
        visit.press("a", "s")
        visit.press("r", "1")
        visit.press("e")
        visit.page.fill("#text", "The sum of 4 and one is five.")
        visit.page.locator("#row .diff", has_text="five").wait_for()
        visit.press("Control+Enter")
        visit.press("a", "u")
        told = [(d.kind, d.reason, d.text) for d in reviewing.decisions.standing("review")]
        assert told == [
            ("accept", "", None),
            ("swap", "", None),
            ("reject", "wrong", None),
            ("edit", "", "The sum of 4 and one is five."),
        ]
        visit.press("/")
        visit.page.keyboard.type("What is 12 plus")
        visit.press("Enter")
        assert "1 of 1" in visit.text("#row .push")
        visit.page.select_option("#status", "unparsed")
        visit.page.fill("#phrase", "")
        visit.press("Enter")
        visit.press("a")
        assert "no chosen answer" in visit.text("#said")
        assert visit.page.locator("[aria-pressed], button:not([type])").count() == 0
        again = Visit(browser, address)
        assert "5 of 28" in again.text("#row .push"), "a page opened later goes on where nobody decided"


def test_labels_by_keyboard_with_a_reason(browser, tmp_path):
    labelling = Labelling(revised(tmp_path), "ana", repeat_every=0)
    with served("label", labelling.answers) as address:
        visit = Visit(browser, address)
        visit.press("1", "w")
        visit.page.keyboard.type("12 is right")
        visit.press("Enter", "2", "t", "u", "b")
        told = [(d.kind in ("chosen", "rejected"), d.reason) for d in labelling.decisions.standing("label")]
        assert told == [(True, ""), (True, "12 is right"), (False, "")]
        assert visit.page.input_value("#reason") == ""


def test_the_pages_fit_the_screen(browser, tmp_path, screenshots):
    folder = revised(tmp_path)
    pages = {"review": Reviewing(Rows(folder), "ana"), "label": Labelling(folder, "ana", reveal=2)}
    for name, answering in pages.items():
        with served(name, answering.answers) as address:
            for width in (1280, 390):
                visit = Visit(browser, address, width)
                visit.press(*("a1"["rl".index(name[0])] * 2))
                assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
                wide = visit.page.evaluate(
                    "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right >"
                    " innerWidth + 1).map(e => e.tagName + '.' + e.className)"
                )
                assert wide == []
                picture = screenshots / f"people-{name}-{width}.png"
                visit.page.screenshot(path=picture)
                assert picture.stat().st_size > 10_000


def test_nothing_keeps_anybody_out(browser, tmp_path):
    """By the rules of axe-core, in every state of the pages, light and dark, wide and narrow."""
    folder = revised(tmp_path)
    labelled(Labelling(folder, "ben"), 6, "first")
    pages = {"review": Reviewing(Rows(folder), "ana"), "label": Labelling(folder, "ana", reveal=2)}
    for name, answering in pages.items():
        with served(name, answering.answers) as address:
            for width, scheme in ((1280, "light"), (390, "dark")):
                visit = Visit(browser, address, width, color_scheme=scheme)
                assert visit.barriers() == []
                for keys in (
                    (["e"], ["Escape", "r"], ["1"], ["s", "a"]) if name == "review" else (["1"] * 3, ["t"])
                ):
                    visit.press(*keys)
                    assert visit.barriers() == [], keys


def test_everything_is_reached_without_a_mouse(browser, tmp_path):
    """By Tab alone: every control comes into focus, is seen to have it, and has a name."""
    folder = revised(tmp_path)
    with served("review", Reviewing(Rows(folder), "ana").answers) as address:
        visit = Visit(browser, address)
        wanted = visit.page.evaluate(
            "[...document.querySelectorAll('button, input, select, textarea')]"
            ".filter(e => e.checkVisibility() && !e.disabled).length"
        )
        met = []
        for _ in range(wanted):
            visit.page.keyboard.press("Tab")
            met.append(visit.page.evaluate(FOCUSED))
        assert len({tuple(one) for one in met}) == wanted, met
        assert all(name for name, _ in met)
        visit.page.locator("#doubt").focus()
        visit.page.keyboard.press("ArrowDown")
        visit.settled()
        assert "No row is like that" in visit.text("#row")


@contextmanager
def held(frame: str, host: str) -> Iterator[str]:
    """A page of another server of this machine that holds a frame."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"<iframe src='{frame}' width=900 height=700></iframe>".encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((host, 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{'localhost' if host == '127.0.0.1' else host}:{server.server_address[1]}/"
        server.shutdown()


def test_the_page_works_in_the_frame_of_a_notebook(browser, tmp_path):
    """Held by a page under another name and port, as Jupyter is: no cookie goes with what it asks."""
    reviewing = Reviewing(Rows(revised(tmp_path)), "ana", order="file")
    with served("review", reviewing.answers, framed=True) as address:
        page = browser.new_page()
        with held(f"{address}/{TOKEN}/", "127.0.0.1") as notebook:
            page.goto(notebook)
            inner = page.frame_locator("iframe")
            inner.locator("#row .push", has_text="1 of 28").wait_for()
            inner.locator("button[data-key=a]").click()
            inner.locator("#row .push", has_text="2 of 28").wait_for()
            assert [d.kind for d in reviewing.decisions.standing("review")] == ["accept"]
        with held(f"{address}/{TOKEN}/", "127.0.0.2") as stranger:
            refused: list[str] = []
            page.on("console", lambda message: refused.append(message.text))
            page.goto(stranger)
            assert page.frames[1].locator("#row").count() == 0
            assert "frame-ancestors" in " ".join(refused)


FOCUSED = """(() => {
    const e = document.activeElement, style = getComputedStyle(e);
    const label = document.querySelector(`label[for=${e.id || "none"}]`);
    const name = e.getAttribute("aria-label") || e.textContent.trim() || label?.textContent;
    return [name, style.outlineStyle === "none" ? "no outline" : `${e.id}${e.dataset.key || ""}`];
})()"""


def test_filters_and_rows_that_are_taken_back(browser, tmp_path):
    reviewing = Reviewing(Rows(judged(tmp_path, lambda asked: asked.first[-1] in "03" or True)), "ana")
    with served("review", reviewing.answers) as address:
        visit = Visit(browser, address)
        visit.page.select_option("#doubt", "split")
        visit.settled()
        assert "1 of 6" in visit.text("#row .push")
        assert "inconsistent" in visit.text("#row .badge >> nth=0")
        visit.page.select_option("#doubt", "")
        visit.page.select_option("#measure", "preference")
        visit.settled()
        visit.page.fill("#low", "0.9")
        visit.press("Enter")
        assert "No row is like that" in visit.text("#row")
        visit.page.fill("#low", "0.5")
        visit.press("Enter")
        visit.page.locator("#low").press("Escape")
        visit.press("a")
        assert "restored" in visit.text("#row") or "accepted" in visit.text("#progress")
        questions = [url.rsplit("/", 1)[1] for url in visit.requests if "/api/" in url]
        assert questions[-1] == "decide", "one question for the decision and the next row"
