"""What the page's own script does in a real browser: after a restart, in folds, with keys and the focus."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from page_server import free_port, served
from playwright.sync_api import APIResponse, Browser, Page, Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

SUM = "What is 21 + 21?"
SLOW = 60_000


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """A page that is not watched: Gradio logs a refused field, a lost server and what its dialog lacks."""
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        yield context.new_page()


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    page.wait_for_selector("#prefer-gpt-5-mini", state="attached", timeout=SLOW)
    return page


def ask_by_key(page: Page) -> None:
    page.locator("#question textarea").fill(SUM)
    page.locator("#ask").press("Enter")


def test_an_event_that_joins_while_the_stream_of_messages_ends_is_answered(page: Page, address: str):
    opened(page, address)
    page.locator("#question textarea").fill(SUM)
    # Until nothing is asked of the server any more.
    page.wait_for_timeout(1500)
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            # The server has ended this stream by then, and the page does not know yet.
            held.append((route, route.fetch()))

    page.route("**/queue/data?*", hold)
    page.locator("#prefer-gpt-5-mini input[type=number]").fill("0.7")
    page.locator("#prefer-gpt-5-mini input[type=number]").press("Tab")
    while not held:
        page.wait_for_timeout(50)
    with page.expect_response("**/queue/join*"):
        page.locator("#ask").click()
    route, response = held[0]
    route.fulfill(response=response)
    expect(page.locator("#answer .outcome")).to_have_attribute("data-status", "answered", timeout=SLOW)


def test_a_page_that_outlived_its_server_says_so_and_keeps_the_question(plain: Page, tmp_path: Path):
    port = free_port()
    with served(tmp_path / "home", port=port) as address:
        opened(plain, address).locator("#question textarea").fill(SUM)
        plain.wait_for_timeout(6_000)
        plain.locator("#question textarea").click()
        expect(plain.locator("#restarted")).to_have_count(0)
    plain.wait_for_timeout(6_000)
    with served(tmp_path / "home", port=port):
        plain.locator("#question textarea").click()
        expect(plain.locator("#restarted [role=alert]")).to_contain_text("started again")
        plain.locator("#restarted button").click()
        expect(plain.locator("#question textarea")).to_have_value(SUM, timeout=SLOW)
        plain.locator("#ask").click()
        expect(plain.locator("#answer .outcome")).to_have_attribute("data-status", "answered", timeout=SLOW)


def test_a_refused_setting_opens_the_fold_that_it_lies_in(plain: Page, address: str):
    opened(plain, address)
    head = plain.locator("#settings > button.label-wrap, #settings button.label-wrap").first
    head.click()
    plain.locator("#budget-cost input").fill("-1")
    head.click()
    expect(plain.locator("#budget-cost input")).to_be_hidden()
    plain.locator("#question textarea").fill(SUM)
    plain.locator("#ask").click()
    expect(plain.locator("#settings .validation-error").first).to_be_visible()
    expect(plain.locator("#budget-cost input")).to_be_focused()


def test_keys_say_nothing_of_an_answer_that_a_dialog_hides(plain: Page, address: str):
    plain.set_viewport_size({"width": 1440, "height": 900})
    page = opened(plain, address)
    ask_by_key(page)
    expect(page.locator("#answer .outcome")).to_have_attribute("data-status", "answered", timeout=SLOW)
    page.locator("#headline h2").click()
    page.keyboard.press("1")
    expect(page.locator("#answer .chip.correct")).to_be_visible()
    page.get_by_role("button", name="API").first.click()
    expect(page.get_by_role("dialog").first).to_be_visible()
    page.keyboard.press("2")
    page.keyboard.press("Escape")
    page.wait_for_timeout(500)
    expect(page.locator("#answer .chip.correct")).to_have_count(1)


def test_the_focus_passes_from_ask_to_stop_and_back(page: Page, address: str):
    opened(page, address)
    page.locator("#policy input").click()
    page.get_by_role("option", name="best-pipeline").click()
    page.locator("#budget-seconds input").fill("900")
    page.locator("#budget-cost input").fill("2")
    ask_by_key(page)
    expect(page.locator("#stop")).to_be_focused()
    page.locator("#stop").press("Enter")
    expect(page.locator("#ask")).to_be_focused()
