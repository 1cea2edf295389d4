"""Time from the click on a listed trace to its visible score; run as `python -m tests.benchmarks.opening`.

One of 50 turns is set against one of a single turn, opened on the same page.
"""

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, sync_playwright

from orchestra_app import Settings, Trace, Workspace
from orchestra_app.core.events import RolloutStarted
from tests.benchmarks.live import CHROMIUM, FLAGS
from tests.e2e.concert import events
from tests.e2e.page_server import served

TURNS = 50
TIMES = 12
OPEN = """wanted => new Promise(done => {
  const began = performance.now();
  const count = selector => document.querySelectorAll(selector).length;
  const see = () => {
    // The page takes the opened trace away while the list is shown.
    const seen = document.querySelector('#trace-live')?.offsetParent;
    const bars = count('#trace-live .bars .bar:not([hidden])'), turns = count('#trace-transcript .turn');
    if (!seen || bars !== wanted.turns || turns !== wanted.turns) return requestAnimationFrame(see);
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
  };
  document.querySelector(`#traces [data-id="${wanted.id}"]`).click();
  see();
})"""


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


async def keep(home: Path) -> None:
    world = await Workspace.open(Settings(home=home))
    await world.store.insert([of(1), of(TURNS)])
    await world.aclose()


def opened(page: Page, turns: int) -> float:
    """Return the milliseconds from the click to the painted score and transcript."""
    took = page.evaluate(OPEN, {"id": f"bench-{turns}", "turns": turns})
    page.click("#back")
    page.wait_for_selector(f'#traces [data-id="bench-{turns}"]', state="visible")
    return took


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        # Playwright has a loop of its own in this thread.
        with ThreadPoolExecutor() as aside:
            aside.submit(lambda: asyncio.run(keep(home))).result()
        with served(home) as address, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page()
            page.goto(f"{address}?tab=traces")
            page.wait_for_selector('#traces [data-id="bench-1"]')
            short, long = ([opened(page, turns) for _ in range(TIMES)][2:] for turns in (1, TURNS))
            browser.close()
    print(
        f"opening a trace of {TURNS} turns: median {median(long):.0f} ms, slowest {max(long):.0f} ms; "
        f"{median(long) / median(short):.2f} × a trace of one turn ({median(short):.0f} ms)"
    )


if __name__ == "__main__":
    main()
