"""The fold beneath the list of traces: export, import, and the deletion of everything of one's own."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from orchestra_app.ui.exchange import FORMATS
from orchestra_app.ui.sheet import sheet
from orchestra_app.ui.texts import label


@dataclass(frozen=True, slots=True)
class ExchangePage:
    """The components of the fold."""

    format: gr.Dropdown
    shared: gr.Checkbox
    mine: gr.Checkbox
    make: gr.Button
    file: gr.DownloadButton
    admin: gr.Column
    """What only an administrator sees."""
    upload: gr.UploadButton
    dataset: gr.Textbox
    push: gr.Button
    told: gr.HTML
    wipe: gr.Button
    sure: gr.Row
    yes: gr.Button
    no: gr.Button


def exchange_page() -> ExchangePage:
    """Lay the fold out."""
    with gr.Accordion(label("exchange_title"), open=False, elem_id="exchange"):
        with gr.Row(elem_classes=["filters"]):
            form = gr.Dropdown(
                [(label(f"exchange_{name}"), name) for name in FORMATS],
                value="jsonl",
                label=label("exchange_format"),
                info=label("exchange_hint"),
                filterable=False,
                elem_id="exchange-format",
            )
        shared = _box("exchange_shared", "exchange-shared")
        with gr.Row(elem_classes=["verdict-row"]):
            make = _button("exchange_make", "exchange-make")
            file = gr.DownloadButton(
                label("exchange_file"),  # pyright: ignore[reportArgumentType]
                visible=False,
                elem_id="exchange-file",
                size="sm",
                scale=0,
                min_width=110,
                variant="primary",
            )
        with gr.Column(visible=False, elem_id="exchange-admin") as admin:
            mine = _box("exchange_mine", "exchange-mine")
            with gr.Row(elem_classes=["verdict-row"]):
                upload = gr.UploadButton(
                    label("exchange_import"),  # pyright: ignore[reportArgumentType]
                    file_types=[".zip", ".jsonl", ".parquet"],
                    elem_id="exchange-import",
                    size="sm",
                    scale=0,
                    min_width=110,
                )
                dataset = gr.Textbox(
                    label=label("exchange_dataset"),
                    placeholder=label("exchange_dataset"),
                    show_label=False,
                    container=False,
                    max_lines=1,
                    min_width=180,
                    elem_id="exchange-dataset",
                )
                push = _button("exchange_push", "exchange-push")
        told = sheet(elem_id="exchange-told")
        with gr.Row(elem_classes=["verdict-row"]):
            wipe = _button("exchange_wipe", "exchange-wipe")
            with gr.Row(visible=False, elem_id="exchange-sure", elem_classes=["sure"]) as sure:
                gr.Markdown(label("exchange_wipe_sure"), container=False)
                yes = _button("exchange_wipe_yes", "exchange-wipe-yes", variant="stop")
                no = _button("exchange_wipe_no", "exchange-wipe-no")
    return ExchangePage(
        format=form,
        shared=shared,
        mine=mine,
        make=make,
        file=file,
        admin=admin,
        upload=upload,
        dataset=dataset,
        push=push,
        told=told,
        wipe=wipe,
        sure=sure,
        yes=yes,
        no=no,
    )


def _box(text: str, name: str) -> gr.Checkbox:
    return gr.Checkbox(False, label=label(text), container=False, elem_id=name)


def _button(text: str, name: str, **options: Any) -> gr.Button:
    return gr.Button(label(text), elem_id=name, size="sm", scale=0, min_width=90, **options)
