"""Forking, comparing and supposing in a real browser: a trace's second way, beside its first."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from page_server import served
from playwright.sync_api import Page, expect

from orchestra_app import Settings, Workspace
from tests.ui.studied_traces import played

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

SLOW = 60_000


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a page and the id of a trace that is kept there."""
    home = tmp_path_factory.mktemp("served") / "home"

    async def asked() -> str:
        world = await Workspace.open(Settings(home=home))
        try:
            return (await played(world, owner="local")).id
        finally:
            await world.aclose()

    # Playwright has a loop of its own in this thread.
    with ThreadPoolExecutor() as aside:
        trace_id = aside.submit(lambda: asyncio.run(asked())).result()
    with served(home) as address:
        yield address, trace_id


def test_a_trace_is_forked_from_its_second_turn_and_compared_with_its_fork(
    page: Page, trace: tuple[str, str]
):
    address, parent = trace
    page.goto(f"{address}?trace={parent}")
    page.locator("#study-fork > button").click(timeout=SLOW)
    slider = page.locator("#study-prefer-gpt-5 input[type=number]")
    slider.fill("0", timeout=SLOW)
    slider.press("Tab")
    expect(page.locator("#study-judged")).to_contain_text("These calls would not have been on offer")
    expect(page.locator("#study-turn input")).to_have_value(re.compile("^2 · enhance_reasoning"))
    page.locator("#study-prices > button").click()
    expect(page.locator("#study-bill tfoot")).to_contain_text("the same")
    page.locator("#study-begin").click()

    expect(page.locator("#trace-family")).to_contain_text("Forked from turn 2", timeout=SLOW)
    expect(page.locator("#study-prefer-gpt-5 input[type=number]")).to_have_value("0")
    assert f"trace={parent}" not in page.url
    page.locator("#trace-family .parent").click()
    expect(page.locator("#trace-family .child")).to_have_count(1, timeout=SLOW)
    page.locator("#study-compare > button").click()
    page.locator("#study-other input").click()
    page.get_by_role("option", name=re.compile("^fork · best-pipeline")).click()
    compared = page.locator("#study-compared")
    expect(compared.locator("[data-relation=reused]")).to_have_count(1)
    expect(compared.locator("[data-fact=cost] .word")).to_contain_text("less")
    expect(compared.locator("[data-fact=wish]")).to_contain_text("gpt-5 0")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    halves = compared.locator("[data-relation=other] .half")
    above, below = halves.nth(0).bounding_box(), halves.nth(1).bounding_box()
    assert above and below and above["y"] + above["height"] <= below["y"]
