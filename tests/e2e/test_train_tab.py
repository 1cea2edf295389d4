"""A training job in a real browser: launched, watched, stopped, resumed, promoted, and asked with."""

import re
from pathlib import Path

import pytest
from page_server import served
from playwright.sync_api import Page, expect

from orchestra_app.rehearsal.questions import questions

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

SLOW = 90_000


def opened(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("#prefer-gpt-5-mini", state="attached", timeout=SLOW)
    page.locator("button[data-tab-id=train][role=tab]").click()


def test_the_guided_example_leads_from_nothing_to_a_comparison(page: Page, tmp_path: Path):
    page.set_default_timeout(SLOW)
    expect.set_options(timeout=SLOW)
    with served(tmp_path / "home") as address:
        opened(page, address)
        guide, job = page.locator("#train-guide"), page.locator("#train-job")
        collect, learn, compare = (
            guide.locator(f"[data-action=guide-{each}]") for each in ("collect", "learn", "compare")
        )
        expect(learn).to_be_disabled()
        expect(compare).to_be_disabled()
        for button, curve in ((collect, "accuracy"), (learn, "reward")):
            button.click()
            expect(button).to_be_disabled()
            expect(job.locator(f"[data-curve={curve}] polyline")).to_be_attached()
            job.locator("[data-action=stop]").click()
            expect(button).to_be_enabled()
        expect(page.locator("#train-checkpoints")).to_contain_text("from-traces-")
        compare.click()
        expect(page.locator("button[data-tab-id=frontier][role=tab]")).to_have_attribute(
            "aria-selected", "true"
        )
        expect(page.locator("#frontier-catalog input")).to_have_value(re.compile("^Changed rehearsal"))
        expect(page.locator("#frontier-table")).to_contain_text("from-traces-")


def test_a_job_is_launched_stopped_resumed_promoted_and_its_policy_answers(page: Page, tmp_path: Path):
    page.set_default_timeout(SLOW)
    expect.set_options(timeout=SLOW)
    home = tmp_path / "home"
    with served(home) as address:
        opened(page, address)
        expect(page.locator("#train-jobs")).to_contain_text("No job yet")
        for name, value in (("steps", 60), ("groups", 2), ("group_size", 4), ("evaluate_every", 0)):
            page.fill(f"#train-{name} input", str(value))
        page.fill("#train-name textarea, #train-name input", "!")
        page.click("#train-launch")
        expect(page.locator("#train-plan [role=alert]")).to_contain_text("Name: use")
        page.fill("#train-name textarea, #train-name input", "tried")
        page.click("#train-look")
        expect(page.locator("#train-plan")).to_contain_text("Ready to launch")
        page.click("#train-launch")
        job = page.locator("#train-job")
        expect(job.locator("[data-curve=reward] polyline")).to_be_attached()
        begun = page.locator("#train-job [role=status]").inner_text()
        expect(page.locator("#train-job [role=status]")).not_to_have_text(begun)
        page.locator("#train-job [data-action=stop]").click()
        expect(job.locator("[data-action=resume]")).to_be_visible()
        expect(page.locator("#train-checkpoints")).to_contain_text("tried-")
    # The app has ended and starts again: the job is still there and goes on from its checkpoint.
    with served(home) as address:
        opened(page, address)
        expect(page.locator("#train-jobs")).to_contain_text("stopped")
        page.locator("#train-job [data-action=resume]").click()
        expect(page.locator("#train-job [data-action=stop]")).to_be_visible()
        page.locator("#train-job [data-action=stop]").click()
        expect(page.locator("#train-job [data-action=resume]")).to_be_visible()
        page.locator("#train-checkpoints [data-action=promote]").first.click()
        expect(page.locator("#train-checkpoints")).to_contain_text("default policy")
        page.reload()
        page.wait_for_selector("#prefer-gpt-5-mini", state="attached", timeout=SLOW)
        expect(page.locator("#train-form")).to_be_visible()
        page.locator("button[data-tab-id=ask][role=tab]").click()
        question = next(each for each in questions("heldout") if each.kind == "fact")
        page.fill("#question textarea", question.text)
        page.click("#ask")
        expect(page.locator("#verdict-correct")).to_be_visible()
        expect(page.locator("#headline")).to_contain_text("tried-")
