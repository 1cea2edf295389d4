"""Time from the click on a trace to its painted first screen; run as `python -m tests.benchmarks.opening`.

One of 50 turns and one of a single turn are opened on the same page, in turn with a bare Gradio page in the
same browser: as many rows, and a click that shows the row's name in one `gr.HTML` through the queue.
"""

import asyncio
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles

import gradio as gr
from playwright.sync_api import Page, sync_playwright

from orchestra_app import Settings, Trace, Workspace
from orchestra_app.core.events import RolloutStarted
from tests.benchmarks.live import CHROMIUM, FLAGS, PAINTED
from tests.e2e.concert import events, launched
from tests.e2e.page_server import served

TURNS = 50
TIMES = 17
PAUSE = 1500
"""Milliseconds between two openings: what a page fills in later is done by then."""
ROWS = 2
OPEN = """wanted => new Promise(done => {
  const began = performance.now();
  const count = selector => document.querySelectorAll(selector).length;
  let seen = 0;
  PAINTED
  const passed = () => performance.now() - began;
  const whole = () => {
    const all = seen && count('#trace-transcript .turn') === wanted.turns;
    if (all) return painted(() => done([seen, passed()]));
    requestAnimationFrame(whole);
  };
  const see = () => {
    // The page takes the opened trace away while the list is shown; bill and transcript stand further below.
    const open = document.querySelector('#trace-live')?.offsetParent && count('#trace-answer .outcome');
    const bars = document.querySelector('#trace-live .bars path')?.getAttribute('d')?.split('M').length - 1;
    if (!open || bars !== wanted.turns) return requestAnimationFrame(see);
    painted(() => { seen = passed(); });
  };
  document.querySelector(`#traces [data-id="${wanted.id}"]`).click();
  see();
  whole();
})""".replace("PAINTED", PAINTED)


def of(turns: int) -> Trace:
    """Return a finished trace with so many turns."""
    first, *rest = events(f"bench-{turns}")
    assert isinstance(first, RolloutStarted)
    trace = Trace.start(first.model_copy(update={"owner": "local"}))
    for event in rest:
        trace.apply(event)
    step = trace.seconds
    made = []
    for number in range(turns):
        turn, late = trace.turns[number % len(trace.turns)], step * (number // len(trace.turns))
        charges = tuple(each.model_copy(update={"at": each.at + late}) for each in turn.reply.charges)
        reply = turn.reply.model_copy(update={"charges": charges, "at": turn.reply.at + late})
        results = tuple(
            each.model_copy(
                update={
                    "at": each.at + late,
                    "charges": tuple(paid.model_copy(update={"at": paid.at + late}) for paid in each.charges),
                }
            )
            for each in turn.results
        )
        made.append(turn.model_copy(update={"reply": reply, "results": results}))
    trace.turns, trace.seconds = made, step * (1 + turns // 9)
    return trace


BARE = """wanted => new Promise(done => {
  const began = performance.now(), shown = document.querySelector('#shown');
  PAINTED
  const see = () => {
    if (shown.textContent.trim() !== wanted) return requestAnimationFrame(see);
    painted(() => done(performance.now() - began));
  };
  document.querySelector(`[data-row="${wanted}"]`).click();
  see();
})""".replace("PAINTED", PAINTED)
ROW = "element.onclick = event => trigger('select', { row: event.target.dataset.row });"


def bare() -> gr.Blocks:
    """Return a page that does the least that Gradio can: a click on a row fills one component."""
    with gr.Blocks() as page:
        rows = "".join(f'<button data-row="{row}">{row}</button>' for row in range(ROWS))
        listed, shown = gr.HTML(html_template=rows, js_on_load=ROW), gr.HTML(elem_id="shown")

        async def show(event: gr.EventData) -> str:
            return str(event._data["row"])

        listed.select(show, None, shown, show_progress="hidden")
    return page


async def keep(home: Path) -> None:
    world = await Workspace.open(Settings(home=home))
    await world.store.insert([of(1), of(TURNS)])
    await world.aclose()


def opened(page: Page, turns: int) -> list[float]:
    """Return the milliseconds from the click to the painted screen, and to the transcript's last turn."""
    took = page.evaluate(OPEN, {"id": f"bench-{turns}", "turns": turns})
    page.click("#back")
    page.wait_for_selector(f'#traces [data-id="bench-{turns}"]', state="visible")
    return took


def measured(page: Page, plain: Page) -> dict[str, list[float]]:
    """Return the milliseconds of every kind of opening, taken in turn so that a busy moment meets all."""
    many = f"{TURNS} turns"
    took: dict[str, list[float]] = {"bare Gradio": [], "1 turn": [], many: [], f"{many}, all": []}
    for time in range(TIMES):
        page.wait_for_timeout(PAUSE)
        took["bare Gradio"].append(plain.evaluate(BARE, str(time % ROWS)))
        took["1 turn"].append(opened(page, 1)[0])
        page.wait_for_timeout(PAUSE)
        for name, milliseconds in zip((many, f"{many}, all"), opened(page, TURNS), strict=True):
            took[name].append(milliseconds)
    return {name: times[2:] for name, times in took.items()}


def main() -> None:
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        # Playwright has a loop of its own in this thread.
        with ThreadPoolExecutor() as aside:
            aside.submit(lambda: asyncio.run(keep(home))).result()
        least = bare()
        with served(home) as address, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page, plain = browser.new_page(), browser.new_page()
            plain.goto(launched(least))
            plain.wait_for_selector("[data-row]")
            page.goto(f"{address}?tab=traces")
            page.wait_for_selector('#traces [data-id="bench-1"]')
            found = measured(page, plain)
            browser.close()
        least.close(verbose=False)
    base = quantiles(found["bare Gradio"], n=20)[9]
    for name, times in found.items():
        cuts = quantiles(times, n=20)
        print(f"{name:>13}: p50 {cuts[9]:5.0f} ms ({cuts[9] / base:4.1f} × bare), p95 {cuts[18]:5.0f} ms")


if __name__ == "__main__":
    main()
