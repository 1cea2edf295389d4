"""The Traces page: kept traces, found by filters and opened in the same view as a live run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

import gradio as gr

from orchestra_app.core.errors import OrchestraError
from orchestra_app.core.events import Status
from orchestra_app.storage.queries import Filter, Verdict
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.listing import listing
from orchestra_app.ui.markup import tag
from orchestra_app.ui.sheet import parts, sheet
from orchestra_app.ui.texts import TEXTS, label
from orchestra_app.ui.view import View, view
from orchestra_app.ui.visitor import Visitor

PAGE = 25
"""Traces on one page of the list."""
MENUS = ("catalog", "policy", "status", "verdict", "tool")


@dataclass(frozen=True, slots=True)
class TracesPage:
    """The components of the page."""

    listed: gr.Column
    text: gr.Textbox
    menus: dict[str, gr.Dropdown]
    costs: tuple[gr.Textbox, gr.Textbox]
    clear: gr.Button
    rows: gr.HTML
    counted: gr.HTML
    newer: gr.Button
    older: gr.Button
    number: gr.State
    """The page of the list, from 1."""
    opened: gr.Column
    back: gr.Button
    delete: gr.Button
    sure: gr.Row
    confirm: gr.Button
    keep: gr.Button
    view: View
    current: gr.State
    problem: gr.HTML
    browser: gr.BrowserState

    @property
    def filters(self) -> list[Any]:
        """The inputs of `wanted`, in its order."""
        return [self.text, *self.menus.values(), *self.costs]


def traces_page(browser: gr.BrowserState) -> TracesPage:
    """Lay the page out."""
    problem = sheet(elem_id="traces-problem")
    with gr.Column(elem_id="traces-list", elem_classes=["wide"]) as listed:
        text, menus, costs, clear = _filters()
        rows = sheet(elem_id="traces")
        with gr.Row(elem_classes=["pager"]):
            counted = sheet(elem_id="traces-count")
            newer = gr.Button(
                label("newer"), size="sm", scale=0, min_width=90, elem_id="newer", interactive=False
            )
            older = gr.Button(
                label("older"), size="sm", scale=0, min_width=90, elem_id="older", interactive=False
            )
    with gr.Column(visible=False, elem_id="trace-open", elem_classes=["wide"]) as opened:
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
        shown = view("trace-")
    return TracesPage(
        listed=listed,
        text=text,
        menus=menus,
        costs=costs,
        clear=clear,
        rows=rows,
        counted=counted,
        newer=newer,
        older=older,
        number=gr.State(1, time_to_live=86_400),
        opened=opened,
        back=back,
        delete=delete,
        sure=sure,
        confirm=confirm,
        keep=keep,
        view=shown,
        current=gr.State("", time_to_live=86_400),
        problem=problem,
        browser=browser,
    )


def _filters() -> tuple[gr.Textbox, dict[str, gr.Dropdown], tuple[gr.Textbox, gr.Textbox], gr.Button]:
    with gr.Row(elem_classes=["filters"]):
        text = gr.Textbox(
            label=label("find"),
            placeholder=label("find_placeholder"),
            max_lines=1,
            min_width=220,
            elem_id="find",
        )
        menus = {
            name: gr.Dropdown(
                [(label("any"), "")],
                value="",
                label=label(f"filter_{name}"),
                min_width=110,
                elem_id=f"filter-{name}",
                filterable=False,
            )
            for name in MENUS
        }
        costs = (
            gr.Textbox(label=label("filter_from"), min_width=70, max_lines=1, elem_id="filter-from"),
            gr.Textbox(label=label("filter_to"), min_width=70, max_lines=1, elem_id="filter-to"),
        )
        clear = gr.Button(label("clear"), size="sm", scale=0, min_width=100, elem_id="clear-filters")
    return text, menus, costs, clear


# The handlers: small functions of values.


def wanted(values: tuple[Any, ...], owner: str) -> Filter:
    """Return the filter that the form's values make; values that no menu offers count as any."""
    text, catalog, policy, status, verdict, tool, low, high = values
    return Filter(
        text=text.strip()[:200] if isinstance(text, str) else "",
        catalog=_name(catalog),
        policy=_name(policy),
        status=cast(Status, status) if status in get_args(Status) else None,
        verdict=cast(Verdict, verdict) if verdict in get_args(Verdict) else None,
        tool=_name(tool),
        owner=owner,
        cost_from=_amount(low),
        cost_to=_amount(high),
    )


def _name(value: Any) -> str | None:
    return value[:200] if isinstance(value, str) and value else None


def _amount(value: Any) -> float | None:
    try:
        number = float(value) if isinstance(value, (int, float, str)) else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


async def listed(
    desk: Desk, page: TracesPage, visitor: Visitor, values: tuple[Any, ...], number: Any
) -> dict[Any, Any]:
    """Return one page of the list."""
    texts, store = TEXTS[visitor.language], desk.workspace.store
    filter_ = wanted(values, visitor.owner)
    number = number if isinstance(number, int) and 0 < number < 1_000_000 else 1
    try:
        count = await store.count(filter_)
        number = max(1, min(number, -(-count // PAGE)))
        found = await store.list(filter_, page=number, size=PAGE)
    except OrchestraError as error:
        return {page.problem: parts("error", tag("p", str(error), class_="problem", role="alert"))}
    first = (number - 1) * PAGE + 1
    said = texts["list_page"].format(first=first, last=first + len(found) - 1, count=count) if found else ""
    filtered = filter_ != Filter(owner=visitor.owner)
    return {
        page.rows: parts("list", listing(found, texts, filtered=filtered)),
        page.counted: parts("count", tag("p", said, class_="quiet")),
        page.newer: gr.Button(interactive=number > 1),
        page.older: gr.Button(interactive=number * PAGE < count),
        page.number: number,
    }


async def offered(desk: Desk, page: TracesPage, visitor: Visitor) -> dict[Any, Any]:
    """Return the menus with what the visitor's traces can be filtered by."""
    texts = TEXTS[visitor.language]
    facets = await desk.workspace.store.facets(Filter(owner=visitor.owner))
    counts = (facets.catalogs, facets.policies, facets.statuses, facets.verdicts, facets.tools)
    return {
        page.menus[name]: gr.Dropdown([(texts["any"], ""), *_options(name, values, texts)])
        for name, values in zip(MENUS, counts, strict=True)
    }


def _options(menu: str, values: Mapping[str, int], texts: Mapping[str, str]) -> list[tuple[str, str]]:
    named = menu in ("status", "verdict")
    return [
        (f"{texts[f'{menu}_{value}'] if named else value} ({count})", value)
        for value, count in values.items()
    ]


def listing_shown(page: TracesPage) -> dict[Any, Any]:
    """Return what turns from an opened trace back to the list."""
    return {
        page.listed: gr.Column(visible=True),
        page.opened: gr.Column(visible=False),
        page.sure: gr.Row(visible=False),
        page.current: "",
    }
