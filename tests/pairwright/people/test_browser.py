"""The pages in a real Chromium: worked by keyboard, hostile rows and all, and asking nobody else.

Run by `make test-browser`. Screenshots go to the folder named by PAIRWRIGHT_SCREENSHOTS, else to a
temporary one.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile import hostile_run
from people_toy import TOKEN, revised, served

from pairwright.people.labelling import Labelling
from pairwright.people.reviewing import Reviewing

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    where = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert where is not None, "no Chromium on this machine; make test-browser installs one"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=where, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("PAIRWRIGHT_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Visit:
    """A page that was opened, where it asked, and what it complained of."""

    def __init__(self, browser: Any, address: str, width: int = 1280) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 800})
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(f"{address}/?token={TOKEN}")
        self.settled()

    def settled(self) -> None:
        self.page.locator("body[aria-busy=false]").wait_for(state="attached")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.settled()

    def text(self, where: str) -> str:
        return self.page.locator(where).inner_text()


def test_hostile_rows_run_nothing_and_no_request_leaves(browser, tmp_path):
    folder = hostile_run(tmp_path, "http://127.0.0.1:9")
    reviewing, labelling = (
        Reviewing(folder, "<img src=x onerror='window.pwned=1'>"),
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
    reviewing = Reviewing(revised(tmp_path), "ana", order="file")
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


def test_the_pages_fit_the_screen(browser, tmp_path, screenshots):
    folder = revised(tmp_path)
    pages = {"review": Reviewing(folder, "ana"), "label": Labelling(folder, "ana", reveal=2)}
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
