"""What may go with a verdict: a rating, a note, automatic verdicts, and everything said so far."""

from dataclasses import dataclass

import gradio as gr

from orchestra_app.ui.labels import MAX_NOTE
from orchestra_app.ui.sheet import sheet
from orchestra_app.ui.texts import label


@dataclass(frozen=True, slots=True)
class DetailsForm:
    """The components below the verdict buttons of a view."""

    rating: gr.Radio
    note: gr.Textbox
    add: gr.Button
    check: gr.Button
    judge: gr.Button
    labels: gr.HTML


def rating_and_note(prefix: str) -> tuple[gr.Radio, gr.Textbox]:
    """Lay out what a person may add to a verdict beside the right answer."""
    rating = gr.Radio(
        [(f"★{number} ⇧{number}", number) for number in range(1, 6)],
        label=label("labels_rating"),
        elem_id=f"{prefix}rating",
        elem_classes=["rating"],
        container=False,
        interactive=True,
    )
    note = gr.Textbox(
        label=label("labels_note"),
        placeholder=label("labels_note_placeholder"),
        show_label=False,
        container=False,
        max_lines=4,
        max_length=MAX_NOTE,
        min_width=180,
        interactive=True,
        elem_id=f"{prefix}note",
        html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
    )
    return rating, note


def details(prefix: str) -> DetailsForm:
    """Lay the form out; `prefix` stands before every element id."""

    def button(name: str) -> gr.Button:
        return gr.Button(label(f"labels_{name}"), elem_id=f"{prefix}{name}", size="sm", min_width=90, scale=0)

    with gr.Row(elem_classes=["verdict-row", "details-row"]):
        rating, note = rating_and_note(prefix)
        add = button("add")
    with gr.Row(elem_classes=["verdict-row", "details-row"]):
        check, judge = button("check"), button("judge")
    return DetailsForm(
        rating, note, add, check, judge, sheet(elem_id=f"{prefix}labels", elem_classes=["said"])
    )
