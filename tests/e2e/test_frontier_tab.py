"""The Frontier tab in a real browser: launch, stop, go on, read the chart, click a point to its traces."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_server import served
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SLOW = 60_000


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("compared") / "home") as found:
        yield found


def opened(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("tab", name="Frontier").click()
    expect(page.locator("#frontier-form")).to_be_visible(timeout=SLOW)


def test_a_sweep_is_launched_stopped_resumed_and_read_down_to_its_traces(
    page: Page, address: str, tmp_path: Path
):
    opened(page, address)
    page.locator("#frontier-limit input").fill("40")
    expect(page.locator("#frontier-plan .plan")).to_contain_text("240 runs", timeout=SLOW)
    expect(page.locator("#frontier-plan .plan")).to_contain_text("no real money")
    page.locator("#frontier-launch").click()
    page.locator("#frontier-stop").click(timeout=SLOW)
    told = page.locator("#frontier-progress .told[data-status]")
    expect(told).to_have_attribute("data-status", "stopped", timeout=SLOW)
    assert int(told.get_attribute("data-done") or 0) < 240

    # The page is opened anew: the definition that is kept goes on where it was.
    opened(page, address)
    page.locator("#frontier-source input").click()
    page.get_by_role("option", name=re.compile("rehearsal:heldout")).click()
    page.locator("#frontier-resume").click(timeout=SLOW)
    expect(told).to_have_attribute("data-done", "240", timeout=SLOW)

    points = page.locator("#frontier-chart .points path.point")
    expect(points).to_have_count(7, timeout=SLOW)
    expect(page.locator("#frontier-caption .provenance")).to_contain_text("n = 40 questions", timeout=SLOW)
    expect(page.locator("#frontier-caption .provenance")).to_contain_text("simulated: no real money")
    with page.expect_download() as saved:
        page.locator("#frontier-csv").click()
    saved.value.save_as(tmp_path / "table.csv")
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 8
    with page.expect_download() as saved:
        page.locator("#frontier-png").click()
    saved.value.save_as(tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")

    # The last point is the oracle, which has no traces: the one before it is a setting.
    box = points.nth(points.count() - 2).bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    name = page.locator("#frontier-details h3")
    expect(name).to_be_visible(timeout=SLOW)
    expect(page.locator("#frontier-details .apart tbody tr")).to_have_count(5)
    page.locator("#frontier-table [data-action=pick]").first.press("Enter")
    expect(name).to_have_text("do-nothing", timeout=SLOW)
    link = page.locator("#frontier-traces").get_attribute("href") or ""
    page.goto(address + link)
    expect(page.locator("#traces .trace")).to_have_count(25, timeout=15_000)
    expect(page.locator("#traces .trace").first).to_contain_text("do-nothing")


def test_the_forecast_says_what_it_rests_on_before_anything_is_asked(page: Page, address: str):
    page.goto(address)
    expect(page.locator("#route .forecast")).to_contain_text(
        re.compile("(saved|finished) traces"), timeout=SLOW
    )
