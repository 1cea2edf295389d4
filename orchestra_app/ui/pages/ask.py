"""The Ask page: a question with its settings, the run as it plays, its answer, bill and transcript."""

import json
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from orchestra_app.core.errors import OrchestraError
from orchestra_app.ui import choices
from orchestra_app.ui.asking import Desk, begin
from orchestra_app.ui.consent import consent_box, consented
from orchestra_app.ui.markup import tag
from orchestra_app.ui.pages.settings import Settings, settings, vendors
from orchestra_app.ui.sheet import parts, sheet, signal
from orchestra_app.ui.texts import TEXTS, label
from orchestra_app.ui.view import View, view
from orchestra_app.ui.visitor import Visitor
from orchestra_app.ui.wish import Problem, Wish

QUIET: dict[str, Any] = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
"""`show_progress_on` is for what `gr.render` wires; `app.build` sets it for all else."""


@dataclass(frozen=True, slots=True)
class AskPage:
    """The components of the page."""

    settings: Settings
    question: gr.Textbox
    ask: gr.Button
    stop: gr.Button
    consent: gr.Checkbox
    problem: gr.HTML
    route: gr.HTML
    examples: gr.Row
    kinds: dict[str, gr.Button]
    view: View
    current: gr.State
    """The id of the run that is shown, "" for none."""
    mixed: gr.State
    """What the mixer is drawn for: the catalogue's name, its obstacles and the language."""
    mixing: gr.HTML
    """Shows nothing; it changes once for each mixer that is to be drawn, see `sheet.signal`."""
    browser: gr.BrowserState
    troubles: dict[str, str] = field(default_factory=dict)
    """What went wrong on each open page, until it is told."""
    unasked: set[str] = field(default_factory=set)
    """The open pages that were told to type a question, until there is one."""

    @property
    def state(self) -> list[Any]:
        """The components that say whether a run is under way, and what went wrong."""
        return [self.ask, self.stop, self.problem]


def ask_page(browser: gr.BrowserState, catalogs: choices.Choices) -> AskPage:
    """Lay the page out."""
    with gr.Row(elem_classes=["columns"]):
        with (
            gr.Column(scale=0, min_width=300, elem_classes=["side"]),
            gr.Accordion(label("settings"), open=True, elem_id="settings"),
        ):
            chosen = settings(catalogs)
        with gr.Column(scale=1, min_width=300, elem_classes=["main"]):
            with gr.Column(elem_classes=["card", "question-card"]):
                question, ask, stop, route = _question()
                consent = consent_box()
            problem = sheet(elem_id="problem")
            with gr.Row(elem_classes=["examples"], elem_id="examples") as examples:
                gr.Markdown(label("examples"), container=False)
                kinds = {
                    kind: gr.Button(
                        label(f"kind_of_{kind}"), size="sm", scale=0, min_width=40, elem_id=f"example-{kind}"
                    )
                    for kind in choices.KINDS
                }
            shown = view()
    return AskPage(
        settings=chosen,
        question=question,
        ask=ask,
        stop=stop,
        consent=consent,
        problem=problem,
        route=route,
        examples=examples,
        kinds=kinds,
        view=shown,
        current=gr.State("", time_to_live=86_400),
        mixed=gr.State(None, time_to_live=86_400),
        mixing=signal(elem_id="mixing"),
        browser=browser,
    )


def _question() -> tuple[gr.Textbox, gr.Button, gr.Button, gr.HTML]:
    question = gr.Textbox(
        label=label("question"),
        placeholder=label("question_placeholder"),
        show_label=False,
        container=False,
        lines=2,
        max_lines=10,
        autofocus=True,
        interactive=True,
        elem_id="question",
    )
    with gr.Row(elem_classes=["question-row"]):
        route = sheet(elem_id="route")
        stop = gr.Button(label("stop"), elem_id="stop", interactive=False, scale=0, min_width=84)
        ask = gr.Button(label("ask"), elem_id="ask", variant="primary", scale=0, min_width=110)
    return question, ask, stop, route


# The handlers: small functions of values.


def said(sentence: str) -> dict[str, Any]:
    """Return the value of the page's problem line."""
    return parts(sentence, tag("p", sentence, role="alert", class_="problem"))


def wished(names: list[str], values: tuple[Any, ...]) -> Wish:
    """Return the wish that a form's values make: the question, the fixed settings, then the sliders."""
    question, excluded, soft, cost, latency, usd, seconds, turns, seed, *weights = values
    return Wish(
        question=question,
        weights=dict(zip(names, weights, strict=False)),
        excluded=excluded,
        soft=soft,
        cost=cost,
        latency=latency,
        budget_cost=usd,
        budget_seconds=seconds,
        budget_turns=turns,
        seed=0 if seed is None else seed,
    )


FIELDS = (
    "question",
    "excluded",
    "soft",
    "cost",
    "latency",
    "budget_cost",
    "budget_seconds",
    "budget_turns",
    "seed",
)


def validated(found: list[Problem], texts: dict[str, str], count: int) -> list[dict[str, Any]]:
    """Return a verdict per input: each field's first problem stands under it; `count` are the inputs."""
    wrong = {problem.where: problem.sentence(texts) for problem in reversed(found)}
    named = [gr.validate(field not in wrong, wrong.get(field, "")) for field in FIELDS]
    return named + [gr.validate(True, "")] * (count - len(named))


async def started(
    desk: Desk, page: AskPage, visitor: Visitor, asked: tuple[Any, Any], browser: dict[str, Any], wish: Wish
) -> dict[Any, Any]:
    """Begin a run and return what changes on the page, or the sentence that says why it cannot begin."""
    catalog, policy = asked
    try:
        run = await begin(desk, visitor, wish, catalog=catalog, policy=policy, consent=consented(browser))
    except OrchestraError as error:
        # What is on the page stays there.
        page.troubles[visitor.page] = str(error)
        return {page.problem: said(str(error))}
    return {
        **page.view.emptied,
        page.problem: None,
        page.current: run.id,
        page.browser: {**browser, "run": run.id},
        **busy(page, True),
    }


def busy(page: AskPage, running: bool) -> dict[Any, Any]:
    """Return the buttons while the run that is shown lasts, which can be stopped until it ends."""
    return {page.ask: gr.Button(interactive=not running), page.stop: gr.Button(interactive=running)}


def settled(desk: Desk, page: AskPage, visitor: Visitor, run_id: str) -> dict[Any, Any]:
    """Return what stands beside a run that was shown: its buttons, and what went wrong."""
    run = desk.workspace.runs.get(run_id, visitor.sees)
    if trouble := page.troubles.pop(visitor.page, ""):
        return {page.problem: said(trouble), **busy(page, False)}
    if run and not run.done:
        return busy(page, True)
    # What was refused because too much was under way can be asked again.
    cleared = {page.problem: None} if run_id else {}
    return {**cleared, **busy(page, False)}


async def refreshed(desk: Desk, page: AskPage, visitor: Visitor, name: str) -> dict[Any, Any]:
    """Return what hangs on the chosen catalogue; its mixer is drawn neutral."""
    workspace = desk.workspace
    try:
        entries, catalog = await workspace.policies(name), workspace.catalog(name)
        obstacles = await workspace.parts(name).obstacles()
    except OrchestraError as error:
        return {page.problem: said(str(error))}
    mixed = {"catalog": name, "obstacles": obstacles, "language": visitor.language}
    return {
        page.mixed: mixed,
        page.mixing: parts(json.dumps(mixed)),
        page.settings.policy: gr.Dropdown(choices.policies(entries), value=entries[0].name),
        page.settings.vendors: gr.Dropdown(vendors(catalog), value=[]),
        page.examples: gr.Row(visible=catalog.simulated),
        page.route: await line(desk, visitor, Wish(), name),
    }


async def offered(desk: Desk, page: AskPage, name: str, policy: Any) -> dict[Any, Any]:
    """Return the menu of policies as they are now; what was chosen stays where it is still there."""
    try:
        entries = await desk.workspace.policies(name)
    except OrchestraError as error:
        return {page.problem: said(str(error))}
    return {page.settings.policy: choices.menu(choices.policies(entries), policy, entries[0].name)}


async def line(
    desk: Desk, visitor: Visitor, wish: Wish, catalog: str, policy: Any = None, *, learn: bool = False
) -> dict[str, Any] | None:
    """Return the route line for a form as it stands, with the forecast for a policy where one is named.

    learn: True where it may wait until the forecast is learned.
    """
    texts = TEXTS[visitor.language]
    try:
        route = await choices.route(desk, wish, catalog, texts)
        known = await choices.forecast(desk, wish, (catalog, policy), texts, learn=learn)
        return parts("route", route, *known)
    except OrchestraError:
        return None
