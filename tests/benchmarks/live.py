"""Time from the server's yield to the visible note, and its bytes; run as `python -m tests.benchmarks.live`.

Set against an echo: a bare `gr.HTML` that shows one number, in the same browser, from the same process, in
turn with it so that a busy moment of the machine meets both.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from statistics import mean, median, quantiles
from typing import Any

import gradio as gr
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from orchestra_app.core.events import RolloutStarted
from orchestra_app.ui.live import score_view
from orchestra_app.ui.theme import script as page_script
from tests.e2e.concert import events, launched, snapshots

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
PAUSE = 0.15
PAGES = 8
ROUNDS = 3
EVENTS = list(events())
SPEED = max(event.at for event in EVENTS if not isinstance(event, RolloutStarted)) / (PAUSE * len(EVENTS))
PAINTED = """const painted = act => {
    // A message posted from a frame's own callback is handled once that frame is painted.
    const channel = new MessageChannel();
    channel.port1.onmessage = () => act();
    channel.port2.postMessage(0);
  };"""
"""Acts when the frame is painted in whose callback it is called."""
CLOCK = """
window.times ??= [];
watch('value', () => {
  const sent = props.value?.sent, began = performance.now();
  DRAW
  const drawn = performance.now() - began;
  PAINTED
  const told = () => times.push([sent, performance.timeOrigin + performance.now() - sent, drawn]);
  requestAnimationFrame(() => painted(told));
});
""".replace("PAINTED", PAINTED)


def stage(kind: str) -> gr.Blocks:
    async def play() -> AsyncIterator[dict[str, Any]]:
        # The clock of the view runs as fast as the events come, as in a rehearsal that is played.
        shots = list(snapshots(events(str(time.monotonic())), speed=SPEED))
        for shot in shots:
            full = shot if kind == "score" else {"n": len(shot["notes"])}
            yield full | {"sent": time.time() * 1000}
            await asyncio.sleep(PAUSE)

    with gr.Blocks() as page:
        if kind == "score":
            view = score_view()
            script = str(view.js_on_load)
            assert "watch('value', draw);" in script
            view.js_on_load = script.replace("watch('value', draw);", CLOCK.replace("DRAW", "draw();"))
        else:
            script = CLOCK.replace("DRAW", "element.firstChild.textContent = props.value?.n;")
            view = gr.HTML(html_template="<p></p>", js_on_load=script, elem_id="live")
        go = gr.Button("play", elem_id="play")
        options: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": 32, "postprocess": False}
        if kind == "score":
            # As the Ask page follows a run; `launch` gives it the page's own script.
            options["show_progress_on"] = []
        go.click(play, None, view, **options)
    return page


def opened(browser: Browser, url: str) -> tuple[Page, CDPSession, list[int]]:
    """Return a page ready to play, its debugger, and the list in which the bytes of its events collect."""
    page = browser.new_page()
    sizes: list[int] = []
    streams: set[str] = set()
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Performance.enable", {"timeDomain": "threadTicks"})

    def on_request(sent: dict[str, Any]) -> None:
        if "/queue/data" in sent["request"]["url"]:
            streams.add(sent["requestId"])

    def on_bytes(came: dict[str, Any]) -> None:
        if came["requestId"] in streams:
            sizes.append(came["dataLength"])

    network.on("Network.requestWillBeSent", on_request)
    network.on("Network.dataReceived", on_bytes)
    page.goto(url)
    page.wait_for_selector("#play")
    page.wait_for_function("window.times")
    return page, network, sizes


def busy(debugger: CDPSession) -> float:
    """Return the milliseconds of processor time that the page's main thread has used."""
    metrics = debugger.send("Performance.getMetrics")["metrics"]
    return 1000 * next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


def measure(browser: Browser, kind: str, count: int) -> dict[str, list[float]]:
    page = stage(kind)
    url = launched(page, js=page_script()) if kind == "score" else launched(page)
    opens = [opened(browser, url) for _ in range(count)]
    for each, _, _ in opens:
        each.wait_for_timeout(500)
    before = [busy(debugger) for _, debugger, _ in opens]
    for each, _, _ in opens:
        each.click("#play")
    opens[0][0].wait_for_timeout(PAUSE * 1000 * (len(EVENTS) + 6))
    after = [busy(debugger) for _, debugger, _ in opens]
    runs: list[list[float]] = []
    draws: list[float] = []
    missed = 0
    for each, _, _ in opens:
        # Gradio gives the last snapshot twice; its first time counts.
        got = {sent: (latency, drawn) for sent, latency, drawn in reversed(each.evaluate("times")) if sent}
        missed += len(EVENTS) - len(got)
        runs.append([got[sent][0] for sent in sorted(got)])
        draws += [drawn for _, drawn in got.values()]
        each.close()
    page.close(verbose=False)
    return {
        "p50": [quantiles(run, n=20)[9] for run in runs],
        # Of twenty events the nineteenth: the first, which reveals the staff, is told by itself.
        "p95": [sorted(run)[round(0.95 * len(run)) - 1] for run in runs],
        "first": [run[0] for run in runs],
        "draw": draws,
        "cpu": [(sum(after) - sum(before)) / count / len(EVENTS)],
        "bytes": [sum(sum(sizes) for *_, sizes in opens) / count / len(EVENTS)],
        "missed": [missed],
    }


def pooled(rounds: list[dict[str, list[float]]]) -> dict[str, float]:
    """Return the figures of several rounds together."""
    of = {name: [value for found in rounds for value in found[name]] for name in rounds[0]}
    draw = quantiles(of["draw"], n=20)
    return {
        "p50": median(of["p50"]),
        "p95": median(of["p95"]),
        "first": median(of["first"]),
        "draw p50": draw[9],
        "draw p95": draw[18],
        "cpu": mean(of["cpu"]),
        "bytes": mean(of["bytes"]),
        "missed": sum(of["missed"]),
    }


def report(name: str, found: dict[str, float], echo: dict[str, float]) -> None:
    middle, tail, first = (found[cut] / echo[cut] for cut in ("p50", "p95", "first"))
    print(
        f"{name:>16}: p50 {found['p50']:5.1f} ms ({middle:4.2f} × echo), "
        f"p95 {found['p95']:5.1f} ms ({tail:4.2f} × echo), first {found['first']:5.1f} ms ({first:4.2f} ×), "
        f"drawing p50 {found['draw p50']:4.2f} ms, p95 {found['draw p95']:4.2f} ms, "
        f"{found['cpu']:4.1f} ms of processor, {found['bytes']:5.0f} bytes an event, "
        f"{found['missed']:.0f} missed"
    )


def main() -> None:
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        measure(browser, "echo", 1)
        for count in (1, PAGES):
            rounds = [
                (measure(browser, "echo", count), measure(browser, "score", count)) for _ in range(ROUNDS)
            ]
            echo, found = (pooled(list(each)) for each in zip(*rounds, strict=True))
            report(f"echo, {count} page(s)", echo, echo)
            report(f"score, {count} page(s)", found, echo)
        browser.close()


if __name__ == "__main__":
    main()
