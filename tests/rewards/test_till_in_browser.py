"""The till's page on a phone in a real browser: the code by photo, with JavaScript and without, and by live camera."""

from pathlib import Path

import pytest
from django.db import connections
from playwright.sync_api import Page, expect

from rewards.models import Redemption
from tests.browser import Watched, chromium, phone
from tests.conftest import make_cast
from tests.rewards.conftest import Mall, claim, earn, give, path_of
from tests.rewards.web import Server

pytestmark = pytest.mark.heavy
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
# What a phone's browser has and Debian's has not: here it sees nothing in the first picture and the code in the second.
DETECTOR = """
let looks = 0;
window.BarcodeDetector = class {
  static async getSupportedFormats() { return ["qr_code"]; }
  async detect(video) { return video.videoWidth && ++looks > 1 ? [{ rawValue: "%s" }] : []; }
};
"""


@pytest.fixture
def link(server: Server, mall: Mall) -> str:
    alice = make_cast().alice
    earn(alice, 10)
    return str(give(alice, mall.coffee)["link"])


def open_till(page: Page, server: Server, mall: Mall) -> None:
    page.goto(f"{server.base}/till/")
    page.get_by_label("De sleutel van je winkel").fill(mall.key)
    page.get_by_role("button", name="Open de kassa").click()


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_the_qr_on_the_friends_phone_is_photographed_and_sold(
    server: Server, mall: Mall, link: str, scripts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = claim(link)
    photo = tmp_path / "photo.png"
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright has a loop in this thread
    with chromium() as browser:
        friend = phone(browser).new_page()
        friend.goto(server.base + path_of(link))
        friend.screenshot(path=photo)
        watched = Watched(phone(browser, java_script_enabled=scripts).new_page())
        till = watched.page
        open_till(till, server, mall)
        expect(till.locator("#scan")).to_be_hidden()
        till.locator("#photo").set_input_files(photo)
        if not scripts:
            till.get_by_role("button", name="Lees de foto").click()
        expect(till.locator("h1")).to_have_text("Een koffie")
        assert till.locator("input[type=hidden][name=code]").input_value() == code.replace("-", "")
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= 390
        till.get_by_role("button", name="Boek af").click()
        expect(till.get_by_role("status")).to_contain_text("€ 5,00")
        assert watched.complaints == []
        assert Redemption.objects.get().captured_cents == 500
        connections.close_all()  # the loop's, which nobody else sees


def test_the_live_camera_looks_the_code_up_and_is_switched_off(server: Server, mall: Mall, link: str) -> None:
    code = claim(link)
    with chromium(*CAMERA) as browser:
        watched = Watched(phone(browser, permissions=["camera"]).new_page())
        till = watched.page
        till.add_init_script(DETECTOR % code.replace("-", ""))
        open_till(till, server, mall)
        till.get_by_role("button", name="Scan met de camera").click()
        expect(till.locator("h1")).to_have_text("Een koffie")
        assert watched.complaints == []
    assert Redemption.objects.count() == 0


def test_a_camera_that_is_refused_leaves_photo_and_typing(server: Server, mall: Mall, link: str) -> None:
    claim(link)
    with chromium() as browser:
        till = phone(browser).new_page()
        till.add_init_script(DETECTOR % "x")
        open_till(till, server, mall)
        till.get_by_role("button", name="Scan met de camera").click()
        expect(till.get_by_role("alert")).to_contain_text("De camera werkt hier niet.")
        expect(till.locator("#photo")).to_be_visible()
        expect(till.locator("#code")).to_be_visible()
