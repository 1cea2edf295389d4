"""The live view: one `gr.HTML` with a static template whose script draws the snapshots of `graph.score`."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from orchestra_app.ui.live_texts import TEXTS


def score_view(value: dict[str, Any] | None = None, *, elem_id: str = "live", **options: Any) -> gr.HTML:
    """Return the component that draws a snapshot of `graph.score`, or an empty staff for None.

    Its event `select` carries `run` and `id` (of the chosen note, see `graph.Note.id`; "" for none), and its
    event `skip` carries `run`; both come from the page, so a listener checks them. As an output it wants
    `show_progress="hidden"`.
    """
    return gr.HTML(
        value,  # pyright: ignore[reportArgumentType]
        elem_id=elem_id,
        html_template='<div class="orchestra-score"></div>',
        js_on_load=_script(),
        apply_default_css=False,
        **options,
    )


@cache
def _script() -> str:
    # What stands in a template or a prop is compiled anew with every snapshot, and so is `css_template`.
    constants = {"TEXTS": TEXTS, "SHEET": _read("view.css"), "VIEW": _read("view.html")}
    lines = [f"const {name} = {json.dumps(value)};" for name, value in constants.items()]
    return "\n".join([*lines, *map(_read, ("words.js", "layout.js", "scrub.js", "view.js"))])


def _read(name: str) -> str:
    return (Path(__file__).parent / "score" / name).read_text(encoding="utf-8")
