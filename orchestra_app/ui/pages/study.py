"""The studies of an opened trace: another way from a turn, other settings and prices, and a comparison."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from orchestra_app.ui.pages.settings import Settings, settings
from orchestra_app.ui.sheet import parts, sheet, signal
from orchestra_app.ui.texts import label
from orchestra_app.ui.whatif import RATES

PREFIX = "study-"
"""Stands before the element ids of the settings, which the Ask page has too."""


@dataclass(frozen=True, slots=True)
class Study:
    """The components under an opened trace."""

    family: gr.HTML
    """Links to the relatives; it stands above the trace."""
    waiting: gr.Row
    stop: gr.Button
    tools: gr.Column
    settings: Settings
    turn: gr.Dropdown
    begin: gr.Button
    problem: gr.HTML
    plan: gr.HTML
    judged: gr.HTML
    table: gr.Dropdown
    """Whose prices fill the grid."""
    grid: gr.Dataframe
    bill: gr.HTML
    other: gr.Dropdown
    """The trace to compare with."""
    compared: gr.HTML
    mixed: gr.State
    """What the mixer is drawn for, see `study_shown.Mixed`; None: for nothing."""
    mixing: gr.HTML
    """Shows nothing; it changes once for each mixer that is to be drawn or to go, see `sheet.signal`."""
    weights: gr.State
    """Where the mixer's sliders stand, by name: the mixer itself is drawn anew for every trace."""
    begun: gr.HTML
    """Shows nothing; its value has the `run` under way that the page turns to, see `turns_to`."""

    @property
    def outputs(self) -> list[Any]:
        """What depends on which trace is opened."""
        chosen = self.settings
        shown = [self.family, self.waiting, self.tools, self.turn, self.begin, self.problem, self.plan]
        shown += [self.judged, self.table, self.grid, self.bill, self.other, self.compared, self.mixed]
        return [*shown, self.mixing, self.weights, chosen.policy, *chosen.fixed]


def turns_to(run: str) -> dict[str, Any]:
    """Return the value of `Study.begun` for a run under way."""
    return parts("") | {"run": run}


def study(family: gr.HTML) -> Study:
    """Lay the studies out below a trace; `family` stands above it."""
    with gr.Row(visible=False, elem_id="study-waiting", elem_classes=["study-waiting"]) as waiting:
        gr.Markdown(label("study_running"), container=False)
        stop = gr.Button(label("study_stop"), size="sm", scale=0, min_width=80, elem_id="study-stop")
    with gr.Column(visible=False, elem_id="study", elem_classes=["study"]) as tools:
        with gr.Accordion(label("study_fork"), open=False, elem_id="study-fork"):
            chosen, turn, begin, problem, plan, judged = _fork()
        with gr.Accordion(label("study_prices"), open=False, elem_id="study-prices"):
            table, grid, bill = _prices()
        with gr.Accordion(label("study_compare"), open=False, elem_id="study-compare"):
            other = gr.Dropdown(
                [],
                label=label("study_other"),
                info=label("study_other_info"),
                allow_custom_value=True,
                interactive=True,
                elem_id="study-other",
            )
            compared = sheet(elem_id="study-compared")
    return Study(
        family=family,
        waiting=waiting,
        stop=stop,
        tools=tools,
        settings=chosen,
        turn=turn,
        begin=begin,
        problem=problem,
        plan=plan,
        judged=judged,
        table=table,
        grid=grid,
        bill=bill,
        other=other,
        compared=compared,
        mixed=gr.State(None, time_to_live=86_400),
        mixing=signal(elem_id="study-mixing"),
        weights=gr.State({}, time_to_live=86_400),
        begun=sheet(elem_id="study-begun"),
    )


def _fork() -> tuple[Settings, gr.Dropdown, gr.Button, gr.HTML, gr.HTML, gr.HTML]:
    with gr.Row(elem_classes=["columns", "study-columns"]):
        with gr.Column(scale=0, min_width=280, elem_id="study-settings", elem_classes=["study-side"]):
            chosen = settings([("", "")], prefix=PREFIX)
        with gr.Column(scale=1, min_width=280, elem_classes=["main"]):
            with gr.Row(elem_classes=["study-begin"]):
                turn = gr.Dropdown(
                    [],
                    label=label("study_turn"),
                    info=label("study_turn_info"),
                    filterable=False,
                    interactive=True,
                    elem_id="study-turn",
                )
                begin = gr.Button(
                    label("study_begin"), variant="primary", scale=0, min_width=110, elem_id="study-begin"
                )
            problem = sheet(elem_id="study-problem")
            plan = sheet(elem_id="study-plan")
            judged = sheet(elem_id="study-judged")
    return chosen, turn, begin, problem, plan, judged


def _prices() -> tuple[gr.Dropdown, gr.Dataframe, gr.HTML]:
    table = gr.Dropdown(
        [],
        label=label("study_table"),
        info=label("study_table_info"),
        filterable=False,
        interactive=True,
        elem_id="study-table",
    )
    grid = gr.Dataframe(
        headers=["name", *RATES],
        datatype=["str", "number", "number", "number", "number"],
        type="array",
        column_count=1 + len(RATES),
        interactive=True,
        static_columns=[0],
        show_label=False,
        buttons=[],
        elem_id="study-grid",
    )
    return table, grid, sheet(elem_id="study-bill")
