"""A run of twenty events, and a small Gradio app that plays it through the live view."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import gradio as gr

from orchestra_app.core.events import (
    CatalogRef,
    Event,
    ReplyReceived,
    RolloutFinished,
    RolloutStarted,
    ToolFinished,
)
from orchestra_app.core.message import Reply, ToolCall, ToolResult
from orchestra_app.core.task import Budget, Task
from orchestra_app.core.trace import Trace
from orchestra_app.core.usage import Charge, Kind, Price, Usage
from orchestra_app.ui.graph import score
from orchestra_app.ui.live import score_view
from tests.e2e.page_server import free_port

PAYLOAD = '<img src=x onerror="window.pwned=1">${window.pwned=2}{{x}}</p><script>window.pwned=3</script>'
HOSTILE = PAYLOAD + "\u202eevil\u2066 🎻 弦乐 " + "long" * 400
STARTED = datetime(2026, 1, 2, tzinfo=UTC)
PRICES = {
    "conductor-8b": Price(input=0.05, output=0.2, source="self-hosted estimate", date="2026-01-02"),
    "gpt-5": Price(input=1.25, cached=0.125, output=10.0, source="openai.com/api/pricing", date="2025-11-20"),
    "gpt-5-mini": Price(input=0.25, output=2.0, source="openai.com/api/pricing", date="2025-11-20"),
    "qwen3-32b": Price(input=0.1, output=0.3, source="assumed", date="2025-11-20"),
    "web": Price(unit=0.008, source="tavily.com/pricing", date="2025-11-20"),
    "local": Price(source="local index"),
    "python": Price(unit=0.00001, source="assumed"),
}

Uses = list[tuple[str, Kind, float, float, int]]
"""Who, kind, seconds, tokens in or units, tokens out."""

# fmt: off
TURNS: list[tuple[float, str, str, str | None, Uses]] = [
    (1.2, "search", "search-3", None,
     [("qwen3-32b", "search", 2.1, 900, 60), ("local", "retrieve", 0.08, 1, 0)]),
    (1.4, "search", "search-2", None,
     [("gpt-5-mini", "search", 4.6, 1400, 120), ("web", "retrieve", 1.3, 1, 0)]),
    (1.1, "enhance_reasoning", "reasoner-2", None,
     [("gpt-5-mini", "expert", 9.2, 2600, 900), ("python", "python", 0.4, 0.4, 0)]),
    (1.3, "enhance_reasoning", "reasoner-9", "There is no alias 'reasoner-9'; choose another.", []),
    (1.0, "enhance_reasoning", "reasoner-1", None,
     [("gpt-5", "expert", 21.5, 4100, 1350), ("python", "python", 2.6, 2.6, 0)]),
    (1.2, "search", "search-3", "The search took longer than 10 s.",
     [("qwen3-32b", "search", 2.0, 1200, 40), ("local", "retrieve", 0.05, 1, 0)]),
    (0.9, "enhance_reasoning", "reasoner-2", None,
     [("gpt-5-mini", "expert", 6.4, 5200, 610), ("python", "python", 0.2, 0.2, 0)]),
    (1.5, "search", "search-1", None,
     [("gpt-5-mini", "search", 3.0, 900, 90), ("web", "retrieve", 1.1, 1, 0)]),
    (1.2, "answer", "answer-1", None, [("gpt-5", "expert", 14.8, 6900, 420)]),
]
"""Seconds of the policy, the tool, the alias, an error, and what the call used."""
# fmt: on


def charge(who: str, kind: Kind, at: float, seconds: float, amount: float, output: int = 0) -> Charge:
    units = amount if kind in ("retrieve", "python") else 0.0
    usage = Usage(
        input_tokens=0 if units else int(amount), output_tokens=output, units=units, seconds=seconds
    )
    price = PRICES[who]
    return Charge(who=who, kind=kind, usage=usage, price=price, cost=price.cost(usage), at=at, simulated=True)


def events(run: str = "run", *, poison: str = "", budget: float | None = 0.1) -> Iterator[Event]:
    """Yield a run of twenty events; `poison` takes the place of every text that others could write."""
    task = Task(id="t", question=poison or "How deep is the harbour of Veyra?", budget=Budget(cost=budget))
    ref = CatalogRef(name="rehearsal", hash="0" * 16)
    yield RolloutStarted(
        trace_id=run, task=task, policy="conductor-8b", catalog=ref, protocol="packed", started_at=STARTED
    )
    at = 0.0
    for number, (thinks, tool, alias, error, uses) in enumerate(TURNS):
        paid = charge("conductor-8b", "policy", at, thinks, 1800 + 400 * number, 90)
        at += thinks
        call = ToolCall(id=f"c{number}", name=tool, arguments={"model": poison or alias})
        forced = "Two turns in a row were useless." if number == 6 else None
        reply = Reply(calls=(call,), charges=(_poisoned(paid, poison),), at=at)
        yield ReplyReceived(offered=(), instruction="", reply=reply, forced=forced, at=at)
        charges = []
        for who, kind, seconds, amount, output in uses:
            charges.append(_poisoned(charge(who, kind, at, seconds, amount, output), poison))
            at += seconds
        answer = "42 m" if tool == "answer" else None
        result = ToolResult(
            call_id=call.id, charges=tuple(charges), error=poison or error, answer=answer, at=at
        )
        yield ToolFinished(result=result, at=at)
    yield RolloutFinished(status="answered", answer="42 m", at=at)


def _poisoned(charge: Charge, poison: str) -> Charge:
    return charge.model_copy(update={"who": poison}) if poison else charge


def snapshots(made: Iterator[Event], *, speed: float = 1.0) -> Iterator[dict[str, Any]]:
    """Yield the score after each event."""
    trace = None
    for event in made:
        if isinstance(event, RolloutStarted):
            trace = Trace.start(event)
        elif trace:
            trace.apply(event)
        assert trace
        held = 0.012 if isinstance(event, ReplyReceived) else 0.0
        yield score(trace, now=trace.seconds, reserved=held, speed=speed)


def stage(*, pause: float = 0.1, poison: str = "", speed: float = 20.0, stop: int = 99) -> gr.Blocks:
    """Return a page with the live view, a button that plays a run, and what the view told the server."""

    async def play() -> AsyncIterator[dict[str, Any]]:
        run = f"run-{time.monotonic()}"
        for number, shot in enumerate(snapshots(events(run, poison=poison), speed=speed)):
            if number >= stop:
                return
            shot["sent"] = time.time() * 1000
            yield shot
            await asyncio.sleep(pause)

    def heard(event: gr.EventData) -> str:
        return f"{event.target.__class__.__name__}:{event._data}"

    with gr.Blocks(title="stage") as page:
        view = score_view()
        go = gr.Button("play", elem_id="play")
        told = gr.Textbox(elem_id="told", label="told")
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        go.click(play, None, view, concurrency_limit=32, **quiet)
        view.select(heard, None, told, queue=False, **quiet)
        view.skip(heard, None, told, queue=False, **quiet)
    return page


def launched(page: gr.Blocks, **options: Any) -> str:
    """Serve `page` from a thread on a free port and return its address; `page.close()` ends it."""
    _, url, _ = page.queue().launch(
        prevent_thread_lock=True, quiet=True, run_history=False, ssr_mode=False, max_threads=120,
        server_name="127.0.0.1", server_port=free_port(), **options,
    )  # fmt: skip
    return url
