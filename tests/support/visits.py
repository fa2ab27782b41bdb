"""A page in a real Chromium: what it asked for, what it complained of, and what axe-core finds."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from people_toy import TOKEN


@contextmanager
def chromium() -> Iterator[Any]:
    """Chromium, as it is on this machine."""
    from playwright.sync_api import sync_playwright

    where = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert where is not None, "no Chromium on this machine; make test-browser installs one"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=where, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A page that was opened, where it asked, and what it complained of."""

    def __init__(self, browser: Any, address: str, width: int = 1280, **settings: Any) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 800}, **settings)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(f"{address}/?token={TOKEN}")
        self.settled()

    def settled(self) -> None:
        """Wait until nothing is being answered."""
        self.page.locator("body[aria-busy=false]").wait_for(state="attached")

    def press(self, *keys: str) -> None:
        """Press keys, each when what the last one asked has been answered."""
        for key in keys:
            self.page.keyboard.press(key)
            self.settled()

    def text(self, where: str) -> str:
        """What stands there."""
        return str(self.page.locator(where).inner_text())

    def barriers(self) -> list[str]:
        """What axe-core finds that keeps people out, by rule and place."""
        axe = Path(os.environ.get("PAIRWRIGHT_AXE", ".browser/axe.min.js"))
        assert axe.is_file(), f"no axe-core at {axe}; make test-browser fetches it"
        self.page.evaluate(axe.read_text())
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{rule['id']} ({rule['impact']}): {node['target']} {node.get('failureSummary', '')[:300]}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]
