"""The report in a real Chromium: nothing of it runs or asks, it obeys the keyboard, and it fits the screen.

Run by `make test-browser`. Screenshots go to the folder named by PAIRWRIGHT_SCREENSHOTS, else to a
temporary one.
"""

import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from figures_toy import training
from hostile import hostile_run
from in_process import run
from runs_on_disk import revise_config

from revise import revise

pytestmark = pytest.mark.browser


class Hits(ThreadingHTTPServer):
    """A server that only counts who calls."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Counting)
        self.paths: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Counting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.paths.append(self.path)  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[Hits]:
    hits = Hits()
    threading.Thread(target=hits.serve_forever, daemon=True).start()
    yield hits
    hits.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    where = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert where is not None, "no Chromium on this machine; make test-browser installs one"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=where, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    revise(revise_config(folder))
    return folder / "run"


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("PAIRWRIGHT_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Visit:
    """A page that was opened, and everything it did that it should not do."""

    def __init__(self, browser: Any, path: Path, width: int = 1280, scheme: str = "light") -> None:
        size = {"width": width, "height": 900}
        self.page = browser.new_page(viewport=size, color_scheme=scheme)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(path.as_uri())
        self.page.wait_for_timeout(300)


def written(capfd: pytest.CaptureFixture[str], out: Path, *folders: Path) -> Path:
    assert run(capfd, "report", *map(str, folders), "--out", str(out))[0] == 0
    return out


def test_the_trap_works(browser, server, tmp_path):
    """The same words in a page that does not escape them do run and do ask."""
    page = tmp_path / "careless.html"
    page.write_text(f"<body><img src='{server.url}/careless' onerror='window.pwned=1'></body>")
    visit = Visit(browser, page)
    assert "/careless" in server.paths
    assert visit.page.evaluate("window.pwned") == 1


def test_hostile_text_runs_nothing_and_asks_nobody(browser, server, tmp_path, capfd):
    path = written(capfd, tmp_path / "r.html", hostile_run(tmp_path, server.url))
    before = list(server.paths)
    visit = Visit(browser, path)
    page = visit.page
    for details in page.locator("details").all():
        details.evaluate("details => details.open = true")
    rows = page.locator("#list .item").count()
    assert rows == 13
    for _ in range(rows):
        page.keyboard.press("j")
        for link in page.locator("main a").all():
            assert link.get_attribute("href").startswith("#")
    page.mouse.click(600, 500)
    page.wait_for_timeout(300)
    assert page.evaluate("window.pwned") is None
    assert server.paths == before
    assert visit.requests == [path.as_uri()]
    assert visit.complaints == []
    assert page.locator("#row img, #row a, #row script, #row svg, article img, article script").count() == 0
    assert "{{ 7 * 7 }}" in page.content()


def test_it_is_read_by_keyboard(browser, pairs, tmp_path, capfd):
    page = Visit(browser, written(capfd, tmp_path / "r.html", pairs)).page

    def at() -> str:
        return page.locator("#row .push").inner_text().split("\n")[0].split("‹")[0].strip()

    assert at() == "1 of 60"
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert at() == "2 of 60"
    assert page.locator("#list [aria-selected=true]").count() == 1
    page.keyboard.press("s")
    assert page.locator("#statuses [aria-pressed=true]").inner_text() == "kept"
    assert at() == "1 of 42"
    assert page.locator("#row del").inner_text() != page.locator("#row ins").inner_text()
    assert "the sum was wrong" in page.locator("#row").inner_text()
    page.keyboard.press("/")
    page.keyboard.type("What is 12 plus")
    assert at() == "1 of 1"
    assert "What is 12 plus one?" in page.locator("#row").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.locator("#search").fill("nothing is like this")
    assert "No row is like that." in page.locator("#row").inner_text()
    page.locator("#search").fill("")
    page.locator("summary", has_text="unparsed").click()
    page.locator("details[open] button.browse").click()
    assert at() == "1 of 6"
    page.keyboard.press("End")
    assert at() == "6 of 6"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_screen(browser, pairs, calibration, tmp_path, capfd, screenshots, width, scheme):
    """No sideways scrolling, nothing drawn outside, and a picture to look at."""
    model = training(tmp_path / "model")
    path = tmp_path / "r.html"
    for name, folders in {"pairs": [pairs], "judged": [calibration], "both": [pairs, model]}.items():
        page = Visit(browser, written(capfd, path, *folders), width, scheme).page
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wide = page.evaluate(
            "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, svg, #list')"
            " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + '.' + e.className)"
        )
        assert wide == []
        light = page.evaluate(
            "Number(getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0]) > 128"
        )
        assert light == (scheme == "light")
        picture = screenshots / f"report-{name}-{width}-{scheme}.png"
        page.screenshot(path=picture, full_page=True)
        assert picture.stat().st_size > 20_000
