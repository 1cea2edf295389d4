"""A real Chromium for the pages, and the promise that no page logs an error or asks a foreign host."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from page_server import served
from playwright.sync_api import ConsoleMessage, Error, Page, Request, expect

from tests.e2e.concert import launched

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# On a busy machine a page takes its time; where all is well nobody waits for it.
expect.set_options(timeout=30_000)
LEAVING = "the page is being left"
TOLD = f"addEventListener('beforeunload', () => console.debug({LEAVING!r}))"
OWN = ("http://127.0.0.1", "http://localhost", "data:", "blob:", "about:")

Watch = Callable[[Page], Page]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium at {CHROMIUM} (apt-get install chromium)")
    return {**browser_type_launch_args, "executable_path": str(CHROMIUM), "args": list(FLAGS)}


@pytest.fixture(scope="session")
def base_url() -> None:
    """Every page names its own address; the plugin's fixture of this name raises a deprecation warning."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the real page over an empty data folder; a module may name another."""
    with served(tmp_path_factory.mktemp("served") / "home") as found:
        yield found


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Take a page under watch: at the end of the test none has logged an error or asked a foreign host."""
    wrong: list[str] = []
    left: set[Page | None] = set()

    def on_console(message: ConsoleMessage) -> None:
        if message.text == LEAVING:
            left.add(message.page)
        # Gradio logs what was cut off by that.
        if message.type == "error" and message.page not in left:
            wrong.append(f"console: {message.text} ({message.location['url']})")

    def on_error(error: Error) -> None:
        wrong.append(f"error: {error}")

    def on_request(request: Request) -> None:
        if not request.url.startswith(OWN):
            wrong.append(f"foreign request: {request.url}")

    def watched(page: Page) -> Page:
        page.add_init_script(TOLD)
        page.on("domcontentloaded", lambda page: left.discard(page))
        page.on("console", on_console)
        page.on("pageerror", on_error)
        page.on("request", on_request)
        return page

    yield watched
    assert not wrong


@pytest.fixture
def page(page: Page, watch: Watch) -> Page:
    return watch(page)


@pytest.fixture
def serve() -> Iterator[Callable[[gr.Blocks], str]]:
    """Serve a Gradio page from a thread until the test ends; returns its address."""
    with ExitStack() as stack:

        def served(blocks: gr.Blocks) -> str:
            stack.callback(blocks.close, verbose=False)
            return launched(blocks)

        yield served
