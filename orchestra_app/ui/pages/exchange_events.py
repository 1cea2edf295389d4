"""What happens in the fold beneath the list of traces: every listener."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr

from orchestra_app.core.errors import OrchestraError
from orchestra_app.dataset.folder import Manifest
from orchestra_app.dataset.imports import Imported
from orchestra_app.ui import exchange
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.exchange import Wanted
from orchestra_app.ui.markup import tag
from orchestra_app.ui.pages.exchange import ExchangePage
from orchestra_app.ui.pages.traces import TracesPage, listed
from orchestra_app.ui.sheet import parts
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Visitor, token

ONE: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 2}
SHOWN = 20
"""Problems of an import that are listed."""
Values = dict[Any, Any]
Texts = dict[str, str]


def wire_exchange(desk: Desk, page: ExchangePage, traces: TracesPage, *, tabs: tuple[gr.Tab, gr.Tab]) -> None:
    """Let the fold work on the list of `traces`; `tabs`: all that has to do with traces, and the list's."""

    def visitor(request: gr.Request, stored: Any) -> Visitor:
        return desk.door.visitor(request, token(stored))

    async def arrive(request: gr.Request, stored: Any) -> Values:
        return {page.admin: gr.Column(visible=visitor(request, stored).admin)}

    async def make(request: gr.Request, stored: Any, *sent: Any) -> Values:
        form, shared, mine, place, *filters = sent
        asked = Wanted(traces.asked(place, filters), form, shared, mine)
        return await made(desk, page, visitor(request, stored), asked)

    async def push(request: gr.Request, stored: Any, *sent: Any) -> Values:
        name, form, mine, place, *filters = sent
        who = visitor(request, stored)
        asked = Wanted(traces.asked(place, filters), form, True, mine)

        async def done() -> list[str]:
            address, manifest = await exchange.pushed(desk, who, asked, name)
            said = TEXTS[who.language]["exchange_pushed"]
            return [said.format(traces=manifest.traces, address=address)]

        return await _tried(page, done)

    async def take_in(request: gr.Request, stored: Any, file: Any) -> Values:
        who = visitor(request, stored)

        async def done() -> list[str]:
            return imported(await exchange.taken_in(desk, who, file), TEXTS[who.language])

        return await _tried(page, done)

    async def wipe(request: gr.Request, stored: Any) -> Values:
        who = visitor(request, stored)

        async def done() -> list[str]:
            number = await desk.workspace.store.delete_all(who.owner)
            return [TEXTS[who.language]["exchange_wiped"].format(number=f"{number:,}")]

        return await _tried(page, done) | {page.sure: gr.Row(visible=False)}

    async def show(request: gr.Request, stored: Any, place: Any, *sent: Any) -> Values:
        values = await listed(desk, traces, visitor(request, stored), traces.asked(place, sent))
        # A trace that is open over the list keeps its address.
        return {name: value for name, value in values.items() if name is not traces.address}

    showing: tuple[Any, ...] = (show, traces.inputs, traces.outputs)
    filters = traces.inputs[1:]
    tabs[0].select(arrive, [traces.browser], [page.admin], **ONE)
    # What was asked or labelled on another of the inner tabs is there at once.
    tabs[1].select(*showing, **ONE)
    form = [traces.browser, page.format, page.shared, page.mine, *filters]
    page.make.click(make, form, [page.file, page.told], **ONE)
    pushing = [traces.browser, page.dataset, page.format, page.mine, *filters]
    page.push.click(push, pushing, [page.told], **ONE)
    page.upload.upload(take_in, [traces.browser, page.upload], [page.told], **ONE).then(*showing, **ONE)
    page.wipe.click(lambda: gr.Row(visible=True), None, page.sure, **ONE)
    page.no.click(lambda: gr.Row(visible=False), None, page.sure, **ONE)
    page.yes.click(wipe, [traces.browser], [page.told, page.sure], **ONE).then(*showing, **ONE)


async def made(desk: Desk, page: ExchangePage, visitor: Visitor, asked: Wanted) -> Values:
    """Return the button that downloads an export, with what the file holds."""
    texts = TEXTS[visitor.language]
    with TemporaryDirectory(prefix="orchestra-export-") as folder:
        try:
            path, manifest = await exchange.packed(desk, visitor, asked, Path(folder))
        except OrchestraError as error:
            return {page.file: gr.DownloadButton(visible=False), page.told: _told([str(error)], "trouble")}
        # Gradio deletes what is in its cache after an hour; ours goes at once.
        served = page.file.move_resource_to_block_cache(path)
    return {
        page.file: gr.DownloadButton(value=served, visible=True),
        page.told: _told(exported(manifest, texts)),
    }


def exported(manifest: Manifest, texts: Texts) -> list[str]:
    """Return what an export holds and what was left out, as sentences."""
    counts = {"traces": manifest.traces, "rows": manifest.rows, "simulated": manifest.simulated}
    said = [texts["exchange_made"].format(**counts)]
    if manifest.left_out:
        known = ((texts.get(f"exchange_left {reason}", reason), n) for reason, n in manifest.left_out.items())
        left = ", ".join(f"{number} {reason}" for reason, number in known)
        said.append(texts["exchange_left"].format(left=left))
    return said


def imported(done: Imported, texts: Texts) -> list[str]:
    """Return what became of an import, with its broken rows by name."""
    counts = {name: done.counts[name] for name in ("added", "same", "kept")}
    votes = [texts["exchange_votes"].format(number=done.votes)] if done.votes else []
    said = [texts["exchange_kept"].format(**counts), *votes, *done.problems[:SHOWN]]
    more = len(done.problems) - SHOWN
    return said + ([texts["exchange_more"].format(number=more)] if more > 0 else [])


async def _tried(page: ExchangePage, done: Callable[[], Awaitable[list[str]]]) -> Values:
    try:
        return {page.told: _told(await done())}
    except OrchestraError as error:
        return {page.told: _told([str(error)], "trouble")}


def _told(sentences: list[str], kind: str = "quiet") -> dict[str, Any]:
    return parts("told", *(tag("p", sentence, role="status", class_=kind) for sentence in sentences))
