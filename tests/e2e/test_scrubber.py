"""The scrubber in a real browser: a finished run is seen as it stood, and then exactly as it ended."""

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
from orchestra_app.ui.markup import dollars
from tests.e2e.concert import events

pytestmark = [
    pytest.mark.browser,
    # The server runs in this process, and Gradio's queue uses what pandas will drop.
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),
]

DRAWN = """() => [...document.querySelectorAll('#live .score, #live .score *')]
    .filter(node => !node.closest('.scrub'))
    .map(node => [...node.attributes].filter(each => each.name !== 'tabindex')
        .map(each => each.name + '=' + each.value).sort().join(' ')
        + (node.children.length ? '' : node.textContent)).join('\\n')"""


def finished() -> Trace:
    first, *rest = events()
    assert isinstance(first, RolloutStarted)
    trace = Trace.start(first)
    for event in rest:
        trace.apply(event)
    return trace


def page_of(trace: Trace) -> gr.Blocks:
    with gr.Blocks() as blocks:
        score_view(score(trace))
        gr.HTML(
            "<details class='turn'><summary>1</summary></details>" * len(trace.turns), elem_id="transcript"
        )
    return blocks


def agrees(page: Page, shot: dict[str, Any]) -> None:
    """See the same notes and figures as the server has for that moment."""
    expect(page.locator("#live .note")).to_have_count(len(shot["notes"]))
    expect(page.locator("#live .note[data-kind=open]")).to_have_count(
        sum('"d":' not in note for note in shot["notes"])
    )
    expect(page.locator("#live [data-meter=cost] .figure")).to_have_text(dollars(shot["cost"]))
    expect(page.locator("#live [data-meter=turns] .figure")).to_have_text(str(shot["turns"]))


def test_a_finished_run_is_scrubbed_by_keys_and_ends_as_it_was(
    page: Page, serve: Callable[[gr.Blocks], str]
) -> None:
    trace = finished()
    page.goto(serve(page_of(trace)))
    scrub = page.get_by_role("slider", name=TEXTS["en"]["scrub"])
    scrub.focus()
    agrees(page, score(trace))
    whole = page.evaluate(DRAWN)
    for _ in range(5):
        page.keyboard.press("PageDown")
    half = score(trace, now=trace.seconds / 2)
    assert half["cost"] < trace.cost and len(half["notes"]) < len(score(trace)["notes"])
    agrees(page, half)
    expect(page.locator("#live .score")).to_have_attribute("data-state", "running")
    said = f"{trace.seconds / 2:.1f} of {trace.seconds:.1f} seconds, {dollars(half['cost'])} spent"
    expect(scrub).to_have_attribute("aria-valuetext", said)
    page.keyboard.press("ArrowRight")
    moment = float((scrub.get_attribute("aria-valuetext") or "").split(" ")[0])
    assert moment > trace.seconds / 2
    page.keyboard.press("Home")
    agrees(page, score(trace, now=0.0))
    page.keyboard.press("End")
    expect(page.locator("#live .score")).to_have_attribute("data-state", "answered")
    assert page.evaluate(DRAWN) == whole

    page.locator('#live .note[data-id="3.1"]').click()
    page.get_by_role("button", name="Read turn 3").click()
    expect(page.locator("#transcript .turn[open]")).to_have_count(1)
    expect(page.locator("#transcript .turn").nth(2)).to_have_attribute("aria-current", "true")


def test_it_plays_at_its_speed_and_without_motion_from_one_event_to_the_next(
    browser: Browser, serve: Callable[[gr.Blocks], str], watch: Callable[[Page], Page]
) -> None:
    trace = finished()
    address = serve(page_of(trace))
    for motion in ("no-preference", "reduce"):
        context = browser.new_context(reduced_motion=motion)  # pyright: ignore[reportArgumentType]
        page = watch(context.new_page())
        page.goto(address)
        button = page.get_by_role("button", name="Play at 20× speed")
        button.click()
        page.get_by_role("button", name="Pause").click()
        expect(page.locator("#live .score")).to_have_attribute("data-state", "running")
        button.click()
        expect(page.locator("#live .score")).to_have_attribute("data-state", "answered", timeout=15_000)
        expect(page.locator("#live .note")).to_have_count(len(score(trace)["notes"]))
        context.close()
