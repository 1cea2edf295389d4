"""The view of one trace, live or kept: its score, answer, verdict, bill and transcript."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import Markup

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.trace import Trace
from orchestra_app.ui.details import DetailsForm, details
from orchestra_app.ui.graph import score
from orchestra_app.ui.labels_view import said
from orchestra_app.ui.live import score_view
from orchestra_app.ui.markup import tag
from orchestra_app.ui.outcome import headline, outcome
from orchestra_app.ui.receipt import receipt
from orchestra_app.ui.sheet import parts, sheet
from orchestra_app.ui.texts import label

Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class View:
    """The components of the view; each page has its own, with its own prefix before the element ids."""

    head: gr.HTML
    live: gr.HTML
    answer: gr.HTML
    buttons: dict[str, gr.Button]
    gold: gr.Textbox
    kept: gr.HTML
    details: DetailsForm
    bill: gr.HTML
    transcript: gr.HTML

    @property
    def first(self) -> list[Any]:
        """The components of the first screen, which `first_screen` gives values for."""
        return [self.head, self.live, self.answer, self.details.labels]

    @property
    def rest(self) -> list[Any]:
        """The components that `below` gives values for."""
        return [self.bill, self.transcript, self.details.labels]

    @property
    def outputs(self) -> list[Any]:
        """All that `first_screen` and `below` give values for: values as they are drawn, no updates.

        Gradio takes a thread for each value that it is to prepare, and makes each component anew that is
        updated or skipped; a listener that many wait for says `postprocess=False` and gives all of them.
        """
        return [*self.first, self.bill, self.transcript]

    @property
    def emptied(self) -> dict[Any, Any]:
        """What stands below the first screen and in a verdict's form on a page that leaves a trace."""
        form = {self.gold: "", self.kept: None, self.details.rating: None, self.details.note: ""}
        return {self.bill: None, self.transcript: None, **form}

    def first_screen(
        self,
        trace: Trace,
        texts: Texts,
        *,
        catalog: Catalog | None,
        now: float | None = None,
        speed: float = 1.0,
        reserved: float = 0.0,
        text: str = "",
        mine: bool = True,
    ) -> dict[Any, Any]:
        """Return what the components show that can be seen without scrolling.

        reserved: USD set aside for calls under way. text: what the policy has streamed in this turn.
        mine: it belongs to whoever looks at it, who alone may judge or delete it. The styles show the verdict
        by the markup, and what else depends on that; the calls that can be marked are not listed as yet.
        """
        over = trace.status != "running"
        simulated = catalog.simulated if catalog else trace.simulated
        return {
            self.head: parts(trace.id, headline(trace, texts, simulated=simulated, mine=mine)),
            self.live: score(trace, now=now, speed=speed, reserved=reserved),
            self.answer: parts(trace.id, *([outcome(trace, texts)] if over else _streamed(text))),
            self.details.labels: parts(trace.id, *(said(trace, texts, brief=True) if over else ())),
        }

    def below(
        self, trace: Trace, texts: Texts, *, pieces: Sequence[Markup], beside: Markup | None = None
    ) -> dict[Any, Any]:
        """Return what the components show below the first screen, and the calls that can be marked.

        pieces: those of the transcript. beside: what stands beside the bill.
        """
        over = trace.status != "running"
        bill = (
            [tag("section", tag("h3", texts["bill"]), receipt(trace, texts))] if over or trace.charges else []
        )
        return {
            self.bill: parts(trace.id, *bill, *([beside] if beside else [])),
            self.transcript: parts(trace.id, *([tag("h3", texts["transcript"]), *pieces] if pieces else ())),
            self.details.labels: parts(trace.id, *(said(trace, texts) if over else ())),
        }


def _streamed(text: str) -> list[Markup]:
    return [tag("p", text, class_="streamed")] if text else []


def view(prefix: str = "") -> View:
    """Lay the view out; `prefix` stands before every element id."""

    def named(name: str) -> dict[str, Any]:
        return {"elem_id": prefix + name, "elem_classes": ["view-" + name]}

    head = sheet(**named("headline"))
    with gr.Column(elem_classes=["card", "answer-card"]):
        answer = sheet(**named("answer"))
        with gr.Column(**named("verdict")):
            buttons, gold, kept = _verdict(prefix)
            form = details(prefix)
    live = score_view(elem_id=prefix + "live", elem_classes=["view-live"])
    return View(
        head=head,
        live=live,
        answer=answer,
        buttons=buttons,
        gold=gold,
        kept=kept,
        details=form,
        bill=sheet(**named("bill")),
        transcript=sheet(**named("transcript")),
    )


def _verdict(prefix: str) -> tuple[dict[str, gr.Button], gr.Textbox, gr.HTML]:
    with gr.Row(elem_classes=["verdict-row"]):
        buttons = {
            name: gr.Button(
                label(f"button_{name}"), elem_id=f"{prefix}verdict-{name}", size="sm", min_width=90, scale=0
            )
            for name in ("correct", "incorrect", "unsure")
        }
        gold = gr.Textbox(
            label=label("gold"),
            placeholder=label("gold_placeholder"),
            show_label=False,
            container=False,
            max_lines=1,
            max_length=20_000,
            min_width=180,
            interactive=True,
            elem_id=f"{prefix}gold",
            html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
        )
    return buttons, gold, sheet(elem_id=f"{prefix}kept")
