"""The verdict of a view: keeps what a person says, shows it, asks the automatic judges, and takes it back."""

from collections.abc import Awaitable, Callable
from typing import Any

import gradio as gr
from markupsafe import Markup

from orchestra_app.core.errors import OrchestraError
from orchestra_app.ui import judging, labelling
from orchestra_app.ui.asking import Desk, find, judge, take_back
from orchestra_app.ui.labels import VERDICTS, Details, note_of
from orchestra_app.ui.labels_view import quoted, said
from orchestra_app.ui.markup import dollars, tag
from orchestra_app.ui.outcome import outcome
from orchestra_app.ui.sheet import parts
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.view import View
from orchestra_app.ui.visitor import Visitor, token

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
Said = tuple[str, int | None]
"""A sentence, and the label that the button beside it takes back."""


def wire_verdict(desk: Desk, view: View, current: gr.State, browser: gr.BrowserState) -> None:
    """Let the verdict buttons of a view work on the trace whose id stands in `current`."""
    form, here = view.details, [current, browser]
    label_id = gr.State(None, time_to_live=86_400)
    filled = [view.gold, form.rating, form.note]
    outputs = [view.answer, form.labels, view.kept, label_id]
    many: dict[str, Any] = QUIET | {"concurrency_limit": None}

    def visitor(request: gr.Request, stored: Any) -> Visitor:
        return desk.door.visitor(request, token(stored))

    def keeping(verdict: str) -> Any:
        async def keep(request: gr.Request, trace_id: str, stored: Any, *values: Any) -> tuple[Any, ...]:
            return await kept(desk, visitor(request, stored), trace_id, verdict, Details(*values))

        return keep

    async def add(request: gr.Request, trace_id: str, stored: Any, *values: Any) -> tuple[Any, ...]:
        return await added(desk, visitor(request, stored), trace_id, Details(*values))

    async def check(request: gr.Request, trace_id: str, stored: Any) -> tuple[Any, ...]:
        return await compared(desk, visitor(request, stored), trace_id)

    async def quote(request: gr.Request, trace_id: str, stored: Any) -> dict[str, Any]:
        return await offered(desk, visitor(request, stored), trace_id)

    async def choose(
        request: gr.Request, trace_id: str, stored: Any, made: Any, event: gr.EventData
    ) -> tuple[Any, ...]:
        asked = event._data if isinstance(event._data, dict) else {}
        action, name = asked.get("action"), str(asked.get("id"))
        return await chosen(desk, visitor(request, stored), trace_id, (action, name), made)

    for verdict in VERDICTS:
        view.buttons[verdict].click(keeping(verdict), [*here, *filled], outputs, **many)
    form.add.click(add, [*here, *filled], outputs, **many)
    form.check.click(check, here, outputs, **many)
    form.judge.click(quote, here, view.kept, **many)
    view.kept.select(choose, [*here, label_id], outputs, **many)
    form.labels.select(choose, [*here, label_id], outputs, **many)


async def kept(
    desk: Desk, visitor: Visitor, trace_id: str, verdict: str, details: Details
) -> tuple[Any, ...]:
    """Keep a verdict and return what changes: answer, everything said, confirmation, the label's id.

    A right answer that came with it is compared at once, which costs nothing.
    """
    texts = TEXTS[visitor.language]

    async def keep() -> Said:
        label_id = await judge(desk, visitor, trace_id, verdict, details)
        if details.fields(texts).get("gold"):
            await _quietly_compared(desk, visitor, trace_id)
        return texts["kept"].format(verdict=texts[f"verdict_{verdict}"]), label_id

    return await _done(desk, visitor, trace_id, keep)


async def added(desk: Desk, visitor: Visitor, trace_id: str, details: Details) -> tuple[Any, ...]:
    """Add details to the visitor's verdict and return what changes."""

    async def add() -> Said:
        return TEXTS[visitor.language]["labels_added"], await labelling.amend(
            desk, visitor, trace_id, details
        )

    return await _done(desk, visitor, trace_id, add)


async def compared(desk: Desk, visitor: Visitor, trace_id: str) -> tuple[Any, ...]:
    """Compare the answer with the right one and return what changes."""
    texts = TEXTS[visitor.language]

    async def compare() -> Said:
        label = await labelling.check(desk, visitor, trace_id)
        verdict = texts[f"verdict_{'correct' if label.correct else 'incorrect'}"]
        return texts["labels_compared"].format(verdict=verdict, how=note_of(label, texts)), None

    return await _done(desk, visitor, trace_id, compare)


async def offered(desk: Desk, visitor: Visitor, trace_id: str) -> dict[str, Any]:
    """Return the judges that can be asked, with what each costs at most, or why none can."""
    try:
        found = await judging.quotes(desk, visitor, trace_id)
    except OrchestraError as error:
        return _told(str(error), "trouble")
    return parts("kept", quoted(found, TEXTS[visitor.language]))


async def chosen(
    desk: Desk, visitor: Visitor, trace_id: str, action: tuple[Any, str], label_id: Any
) -> tuple[Any, ...]:
    """Do what was pressed in a sheet and return what changes: undo, a mark on a call, or a judge."""
    texts, (kind, name) = TEXTS[visitor.language], action

    async def undo() -> Said:
        await take_back(desk, visitor, trace_id, label_id)
        return texts["undone"], None

    async def mark() -> Said:
        wanted, _, place = name.partition(":")
        made = await labelling.mark(desk, visitor, trace_id, wanted, place)
        return texts["labels_unmarked" if made is None else "labels_marked"], made

    async def asked() -> Said:
        label = await judging.ask(desk, visitor, trace_id, name)
        verdict = texts[f"verdict_{_VERDICT[label.correct]}"]
        cost = dollars(label.charge.cost if label.charge else 0.0, 6)
        return texts["labels_judge_said"].format(who=label.by, verdict=verdict, cost=cost), None

    match kind:
        case "mark":
            return await _done(desk, visitor, trace_id, mark)
        case "judge":
            return await _done(desk, visitor, trace_id, asked)
        case _:
            return await _done(desk, visitor, trace_id, undo)


_VERDICT = {value: name for name, value in VERDICTS.items()}


async def _done(
    desk: Desk, visitor: Visitor, trace_id: str, act: Callable[[], Awaitable[Said]]
) -> tuple[Any, ...]:
    """Return answer, everything said, what was said to the person, and the label that can be taken back."""
    texts = TEXTS[visitor.language]
    try:
        sentence, label_id = await act()
        trace = await find(desk, visitor, trace_id)
    except OrchestraError as error:
        return gr.skip(), gr.skip(), _told(str(error), "trouble"), None
    undo = tag("button", texts["undo"], type="button", class_="undo", data_action="undo")
    return (
        parts(trace.id, outcome(trace, texts)),
        parts(trace.id, *said(trace, texts)),
        _told(sentence, "quiet", undo if label_id is not None else None),
        label_id,
    )


async def _quietly_compared(desk: Desk, visitor: Visitor, trace_id: str) -> None:
    try:
        await labelling.check(desk, visitor, trace_id)
    except OrchestraError:
        # The verdict is what was asked for; that no comparison could be made is no trouble.
        return


def _told(sentence: str, kind: str, button: Markup | None = None) -> dict[str, Any]:
    return parts("kept", tag("p", tag("span", sentence, role="status"), button, class_=kind))
