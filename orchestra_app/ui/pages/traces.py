"""The Traces page: kept traces, found by filters and opened in the same view as a live run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import gradio as gr

from orchestra_app.core.errors import OrchestraError
from orchestra_app.storage.queries import Facets, Filter, Sort
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.follow import Watching
from orchestra_app.ui.links import clean, link, unread, wanted
from orchestra_app.ui.listing import listing
from orchestra_app.ui.markup import tag
from orchestra_app.ui.pages.study import Study, study
from orchestra_app.ui.pages.traces_filters import Filters, filters, marks
from orchestra_app.ui.sheet import parts, sheet
from orchestra_app.ui.texts import TEXTS, label
from orchestra_app.ui.view import View, view
from orchestra_app.ui.visitor import Visitor

PAGE = 25
"""Traces on one page of the list."""


@dataclass(frozen=True, slots=True)
class TracesPage:
    """The components of the page."""

    listed: gr.Column
    filters: Filters
    rows: gr.HTML
    counted: gr.HTML
    newer: gr.Button
    older: gr.Button
    place: gr.State
    """What the list shows: its cleaned filters, order and page number."""
    back: gr.Button
    delete: gr.Button
    sure: gr.Row
    confirm: gr.Button
    keep: gr.Button
    view: View
    study: Study
    current: gr.State
    problem: gr.HTML
    address: gr.HTML
    """Shows nothing; its value has the `link` at which the page shows what it shows now."""
    browser: gr.BrowserState
    turning: Watching = field(default_factory=Watching)
    """Which list each open page asked for last."""

    @property
    def inputs(self) -> list[Any]:
        """The browser's secret, then the inputs of `asked`."""
        return [self.browser, self.place, *self.filters.inputs]

    def asked(self, place: Any, sent: Sequence[Any]) -> dict[str, Any]:
        """Return the filters that the page sent, with the page number of the list that it shows."""
        number = place.get("number") if isinstance(place, dict) else None
        return self.filters.values(sent) | {"number": number}

    @property
    def outputs(self) -> list[Any]:
        """The components that `listed` gives values for."""
        shown = [self.rows, self.counted, self.newer, self.older, self.place]
        return [*shown, self.filters.marks, self.problem, self.address]


def traces_page(browser: gr.BrowserState) -> TracesPage:
    """Lay the page out."""
    problem = sheet(elem_id="traces-problem")
    with gr.Column(elem_id="traces-list", elem_classes=["wide"]) as listed:
        form = filters()
        rows = sheet(elem_id="traces")
        with gr.Row(elem_classes=["pager"]):
            counted = sheet(elem_id="traces-count")
            newer = gr.Button(
                label("finding_previous"),
                size="sm",
                scale=0,
                min_width=90,
                elem_id="newer",
                interactive=False,
            )
            older = gr.Button(
                label("finding_next"), size="sm", scale=0, min_width=90, elem_id="older", interactive=False
            )
    # The styles show this or the list, by whether the headline says anything: to build it takes Gradio longer
    # than to draw a trace in it.
    with gr.Column(elem_id="trace-open", elem_classes=["wide"]):
        with gr.Row(elem_classes=["trace-bar"]):
            back = gr.Button(label("back"), size="sm", scale=0, min_width=110, elem_id="back")
            delete = gr.Button(label("delete"), size="sm", scale=0, min_width=80, elem_id="delete")
            with gr.Row(visible=False, elem_id="delete-sure", elem_classes=["sure"]) as sure:
                gr.Markdown(label("delete_sure"), container=False)
                confirm = gr.Button(
                    label("delete_yes"),
                    size="sm",
                    variant="stop",
                    scale=0,
                    min_width=90,
                    elem_id="delete-yes",
                )
                keep = gr.Button(label("delete_no"), size="sm", scale=0, min_width=80, elem_id="delete-no")
        family = sheet(elem_id="trace-family")
        shown = view("trace-")
        studies = study(family)
    return TracesPage(
        listed=listed,
        filters=form,
        rows=rows,
        counted=counted,
        newer=newer,
        older=older,
        place=gr.State({}, time_to_live=86_400),
        back=back,
        delete=delete,
        sure=sure,
        confirm=confirm,
        keep=keep,
        view=shown,
        study=studies,
        current=gr.State("", time_to_live=86_400),
        problem=problem,
        address=sheet(elem_id="traces-address"),
        browser=browser,
    )


# The handlers: small functions of values.


async def listed(desk: Desk, page: TracesPage, visitor: Visitor, values: Mapping[str, Any]) -> dict[Any, Any]:
    """Return one page of the list for filters, `sort` and `number` as a form or a link has them.

    Changes nothing where the visitor's page has asked for another list meanwhile.
    """
    last = page.turning.begin(visitor.page)
    texts, store, fields = TEXTS[visitor.language], desk.workspace.store, clean(values)
    filter_ = wanted(fields, visitor)
    number = int(fields.pop("number", "1"))
    try:
        count = await store.count(filter_)
        number = max(1, min(number, -(-count // PAGE)))
        sort = cast(Sort, fields.get("sort", "newest"))
        found = await store.list(filter_, page=number, size=PAGE, sort=sort)
    except OrchestraError as error:
        return {page.problem: parts("error", tag("p", str(error), class_="problem", role="alert"))}
    if not last():
        return {page.problem: gr.skip()}
    first = (number - 1) * PAGE + 1
    said = texts["list_page"].format(first=first, last=first + len(found) - 1, count=count) if found else ""
    filtered = filter_ != Filter(owner=visitor.sees)
    return {
        page.rows: parts("list", listing(found, texts, filtered=filtered, you=visitor.owner)),
        page.counted: parts("count", tag("p", said, class_="quiet")),
        page.newer: gr.Button(interactive=number > 1),
        page.older: gr.Button(interactive=number * PAGE < count),
        page.place: fields | {"number": str(number)},
        page.filters.marks: marks(fields, unread(values), texts),
        page.address: at(link(**fields, number=number)),
    }


def at(address: str) -> dict[str, Any]:
    """Return the value of the page's address."""
    return parts("") | {"link": address}


async def offered(
    desk: Desk, page: TracesPage, visitor: Visitor, values: Mapping[str, Any]
) -> dict[Any, Any]:
    """Return the menus with what the traces that the visitor sees can be filtered by."""
    return page.filters.menus(await _facets(desk, visitor), clean(values), visitor)


async def restored(
    desk: Desk, page: TracesPage, visitor: Visitor, query: Mapping[str, Any]
) -> dict[Any, Any]:
    """Return the filters and the list as the query of a link has them."""
    fields = clean(query)
    filled = page.filters.set_to(fields, await _facets(desk, visitor), visitor)
    return filled | await listed(desk, page, visitor, fields)


async def _facets(desk: Desk, visitor: Visitor) -> Facets:
    try:
        return await desk.workspace.store.facets(Filter(owner=visitor.sees))
    except OrchestraError:
        # The list, which is asked for at the same time, tells of it.
        return Facets()


def listing_shown(page: TracesPage) -> dict[Any, Any]:
    """Return what turns from an opened trace back to the list."""
    return {
        page.view.head: None,
        page.sure: gr.Row(visible=False),
        page.current: "",
        page.study.begun: None,
        **page.view.emptied,
    }
