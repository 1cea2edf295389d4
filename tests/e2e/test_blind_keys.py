"""A blind comparison by keys in a real browser, then export, wipe and import of what came of it."""

from pathlib import Path

import pytest
from page_server import served
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SLOW = 60_000


def test_a_duel_is_voted_blind_and_its_traces_are_exported_wiped_and_imported(page: Page, tmp_path: Path):
    with served(tmp_path / "home") as address:
        page.goto(address)
        page.wait_for_selector("#prefer-gpt-5-mini", state="attached", timeout=SLOW)
        page.locator("#consent input").check()
        page.locator("button[data-tab-id=traces][role=tab]").click()
        page.locator("button[data-tab-id=blind][role=tab]").click()
        expect(page.locator("#blind-policy-one input")).not_to_have_value("")
        page.locator("#blind-question textarea").fill("What is 6 * 7?")
        page.locator("#blind-ask").click()
        shown = page.locator("#blind-shown")
        expect(shown.locator(".duel .text")).to_have_count(2, timeout=SLOW)
        assert "?run=" not in shown.inner_html() and "$" not in shown.inner_text()
        expect(page.locator("#blind-better-a")).to_be_visible()
        page.locator("#blind-shown h2").click()
        page.keyboard.press("a")
        expect(shown.locator(".told a")).to_have_count(2)
        expect(shown).to_contain_text("rules · Frugal")
        expect(page.locator("#blind-table tbody tr")).to_have_count(1)
        page.keyboard.press("u")
        expect(page.locator("#blind-table")).to_contain_text("No votes yet")

        page.locator("button[data-tab-id=find][role=tab]").click()
        expect(page.locator("#traces .trace")).to_have_count(2)
        page.locator("#exchange > button").click()
        page.locator("#exchange-shared input").check()
        page.locator("#exchange-make").click()
        expect(page.locator("#exchange-told")).to_contain_text("2 traces", timeout=SLOW)
        with page.expect_download() as download:
            page.locator("#exchange-file").click()
        file = tmp_path / "orchestra-traces.zip"
        download.value.save_as(file)
        page.locator("#exchange-wipe").click()
        page.locator("#exchange-wipe-yes").click()
        expect(page.locator("#traces .trace")).to_have_count(0)
        with page.expect_file_chooser() as chooser:
            page.locator("#exchange-import").click()
        chooser.value.set_files(file)
        expect(page.locator("#exchange-told")).to_contain_text("2 traces imported", timeout=SLOW)
        expect(page.locator("#traces .trace")).to_have_count(2)
