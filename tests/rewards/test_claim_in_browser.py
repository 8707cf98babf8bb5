"""The friend's page in a real browser on a phone, with JavaScript and without: open, claim, show, come back."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import segno
from django.db import connections
from playwright.sync_api import Browser, Page, expect

from people.models import Person
from rewards.models import Gift, Transfer
from tests.browser import Watched, chromium, phone
from tests.conftest import make_cast
from tests.rewards.conftest import Mall, available, earn, give, path_of
from tests.rewards.web import Server

pytestmark = pytest.mark.heavy


class _Picture(BaseHTTPRequestHandler):
    """Somebody else's server, which notes who asks for its picture."""

    asked: list[dict[str, str]]

    def do_GET(self) -> None:
        self.asked.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Type", "image/svg+xml")
        self.end_headers()
        self.wfile.write(b"<svg xmlns='http://www.w3.org/2000/svg' width='900' height='400'/>")

    def log_message(self, *args: object) -> None:
        """Silent."""


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[dict[str, str]]]]:
    _Picture.asked = []
    host = HTTPServer(("127.0.0.1", 0), _Picture)
    thread = threading.Thread(target=host.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{host.server_address[1]}/koffie.svg", _Picture.asked
    host.shutdown()
    host.server_close()
    thread.join()


@pytest.fixture
def alice(server: Server, mall: Mall) -> Person:
    made = make_cast().alice
    earn(made, 100)
    return made


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright has a loop in this thread
    with chromium() as started:
        yield started
        connections.close_all()  # the loop's, which nobody else sees


def shown_code(page: Page) -> str:
    return page.locator("#code").inner_text()


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_friend_opens_claims_and_comes_back(
    server: Server,
    mall: Mall,
    alice: Person,
    browser: Browser,
    elsewhere: tuple[str, list[dict[str, str]]],
    scripts: bool,
    tmp_path: Path,
) -> None:
    picture, asked = elsewhere
    mall.coffee.picture_url, mall.coffee.text_nl = picture, "Een kop van je keuze. " + "https://koffie.example/" + "x" * 90
    mall.coffee.save()
    gift = give(alice, mall.coffee, note="Voor de verhuizing!")
    link = server.base + path_of(gift["link"])
    watched = Watched(phone(browser, java_script_enabled=scripts, accept_downloads=True).new_page())
    page = watched.page

    opened = page.goto(link)
    assert opened is not None
    assert opened.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in opened.headers["content-security-policy"]
    page.reload()
    assert Gift.objects.get().state == "handed_out"
    for said in ("Van Alice", "Een koffie", "Voor de verhuizing!", "Eén per bezoek."):
        expect(page.locator("body")).to_contain_text(said)
    expect(page.locator("#code")).to_have_count(0)
    assert watched.is_clean(), (watched.complaints, watched.referers)

    page.get_by_role("button", name="Ja, dit wil ik").click()
    expect(page.locator("#code")).to_be_visible()
    code = shown_code(page)
    assert Gift.objects.get().state == "claimed"
    drawn = page.locator(f"img[alt='{code}']")
    assert drawn.evaluate("image => image.complete && image.naturalWidth > 50")
    assert drawn.get_attribute("src") == segno.make(code.replace("-", ""), error="m").svg_data_uri(border=2, omitsize=True)
    assert watched.is_clean(), (watched.complaints, watched.referers)

    with page.expect_download() as download:
        page.get_by_role("link", name="Zet de laatste dag in mijn agenda").click()
    download.value.save_as(tmp_path / "gift.ics")
    assert "Laatste dag: Een koffie" in (tmp_path / "gift.ics").read_text()

    page.get_by_role("link", name="English").click()
    for said in ("From Alice", "A koffie", "One a visit.", "Show this at the till"):
        expect(page.locator("body")).to_contain_text(said)
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert shown_code(page) == code
    assert watched.is_clean(), (watched.complaints, watched.referers)

    other = Watched(phone(browser, java_script_enabled=scripts, locale="en-GB").new_page())
    other.page.goto(link)
    assert shown_code(other.page) == code
    assert other.is_clean(), other.complaints
    assert asked
    assert not any("referer" in headers for headers in asked)


def test_pressing_twice_and_on_two_phones_claims_once(server: Server, mall: Mall, alice: Person, browser: Browser) -> None:
    link = server.base + path_of(give(alice, mall.coffee)["link"])
    first, second = phone(browser).new_page(), phone(browser).new_page()
    for page in (first, second):
        page.goto(link)
    first.get_by_role("button", name="Ja, dit wil ik").dblclick(no_wait_after=True)
    expect(first.locator("#code")).to_be_visible()
    second.get_by_role("button", name="Ja, dit wil ik").click()
    expect(second.locator("#code")).to_have_text(shown_code(first))
    assert available(alice) == 90
    assert Transfer.objects.filter(reason="gift", debit__person=alice).count() == 1


def test_a_link_that_is_not_one_and_a_gift_that_is_over_say_so(
    server: Server, mall: Mall, alice: Person, browser: Browser
) -> None:
    watched = Watched(phone(browser).new_page())
    watched.page.goto(f"{server.base}/g/{'x' * 22}")
    expect(watched.page.locator("h1")).to_have_text("Achter deze link is niets")
    link = server.base + path_of(give(alice, mall.coffee)["link"])
    Gift.objects.update(state="cancelled")
    watched.page.goto(link)
    expect(watched.page.locator("body")).to_contain_text("niet meer beschikbaar")
    expect(watched.page.get_by_role("button")).to_have_count(0)
    Gift.objects.update(state="handed_out")
