"""The live view in a real browser: nothing missed, nothing executed, everything reachable by key."""

import json
import re
from collections.abc import Callable
from typing import Any

import gradio as gr
import pytest
from playwright.sync_api import Browser, Page, expect

from orchestra_app.core.events import RolloutStarted
from orchestra_app.core.trace import Trace
from orchestra_app.ui.graph import score
from orchestra_app.ui.live import score_view
from orchestra_app.ui.live_texts import TEXTS
from tests.e2e.concert import HOSTILE, PAYLOAD, TURNS, events, snapshots, stage

pytestmark = [
    pytest.mark.browser,
    # The server runs in this process, and Gradio's queue uses what pandas will drop.
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),
]

Serve = Callable[[gr.Blocks], str]
LAST = list(snapshots(events()))[-1]
NOTES = {note["i"]: note["l"] for note in map(json.loads, LAST["notes"])}
"""The lane of every note, by its id."""


def shown(*shots: dict[str, Any] | None) -> gr.Blocks:
    """Return a page with one still view per snapshot, `#live-0` first."""
    with gr.Blocks() as page:
        for place, shot in enumerate(shots):
            score_view(shot, elem_id=f"live-{place}")
    return page


def ids(page: Page) -> list[str]:
    return page.locator("#live .note").evaluate_all("all => all.map(note => note.dataset.id)")


def barred(page: Page) -> int:
    """Return how many bar lines are drawn."""
    return str(page.locator("#live .bars path").get_attribute("d")).count("M")


def test_every_note_of_a_run_is_drawn_in_its_lane(page: Page, serve: Serve) -> None:
    page.goto(serve(stage(pause=0.02)))
    page.click("#play")
    page.wait_for_selector("#live [data-state=answered]")
    assert sorted(ids(page)) == sorted(NOTES)
    for note, lane in NOTES.items():
        assert page.locator(f'[data-lane={lane}] .note[data-id="{note}"]').count() == 1
    expect(page.locator("#live [data-meter=cost] .figure")).to_have_text(f"${LAST['cost']:.4f}")
    expect(page.locator("#live [role=status]")).to_contain_text(f"${LAST['cost']:.4f} spent")
    expect(page.locator("#live .list li")).to_have_count(len(NOTES))
    assert barred(page) == len(TURNS)


def test_eight_pages_at_once_miss_no_note(
    browser: Browser, serve: Serve, watch: Callable[[Page], Page]
) -> None:
    url = serve(stage(pause=0.1))
    context = browser.new_context()
    # Each page keeps the ids in the order in which it drew them.
    spy = """new MutationObserver(changes => changes.forEach(change => change.addedNodes.forEach(node => {
      if (node.dataset?.id) (window.drawn ??= []).push(node.dataset.id);
    }))).observe(document, {childList: true, subtree: true})"""
    pages = [watch(context.new_page()) for _ in range(8)]
    for each in pages:
        each.add_init_script(spy)
        each.goto(url)
        each.wait_for_selector("#live .lane")
    for each in pages:
        each.click("#play")
    for each in pages:
        each.wait_for_selector("#live [data-state=answered]")
        drawn = each.evaluate("window.drawn")
        assert list(dict.fromkeys(drawn)) == list(NOTES)
    context.close()


def test_hostile_texts_stay_texts(page: Page, serve: Serve) -> None:
    page.goto(serve(stage(pause=0.01, poison=HOSTILE)))
    page.click("#play")
    page.wait_for_selector("#live [data-state=answered]")
    page.locator('.note[data-id="5.1"]').click()
    expect(page.locator("#live .particulars .who")).to_contain_text(PAYLOAD[:40])
    page.locator('.note[data-id="4.1"]').click()
    expect(page.locator("#live .particulars .error dd")).to_contain_text(PAYLOAD[:40])
    assert page.evaluate("window.pwned") is None
    assert page.locator("#live img, #live script").count() == 0
    assert PAYLOAD[:40] in (page.locator("#live .scroll").get_attribute("aria-label") or "")


def test_notes_are_reached_and_chosen_by_key(page: Page, serve: Serve) -> None:
    page.goto(serve(stage(pause=0.01)))
    page.click("#play")
    page.wait_for_selector("#live [data-state=answered]")
    assert page.locator("#live .note[tabindex='0']").count() == 1
    page.locator("#live .note[tabindex='0']").focus()
    focused = page.locator("#live .note:focus")
    for key, note in [
        ("ArrowRight", "1.1"),
        ("ArrowRight", "1.1+1"),
        ("ArrowLeft", "1.1"),
        ("ArrowUp", "3.1"),
        ("ArrowUp", "3"),
        ("End", "9.1"),
        ("Home", "1"),
    ]:
        page.keyboard.press(key)
        expect(focused).to_have_attribute("data-id", note)
    for key in ("Enter", "Space"):
        page.keyboard.press("ArrowRight")
        page.keyboard.press(key)
        expect(focused).to_have_attribute("aria-pressed", "true")
        note = focused.get_attribute("data-id")
        told = re.compile(rf"^HTML:\{{'run': 'run-[\d.]+', 'id': '{re.escape(note or '')}'\}}$")
        expect(page.locator("#told textarea")).to_have_value(told)
        expect(page.locator("#live .note[aria-pressed=true]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("#live .note[aria-pressed=true]")).to_have_count(0)
    expect(page.locator("#live .detail .choose")).to_be_visible()


def test_the_details_say_who_at_which_price_and_how_long(page: Page, serve: Serve) -> None:
    page.goto(serve(shown(LAST)))
    page.locator('.note[data-id="5.1"]').click()
    card = page.locator(".particulars")
    for said in (
        "gpt-5",
        "Experts · Turn 5",
        "$0.018625",
        "enhance_reasoning → reasoner-1",
        "4,100 in · 1,350 out",
        "$1.25 in, $10.00 out per million tokens",
        "openai.com/api/pricing",
        "21.5 s",
        "simulated, no real money",
    ):
        expect(card).to_contain_text(said)


def test_focus_and_choice_outlive_the_next_snapshot(page: Page, serve: Serve) -> None:
    page.goto(serve(stage(pause=0.15)))
    page.click("#play")
    first = page.locator('.note[data-id="1"]')
    first.click()
    page.wait_for_selector("#live [data-state=answered]")
    expect(first).to_be_focused()
    expect(first).to_have_attribute("aria-pressed", "true")


def test_time_goes_on_between_snapshots_and_skip_is_told(page: Page, serve: Serve) -> None:
    page.goto(serve(stage(pause=0.05, stop=12, speed=20.0)))
    page.click("#play")
    page.wait_for_selector('.note[data-id="6.1"][data-kind=open]')
    clock = page.locator("#live [data-meter=seconds] .figure")
    before = clock.inner_text()
    expect(clock).not_to_have_text(before)
    wide = "document.querySelector('[data-id=\"6.1\"] .bar').getBoundingClientRect().width"
    page.wait_for_function(f"{wide} > 14")
    page.get_by_role("button", name=TEXTS["en"]["skip"]).click()
    expect(page.locator("#told textarea")).to_have_value(re.compile(r"^HTML:\{'run': 'run-[\d.]+'\}$"))


def test_reduced_motion_stands_still_between_snapshots(
    browser: Browser, serve: Serve, watch: Callable[[Page], Page]
) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = watch(context.new_page())
    page.goto(serve(stage(pause=0.02, stop=12)))
    page.click("#play")
    page.wait_for_selector('.note[data-id="6.1"][data-kind=open]')
    before = page.locator("#live [data-meter=seconds] .figure").inner_text()
    page.wait_for_timeout(300)
    assert page.locator("#live [data-meter=seconds] .figure").inner_text() == before
    assert page.evaluate("document.getAnimations().length") == 0
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_scrolls_the_score_but_not_the_page(page: Page, serve: Serve, theme: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{serve(shown(LAST, None))}?__theme={theme}")
    page.wait_for_selector("#live-0 .note")
    page.locator('.note[data-id="9.1"]').click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#live-0 .scroll").evaluate("e => e.scrollWidth > e.clientWidth && e.tabIndex === 0")
    page.locator("#live-1 .hint").scroll_into_view_if_needed()
    expect(page.locator("#live-1 .hint")).to_be_in_viewport(ratio=1)


def test_a_chinese_browser_reads_chinese(
    browser: Browser, serve: Serve, watch: Callable[[Page], Page]
) -> None:
    context = browser.new_context(locale="zh-CN")
    page = watch(context.new_page())
    page.goto(serve(shown(LAST, None)))
    expect(page.locator("#live-1 .hint")).to_have_text(TEXTS["zh"]["empty"])
    expect(page.locator("#live-0 .status")).to_have_text(TEXTS["zh"]["answered"])
    context.close()


def test_both_languages_say_the_same_things() -> None:
    assert TEXTS["en"].keys() == TEXTS["zh"].keys()


def test_a_finished_run_is_drawn_as_it_stood_at_an_earlier_moment(page: Page, serve: Serve) -> None:
    first, *rest = events()
    assert isinstance(first, RolloutStarted)
    trace = Trace.start(first)
    for event in rest:
        trace.apply(event)
    with gr.Blocks() as blocks:
        view = score_view(LAST)
        back = gr.Button("back", elem_id="back")
        back.click(lambda: score(trace, now=15.0, speed=0), None, view, show_progress="hidden")
    page.goto(serve(blocks))
    page.locator('.note[data-id="9.1"]').focus()
    page.click("#back")
    page.wait_for_selector("#live [data-state=running]")
    expect(page.locator("#live .note")).to_have_count(8)
    expect(page.locator("#live .note[data-kind=open]")).to_have_count(1)
    expect(page.locator("#live .note[tabindex='0']")).to_have_count(1)
    assert barred(page) == 3
    expect(page.locator("#live [data-meter=seconds] .figure")).to_have_text("15.0 s")
    expect(page.locator("#live .ticks span").last).to_have_text("70 s")


def test_a_view_returns_to_the_empty_staff(page: Page, serve: Serve) -> None:
    with gr.Blocks() as blocks:
        view = score_view(LAST)
        clear = gr.Button("clear", elem_id="clear")
        clear.click(lambda: None, None, view, show_progress="hidden")
    page.goto(serve(blocks))
    page.wait_for_selector("#live .note")
    page.click("#clear")
    page.wait_for_selector("#live [data-state=empty]")
    expect(page.locator("#live .note")).to_have_count(0)
