"""The page: builds it, serves it, and says in one sentence why it cannot be served."""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import gradio as gr

from orchestra_app.config import start_logging
from orchestra_app.core.errors import ConfigError, OrchestraError
from orchestra_app.sandbox import start_early
from orchestra_app.ui.api import wire_api
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.pages.addresses import wire_addresses
from orchestra_app.ui.pages.ask import QUIET, ask_page
from orchestra_app.ui.pages.ask_events import wire_ask
from orchestra_app.ui.pages.blind import blind_page
from orchestra_app.ui.pages.blind_events import wire_blind
from orchestra_app.ui.pages.catalog import catalog_page, wire_catalog
from orchestra_app.ui.pages.exchange import exchange_page
from orchestra_app.ui.pages.exchange_events import wire_exchange
from orchestra_app.ui.pages.frontier import frontier_page
from orchestra_app.ui.pages.frontier_events import wire_frontier
from orchestra_app.ui.pages.queue import queue_page
from orchestra_app.ui.pages.queue_events import wire_queue
from orchestra_app.ui.pages.traces import traces_page
from orchestra_app.ui.pages.traces_events import wire_traces
from orchestra_app.ui.pages.train import train_page
from orchestra_app.ui.pages.train_events import wire_train
from orchestra_app.ui.secret import browser_secret
from orchestra_app.ui.texts import i18n, label
from orchestra_app.ui.theme import ASSETS, css, script, theme
from orchestra_app.ui.visitor import Door, loopback
from orchestra_app.workspace import Workspace

HEADER = (
    '<div class="brand"><img src="gradio_api/file={logo}" alt="" width="26" height="26">'
    "<b>Orchestra</b></div>"
)


def build(workspace: Workspace, *, host: str = "127.0.0.1") -> gr.Blocks:
    """Return the page over an open workspace; `host` is the address on which it will be served."""
    desk = Desk(workspace, Door(private(host), workspace.settings.admins))
    with gr.Blocks(title="Orchestra", analytics_enabled=False, delete_cache=(3600, 3600)) as blocks:
        browser = gr.BrowserState({}, storage_key="orchestra", secret=browser_secret(workspace.settings.home))
        gr.HTML(HEADER.replace("{logo}", str(ASSETS / "logo.svg")), elem_id="brand", apply_default_css=False)
        if on_space() and os.environ.get("OAUTH_CLIENT_ID"):
            gr.LoginButton(size="sm", elem_id="login", min_width=120)
        names = [(_title(workspace, name), name) for name in workspace.catalogs]
        with gr.Tabs(selected="ask", elem_id="tabs") as tabs:
            with gr.Tab(label("ask"), id="ask") as ask_tab:
                asking = ask_page(browser, names)
            with (
                gr.Tab(label("traces"), id="traces") as traces_tab,
                gr.Tabs(selected="find", elem_id="trace-tabs") as inside,
            ):
                with gr.Tab(label("queue_find"), id="find") as find_tab:
                    kept = traces_page(browser)
                    with kept.listed:
                        exchanged = exchange_page()
                with gr.Tab(label("queue_label"), id="label") as label_tab:
                    waiting = queue_page(browser)
                with gr.Tab(label("blind_tab"), id="blind") as blind_tab:
                    compared_blind = blind_page(browser, names)
            with gr.Tab(label("frontier"), id="frontier") as frontier_tab:
                compared = frontier_page(browser, names)
            with gr.Tab(label("train"), id="train") as train_tab:
                training = train_page(browser, names)
            with gr.Tab(label("catalog"), id="catalog") as catalog_tab:
                shown = catalog_page(browser, names)
        for each in (asking.mixing, kept.study.mixing):
            each.render()
        # page.js presses it where an event waits for a stream of messages that has ended.
        gr.Button(visible="hidden", elem_id="wake").click(lambda: None, None, None, **QUIET)
        wire_ask(blocks, desk, asking, tab=ask_tab)
        wire_traces(blocks, desk, kept, tabs=tabs, tab=traces_tab)
        wire_queue(desk, waiting, tabs=(traces_tab, label_tab))
        wire_exchange(desk, exchanged, kept, tabs=(traces_tab, find_tab))
        wire_blind(desk, compared_blind, tabs=(traces_tab, blind_tab))
        wire_frontier(blocks, desk, compared, tab=frontier_tab)
        wire_train(desk, training, tab=train_tab, tabs=tabs, frontier=compared.catalog)
        wire_catalog(desk, shown, tab=catalog_tab)
        wire_addresses(blocks, tabs, inside=inside, listed=kept.address)
        wire_api(desk)
    for event in blocks.fns.values():
        # At every step of any event Gradio copies the state of all that ever was to show progress.
        if event.show_progress == "hidden":
            event.show_progress_on = []
        if event.fn and event.trigger_mode == "once":
            event.trigger_mode = _taken(event)
        if event.renderable and event.fn:
            event.fn = _whole(event.fn)
    blocks.queue(max_size=64, default_concurrency_limit=None)
    # Gradio looks for events a thousand times a second, also where nobody has the page open.
    blocks._queue.sleep_when_free = 0.005
    return blocks


def _taken(event: Any) -> str:
    """Return what becomes of an event that comes while its like is under way.

    What follows another event runs, a menu's last choice waits, and all else is ignored. Two listeners of
    one event must not both wait: each would wake the other for ever.
    """
    if event.trigger_after is not None:
        return "multiple"
    chosen = [kind == "input" for _, kind in event.targets]
    return "always_last" if chosen and all(chosen) else "once"


def _title(workspace: Workspace, name: str) -> str:
    try:
        return workspace.catalog(name).title
    except OrchestraError:
        # The menu of the Ask page says what is wrong with it.
        return name


def _whole(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Let a part of the page be drawn without a break, on the server's loop.

    Gradio draws in threads; two of one page change and walk through the same list of its components, and the
    one that walks fails.
    """

    async def drawn(*values: Any) -> Any:
        return draw(*values)

    return drawn


def private(host: str) -> bool:
    """Return whether only this machine reaches a page that is served on `host`."""
    return loopback(host) and not on_space()


def on_space() -> bool:
    """Return whether this is a Hugging Face Space, where strangers come."""
    return bool(os.environ.get("SPACE_ID"))


def refuse_open_purse(workspace: Workspace, host: str) -> None:
    """Raise ConfigError where strangers could spend real money without a cap."""
    name = workspace.default_catalog
    if not private(host) and not workspace.catalog(name).simulated and workspace.settings.daily_cap is None:
        raise ConfigError(
            f"The catalogue {name} has real prices and {host} can be reached by others: set "
            "ORCHESTRA_DAILY_CAP to the USD that may be spent in a day, or serve on 127.0.0.1."
        )


def serve(workspace: Workspace, **options: Any) -> gr.Blocks:
    """Serve the page in a thread of its own and return it; `options` are those of `launch`.

    Raises ConfigError where it must not or cannot be served there.
    """
    host = options.get("server_name") or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    port = options.get("server_port") or _port(os.environ.get("GRADIO_SERVER_PORT"))
    refuse_open_purse(workspace, host)
    blocks = build(workspace, host=host)
    usual: dict[str, Any] = {
        "server_name": host,
        "server_port": port,
        "max_threads": 160,
        # Strangers upload question sets at most; an export that is imported is larger.
        "max_file_size": "256mb" if private(host) else "1mb",
        "allowed_paths": [str(ASSETS)],
        "blocked_paths": [str(workspace.settings.home)],
        "footer_links": ["api"],
        "favicon_path": str(ASSETS / "logo.svg"),
        "run_history": False,
        "ssr_mode": False,
        "show_error": False,
        "share": False,
        "pwa": False,
        "quiet": True,
        "prevent_thread_lock": True,
        "i18n": i18n(),
        "theme": theme(),
        "css": css(),
        "js": script(),
    }
    try:
        blocks.launch(**usual | options)
    except OSError:
        raise ConfigError(
            f"Port {port or '7860 to 7959'} on {host} cannot be used: end the program that has it, "
            "or set GRADIO_SERVER_PORT to another port."
        ) from None
    return blocks


def _port(text: str | None) -> int | None:
    """Return the port that was asked for; None: the first that is free."""
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise ConfigError("GRADIO_SERVER_PORT cannot be used: set it to a port from 1 to 65535, or unset it.")
    return int(text)


def main() -> None:
    """Open the workspace, serve the page until the program is ended, and keep what was under way."""
    start_logging()
    loops: list[asyncio.AbstractEventLoop] = []

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncGenerator[None]:
        loops.append(asyncio.get_running_loop())
        yield

    try:
        workspace = asyncio.run(Workspace.open())
        blocks = serve(workspace, app_kwargs={"lifespan": lifespan}, inbrowser=_has_browser())
    except OrchestraError as error:
        print(f"orchestra: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    start_early()
    gc.freeze()
    gc.enable()
    print(f"Orchestra is at {blocks.local_url} (Ctrl+C ends it).", flush=True)
    _wait_for_the_end()
    # What runs belongs to the server's loop, so it must end there before the server does.
    asyncio.run_coroutine_threadsafe(workspace.aclose(), loops[0]).result(timeout=30)
    blocks.close(verbose=False)


def _wait_for_the_end() -> None:
    ended = threading.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda *_: ended.set())
    ended.wait()


def _has_browser() -> bool:
    """Return whether a person sits here who would like the page to open."""
    shown = sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    asked_not_to = os.environ.get("ORCHESTRA_NO_BROWSER") or on_space()
    return bool(shown and sys.stdout.isatty() and not asked_not_to)
