"""Debian's Chromium for tests, and what a page of ours must never do in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

PATIENCE_MS = 20_000
PHONE = {"width": 390, "height": 844}
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "Debian's chromium is needed: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS, *arguments])
        yield browser
        browser.close()


def phone(browser: Browser, **options: Any) -> BrowserContext:
    return browser.new_context(viewport=PHONE, **{"locale": "nl-NL", **options})  # type: ignore[arg-type]


class Watched:
    """A page of which everything is noted that it complains about and asks for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.referers: list[str | None] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda line: self.complaints.append(line.text) if line.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.referers.append(request.header_value("referer")))

    def is_clean(self) -> bool:
        """No complaint, no address passed on, nothing beside the screen."""
        wide = self.page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]
        return not self.complaints and set(self.referers) <= {None} and not wide
