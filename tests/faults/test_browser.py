"""The sandbox page by hand, in a real browser: text as an employee, answer as the expert, read as the friend."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import PATIENCE_MS, PHONE, chromium
from tests.faults.stack import Stack

pytestmark = pytest.mark.heavy
DESK = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("browser"))
    for folder in (made.var, *made.var.parents[:2]):
        folder.chmod(0o755)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def page(stack: Stack) -> Iterator[Page]:
    with chromium() as browser:
        context = browser.new_context(viewport=DESK, locale="nl-NL")  # type: ignore[arg-type]
        yield context.new_page()


def test_a_question_goes_round_by_hand(stack: Stack, page: Page, tmp_path: Path) -> None:
    page.goto(f"{stack.base}/sandbox/")
    phone = page.locator("[data-testid^='phone-']").first
    phone.get_by_test_id("sms-input").fill("VRAAG Waarom is de rekening van mijn broer deze maand zo hoog?")
    phone.get_by_test_id("sms-send").click()
    expect(phone.get_by_test_id("sms-in").last).to_contain_text("Doorgegeven", timeout=PATIENCE_MS)
    receipt = phone.get_by_test_id("sms-in").last.inner_text()
    found = re.search(r"Q-\w+", receipt)
    assert found
    reference = found.group()

    card = page.get_by_test_id(f"question-{reference}")
    expect(card.get_by_test_id("question-state")).to_contain_text("aangeboden", timeout=PATIENCE_MS)
    mailbox = page.locator("[data-testid^='mailbox-']").first
    mailbox.get_by_test_id("mail-item").filter(has_text=reference).first.click(timeout=PATIENCE_MS)
    mailbox.get_by_test_id("mail-reply").fill("De eerste rekening telt twee maanden.")
    mailbox.get_by_test_id("mail-send").click()

    answer = phone.get_by_test_id("sms-in").filter(has_text="twee maanden")
    expect(answer).to_be_visible(timeout=PATIENCE_MS)
    link = answer.locator("a").get_attribute("href")
    assert link
    friend = page.context.new_page()
    friend.set_viewport_size(PHONE)  # type: ignore[arg-type]
    friend.goto(link)
    expect(friend.locator("body")).to_contain_text("De eerste rekening telt twee maanden.")
    friend.get_by_role("button", name="Ja, dit hielp").click()
    expect(friend.locator("body")).to_contain_text("Fijn dat dit hielp")
    expect(card.get_by_test_id("question-state")).to_contain_text("gesloten", timeout=PATIENCE_MS)


def test_the_app_on_a_pretend_phone_shows_an_offer_and_takes_it(stack: Stack, page: Page) -> None:
    """Installed with a real sign-in; the push's button works through the API."""
    page.goto(f"{stack.base}/sandbox/")
    asker = page.locator("[data-testid^='phone-']").first
    mailbox = page.locator("[data-testid^='mailbox-']").first
    expert = mailbox.get_by_role("heading").first.inner_text()
    mailbox.get_by_role("button", name=f"Open de telefoon van {expert}").click()
    phone = page.locator("article.phone").filter(has=page.get_by_role("heading", name=expert))
    phone.get_by_test_id("app").click()
    expect(phone.get_by_test_id("app")).to_have_text("App verwijderen", timeout=PATIENCE_MS)
    expect(phone.get_by_test_id("app")).to_be_enabled(timeout=PATIENCE_MS)

    asker.get_by_test_id("sms-input").fill("VRAAG Waarom is de factuur van mijn zus deze maand zo hoog?")
    asker.get_by_test_id("sms-send").click()
    push = phone.get_by_test_id("push").first
    expect(push).to_contain_text("ceo-app://assignment/", timeout=PATIENCE_MS)
    expect(push).not_to_contain_text("mijn zus")
    reference = re.search(r"Q-\w+", push.inner_text())
    assert reference
    push.get_by_test_id("push-accept").click()
    expect(phone.get_by_test_id("push")).to_have_count(0, timeout=PATIENCE_MS)
    state = page.get_by_test_id(f"question-{reference.group()}").get_by_test_id("question-state")
    expect(state).to_have_attribute("data-state", "accepted", timeout=PATIENCE_MS)

    phone.get_by_test_id("app").click()
    expect(phone.get_by_test_id("app")).to_have_text("App installeren", timeout=PATIENCE_MS)


@pytest.mark.parametrize("path", ["/sandbox/", "/sandbox/gifts", "/accounts/login/code/", "/api/v1/docs"])
def test_no_page_is_wider_than_a_phone(stack: Stack, page: Page, path: str) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(stack.base + path)
    page.wait_for_timeout(1500)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
