"""A part of the page that the server writes as escaped HTML; the template is static and evaluates nothing."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from orchestra_app.ui.markup import Child, join


def sheet(value: dict[str, Any] | None = None, **options: Any) -> gr.HTML:
    """Return a component that shows what `parts` makes, or nothing for None.

    A click on an element with `data-action` sends the event `select` with `action` and `id`, or the event
    `open` where that is the action; both come from the page, so a listener checks them. Give it as an output
    with `show_progress="hidden"`.
    """
    return gr.HTML(
        value,  # pyright: ignore[reportArgumentType]
        html_template='<div class="sheet"></div>',
        js_on_load=_script(),
        apply_default_css=False,
        **options,
    )


def signal(**options: Any) -> gr.HTML:
    """Return a component that shows nothing and whose change is an event; render it where it is always there.

    Gradio may tell twice of one change of a state, where events that could change it overlap.
    """
    return sheet(visible="hidden", render=False, **options)


def parts(key: str, *pieces: Child | Sequence[Child]) -> dict[str, Any]:
    """Return the value of a sheet: only pieces that differ are drawn anew while `key` stays the same."""
    return {
        "key": key,
        "parts": [str(join([piece] if isinstance(piece, str) else piece or ())) for piece in pieces],
    }


@cache
def _script() -> str:
    return (Path(__file__).parent / "sheet.js").read_text(encoding="utf-8")
