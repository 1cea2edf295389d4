"""Whether others may use a visitor's traces: a box that the browser remembers, and what is kept and why."""

from typing import Any

import gradio as gr

from orchestra_app.ui.texts import label

_REMEMBER = "(on, stored) => ({ ...stored, consent: on === true })"


def consented(stored: Any) -> bool:
    """Return whether a browser's person agreed, whatever it sent; anything but a plain yes is no."""
    return isinstance(stored, dict) and stored.get("consent") is True


def consent_box() -> gr.Checkbox:
    """Lay the box out, with the notice of what is kept beneath it."""
    box = gr.Checkbox(
        False, label=label("exchange_consent"), container=False, interactive=True, elem_id="consent"
    )
    with gr.Accordion(label("exchange_notice_title"), open=False, elem_id="notice"):
        gr.Markdown(label("exchange_notice"), container=False)
    return box


def wire_consent(blocks: gr.Blocks, box: gr.Checkbox, browser: gr.BrowserState) -> None:
    """Let the browser remember what the box says."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    box.input(None, [box, browser], browser, js=_REMEMBER, **quiet)
    blocks.load(consented, browser, box, **quiet)
