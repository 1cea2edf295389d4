"""The Catalogue page: what works here and why not, read-only."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from orchestra_app.core.errors import OrchestraError
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.choices import Choices
from orchestra_app.ui.inventory import inventory
from orchestra_app.ui.pages.ask import QUIET, said
from orchestra_app.ui.sheet import parts, sheet
from orchestra_app.ui.texts import TEXTS, label
from orchestra_app.ui.visitor import token


@dataclass(frozen=True, slots=True)
class CatalogPage:
    """The components of the page."""

    name: gr.Dropdown
    shown: gr.HTML
    browser: gr.BrowserState


def catalog_page(browser: gr.BrowserState, catalogs: Choices) -> CatalogPage:
    """Lay the page out."""
    with gr.Column(elem_classes=["wide"]):
        name = gr.Dropdown(
            catalogs,
            value=catalogs[0][1],
            label=label("shown_catalog"),
            elem_id="catalog-shown",
            filterable=False,
        )
        shown = sheet(elem_id="catalog-sheet")
    return CatalogPage(name=name, shown=shown, browser=browser)


def wire_catalog(desk: Desk, page: CatalogPage, *, tab: gr.Tab) -> None:
    """Let the page work; `tab` is its own."""

    async def show(request: gr.Request, name: str, stored: Any) -> dict[str, Any]:
        texts = TEXTS[desk.door.visitor(request, token(stored)).language]
        workspace = desk.workspace
        try:
            catalog, entries = workspace.catalog(name), await workspace.policies(name)
            made = workspace.parts(name)
            obstacles, left_out = await made.obstacles(), await made.left_out()
        except OrchestraError as error:
            return said(str(error))
        return parts(name, *inventory(catalog, obstacles, left_out, entries, workspace.sandbox, texts))

    many: dict[str, Any] = QUIET | {"concurrency_limit": None}
    tab.select(show, [page.name, page.browser], page.shown, **many)
    page.name.change(show, [page.name, page.browser], page.shown, **many)
