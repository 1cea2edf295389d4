"""The list of traces in a real browser: what is filtered stands in the address and comes back from it."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from page_server import served
from playwright.sync_api import Page, expect
from statuses import STATUSES

from orchestra_app.storage.store import Store
from tests.storage.storage_rollouts import START, rollout, save

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

SLOW = 60_000
LONG = 30


async def _fill(store: Store) -> None:
    for number in range(60):
        started = {
            "policy": "rules" if number % 2 else "cheapest",
            "started_at": START + timedelta(hours=number),
            "owner": "hf:ann" if number == 59 else "local",
            "parent": "t1" if number == 57 else None,
            "group": f"sweep-1/q{number}-w{number % 2}" if number > 55 else None,
        }
        turns = LONG if number == 56 else 2
        await save(store, rollout(f"t{number}", turns=turns, cost=number / 1000, started=started))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home: Path = tmp_path_factory.mktemp("found") / "home"
    store = Store.open(home)
    # A loop of Playwright's runs in this thread.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _fill(store)).result()
    store.close()
    with served(home) as found:
        yield found


def listed(page: Page) -> list[str]:
    return page.locator("#traces .trace").evaluate_all("rows => rows.map(row => row.dataset.id)")


def test_filters_order_and_page_stand_in_the_address_and_come_back_from_it(page: Page, address: str):
    page.goto(address + "?tab=traces&sort=odd&cost_from=cheap&status=7")
    expect(page.locator("#traces .trace")).to_have_count(25, timeout=SLOW)
    page.locator("#filter-policy input").click()
    page.get_by_role("option", name="rules").click()
    page.wait_for_url("**/?tab=traces&policy=rules")
    page.locator("#sort input").click()
    page.get_by_role("option", name="dearest").click()
    page.wait_for_url("**/?tab=traces&policy=rules&sort=dearest")
    page.locator("#more-filters button.label-wrap").click()
    page.locator("#filter-until input").fill(f"{START + timedelta(days=3):%Y-%m-%d}")
    page.wait_for_url("**&until=*")
    page.locator("#older").click()
    page.wait_for_url("**&number=2")
    expect(page.locator("#traces .trace")).to_have_count(5)
    link, found = page.url, listed(page)
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator("#traces-count")).to_contain_text("26–30 of 30", timeout=SLOW)
    assert (page.url, listed(page)) == (link, found)
    expect(page.locator("#filter-until input")).to_have_value(f"{START + timedelta(days=3):%Y-%m-%d}")
    page.locator("#traces .trace").first.click()
    page.wait_for_url(f"**&number=2&trace={found[0]}")
    page.locator("#back").click()
    page.wait_for_url(link)
    page.locator("button[data-tab-id=ask][role=tab]").click()
    page.wait_for_url(address)
    page.locator("button[data-tab-id=traces][role=tab]").click()
    page.wait_for_url(link)


def test_the_focus_goes_with_an_opened_trace_and_comes_back_to_its_row(page: Page, address: str):
    page.goto(address + "?tab=traces")
    row = page.locator("#traces .trace", has_text="(t58)")
    row.focus(timeout=SLOW)
    page.keyboard.press("Enter")
    expect(page.locator("#trace-headline h2")).to_be_focused()
    page.locator("#back").press("Enter")
    expect(row).to_be_focused()


def test_the_browser_goes_back_from_an_opened_trace_to_the_list_and_forth(page: Page, address: str):
    page.goto(address + "?tab=traces&policy=rules")
    row, title = page.locator("#traces .trace", has_text="(t57)"), page.locator("#trace-headline h2")
    row.click(timeout=SLOW)
    page.wait_for_url("**/?tab=traces&policy=rules&trace=t57")
    for _ in range(2):
        page.go_back()
        expect(row).to_be_visible(timeout=SLOW)
        expect(title).to_have_count(0)
        page.wait_for_url("**/?tab=traces&policy=rules")
        page.go_forward()
        expect(title).to_contain_text("(t57)", timeout=SLOW)
        page.wait_for_url("**&trace=t57")
    page.locator("button[data-tab-id=catalog][role=tab]").click()
    page.wait_for_url("**/?tab=catalog")
    page.go_back()
    expect(row).to_be_visible(timeout=SLOW)


LATE = """
const find = Document.prototype.querySelector;
let drawn = null;
Document.prototype.querySelector = function (what) {
  if (!/^#trace-headline /.test(what)) return find.call(this, what);
  drawn ??= performance.now() + 1000;
  return performance.now() < drawn ? null : find.call(this, what);
};
"""


def test_a_trace_that_is_drawn_after_its_address_came_stands_in_it(page: Page, address: str):
    page.add_init_script(LATE)
    page.goto(address + "?tab=traces&policy=rules")
    page.locator("#traces .trace", has_text="(t57)").click(timeout=SLOW)
    page.wait_for_url("**/?tab=traces&policy=rules&trace=t57")


def test_a_link_to_a_trace_is_one_step_of_the_browser(page: Page, address: str):
    page.goto(link := address + "?tab=traces&policy=rules&trace=t57")
    expect(page.locator("#trace-headline h2")).to_contain_text("(t57)", timeout=SLOW)
    page.wait_for_timeout(1_000)
    assert (page.evaluate("history.length"), page.url) == (2, link)


def test_marks_lead_to_the_group_and_the_parent_and_an_empty_list_back_to_all(page: Page, address: str):
    page.goto(address + "?tab=traces&group=sweep-1/*-w1")
    expect(page.locator("#traces .trace")).to_have_count(2, timeout=SLOW)
    expect(page.locator("#filter-marks")).to_contain_text("Group sweep-1")
    page.locator("#traces .kin button", has_text="fork of t1").click()
    expect(page.locator("#trace-headline h2")).to_contain_text("(t1)")
    page.locator("#back").click()
    page.locator("#find input").fill("no such words")
    page.locator("#traces .empty .do").click()
    page.wait_for_url("**/?tab=traces")
    expect(page.locator("#traces .trace")).to_have_count(25)
    expect(page.locator("#find input")).to_have_value("")


def test_an_admin_opens_anothers_trace_but_cannot_delete_or_judge_it(page: Page, address: str):
    page.goto(address + "?tab=traces&who=hf:ann&trace=t59")
    expect(page.locator("#trace-headline h2")).to_contain_text("(t59)", timeout=SLOW)
    expect(page.locator("#delete")).not_to_be_visible()
    expect(page.locator("#trace-verdict-correct")).not_to_be_visible()
    page.locator("#back").click()
    expect(page.locator("#traces .trace .who")).to_have_text("ann")
    page.locator("#clear-filters").click()
    page.locator("#traces .trace", has_text="(t58)").click()
    expect(page.locator("#delete")).to_be_visible()


def test_a_long_trace_opens_on_its_first_turns_and_the_others_follow(page: Page, address: str):
    page.add_init_script(STATUSES)
    page.goto(address + "?tab=traces")
    expect(page.locator("#traces .trace").first).to_be_visible(timeout=SLOW)
    page.locator("#traces .trace", has_text="(t56)").click()
    expect(page.locator("#trace-transcript .turn")).to_have_count(LONG)
    expect(page.locator("#trace-labels .marks > li")).to_have_count(LONG)
    page.locator("#back").click()
    page.locator("#traces .trace", has_text="(t55)").click()
    expect(page.locator("#trace-headline h2")).to_contain_text("(t55)")
    expect(page.locator("#trace-transcript .turn")).to_have_count(2)
    # Gradio would copy the status of every input of every event at each step of any.
    assert page.evaluate("statuses") == 0
