"""The Label page: traces that wait for a verdict, one after the other, with guidelines beside them."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from orchestra_app.storage.guidelines import LONGEST
from orchestra_app.ui.details import rating_and_note
from orchestra_app.ui.labels import MAX_GOLD, VERDICTS
from orchestra_app.ui.sheet import sheet
from orchestra_app.ui.texts import label


@dataclass(frozen=True, slots=True)
class Deciding:
    """What only an administrator sees."""

    all: gr.Accordion
    text: gr.Textbox
    share: gr.Number
    anybody: gr.Checkbox
    save: gr.Button
    told: gr.HTML


@dataclass(frozen=True, slots=True)
class QueuePage:
    """The components of the page."""

    card: gr.HTML
    row: gr.Column
    buttons: dict[str, gr.Button]
    gold: gr.Textbox
    rating: gr.Radio
    note: gr.Textbox
    skip: gr.Button
    undo: gr.Button
    told: gr.HTML
    menus: tuple[gr.Dropdown, gr.Dropdown]
    """What to label: the catalogue and the policy."""
    progress: gr.HTML
    guidelines: gr.HTML
    deciding: Deciding
    current: gr.State
    """The id of the trace that is served, "" for none."""
    browser: gr.BrowserState

    @property
    def served(self) -> list[Any]:
        """The components that change with the trace."""
        return [self.card, self.row, self.gold, self.rating, self.note, self.told, self.current]


def queue_page(browser: gr.BrowserState) -> QueuePage:
    """Lay the page out."""
    with gr.Row(elem_classes=["columns", "queue"]):
        with gr.Column(scale=1, min_width=300, elem_classes=["main"]):
            with gr.Column(elem_classes=["card", "queue-card"]):
                card = sheet(elem_id="queue-card")
                with gr.Column(visible=False, elem_id="queue-verdict", elem_classes=["view-verdict"]) as row:
                    buttons, skip, gold, rating, note = _verdict()
            with gr.Row(elem_classes=["verdict-row"]):
                undo = _button("queue_undo", "queue-undo")
                told = sheet(elem_id="queue-told")
        with gr.Column(scale=0, min_width=300, elem_classes=["side"]):
            progress = sheet(elem_id="queue-progress")
            menus = _menus()
            guidelines = sheet(elem_id="queue-guidelines")
            deciding = _deciding()
    return QueuePage(
        card=card,
        row=row,
        buttons=buttons,
        gold=gold,
        rating=rating,
        note=note,
        skip=skip,
        undo=undo,
        told=told,
        menus=menus,
        progress=progress,
        guidelines=guidelines,
        deciding=deciding,
        current=gr.State("", time_to_live=86_400),
        browser=browser,
    )


def _button(text: str, name: str) -> gr.Button:
    return gr.Button(label(text), elem_id=name, size="sm", min_width=90, scale=0)


def _verdict() -> tuple[dict[str, gr.Button], gr.Button, gr.Textbox, gr.Radio, gr.Textbox]:
    with gr.Row(elem_classes=["verdict-row"]):
        buttons = {name: _button(f"button_{name}", f"queue-verdict-{name}") for name in VERDICTS}
        skip = _button("queue_skip", "queue-skip")
        gold = gr.Textbox(
            label=label("gold"),
            placeholder=label("gold_placeholder"),
            show_label=False,
            container=False,
            max_lines=1,
            max_length=MAX_GOLD,
            min_width=180,
            elem_id="queue-gold",
            html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
        )
    with gr.Row(elem_classes=["verdict-row", "details-row"]):
        rating, note = rating_and_note("queue-")
    return buttons, skip, gold, rating, note


def _menus() -> tuple[gr.Dropdown, gr.Dropdown]:
    with gr.Row(elem_classes=["filters"]):
        catalog, policy = (
            gr.Dropdown(
                [(label("any"), "")],
                value="",
                label=label(f"filter_{name}"),
                min_width=110,
                elem_id=f"queue-{name}",
                filterable=False,
            )
            for name in ("catalog", "policy")
        )
    return catalog, policy


def _deciding() -> Deciding:
    with gr.Accordion(label("queue_decide"), open=False, visible=False, elem_id="queue-decide") as inside:
        text = gr.Textbox(
            label=label("queue_text"),
            info=label("queue_text_info"),
            lines=6,
            max_lines=16,
            max_length=LONGEST,
            elem_id="queue-text",
        )
        share = gr.Number(
            label=label("queue_share"), minimum=0, maximum=100, step=5, value=20, elem_id="queue-share"
        )
        anybody = gr.Checkbox(label=label("queue_anybody"), elem_id="queue-anybody")
        save = _button("queue_save", "queue-save")
        told = sheet(elem_id="queue-decided")
    return Deciding(inside, text, share, anybody, save, told)
