"""Labelling from the queue in a real browser, by keys alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from page_server import ROOT, served
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SLOW = 60_000


def test_traces_are_labelled_by_keys_with_undo_skip_progress_and_agreement(page: Page, tmp_path: Path):
    home = tmp_path / "home"
    for question in ("What is 6 * 7?", "What is 5 + 8?", "What is 9 - 4?"):
        command = [sys.executable, "-m", "orchestra_app", "ask", question, "--policy", "rules", "--json"]
        environment = {**os.environ, "ORCHESTRA_HOME": str(home)}
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    with served(home) as address:
        page.goto(address)
        page.wait_for_selector("#prefer-gpt-5-mini", state="attached", timeout=SLOW)
        page.locator("button[data-tab-id=traces][role=tab]").click()
        page.locator("button[data-tab-id=label][role=tab]").click()
        asked, mine = page.locator("#queue-card h2"), page.locator("#queue-progress .far").first
        expect(asked).to_have_text("What is 6 * 7?")
        expect(page.locator("#queue-guidelines")).to_contain_text("the final answer is right")
        expect(mine).to_contain_text("0 of 3 done")
        page.keyboard.press("Shift+Digit4")
        page.keyboard.press("1")
        expect(asked).to_have_text("What is 5 + 8?")
        page.keyboard.press("2")
        expect(asked).to_have_text("What is 9 - 4?")
        expect(mine).to_contain_text("2 of 3 done")
        page.keyboard.press("u")
        expect(asked).to_have_text("What is 5 + 8?")
        expect(mine).to_contain_text("1 of 3 done")
        page.keyboard.press("s")
        expect(asked).to_have_text("What is 9 - 4?")
        page.keyboard.press("1")
        expect(asked).to_have_text("What is 5 + 8?")
        page.keyboard.press("3")
        expect(page.locator("#queue-card .empty")).to_be_visible()
        expect(mine).to_contain_text("3 of 3 done")
        expect(page.locator("#queue-progress")).to_contain_text("κ is not known yet")
        page.locator("button[data-tab-id=find][role=tab]").click()
        page.locator("#traces .trace", has_text="What is 6 * 7?").click()
        expect(page.locator("#trace-labels .labels")).to_contain_text("★ 4")
