"""The Frontier page: what accuracy costs, from a sweep over settings or from what is labelled already."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from orchestra_app.orchestrator.presets import NEUTRAL_PRESET, PRESETS
from orchestra_app.ui.choices import Choices
from orchestra_app.ui.sheet import sheet
from orchestra_app.ui.sweeping import LABELLED, SETS
from orchestra_app.ui.texts import label

NUMBER: dict[str, Any] = {"min_width": 60, "interactive": True}


@dataclass(frozen=True, slots=True)
class SweepForm:
    """The components that describe a new sweep."""

    box: gr.Accordion
    questions: gr.Dropdown
    file: gr.File
    limit: gr.Number
    policies: gr.Dropdown
    presets: gr.CheckboxGroup
    budgets: gr.Textbox
    seconds: gr.Number
    turns: gr.Number
    repeats: gr.Number
    cap: gr.Textbox
    seed: gr.Number
    concurrency: gr.Number
    plan: gr.HTML
    launch: gr.Button
    sure: gr.Row
    yes: gr.Button
    no: gr.Button

    @property
    def fields(self) -> list[Any]:
        """The inputs of a form, in the order of `Form` without its catalogue."""
        return [
            self.questions,
            self.file,
            self.limit,
            self.policies,
            self.presets,
            self.budgets,
            self.seconds,
            self.turns,
            self.repeats,
            self.cap,
            self.seed,
            self.concurrency,
        ]


@dataclass(frozen=True, slots=True)
class FrontierPage:
    """The components of the page."""

    form: SweepForm
    source: gr.Dropdown
    catalog: gr.Dropdown
    axis: gr.Radio
    progress: gr.HTML
    stop: gr.Button
    resume: gr.Button
    problem: gr.HTML
    card: gr.Column
    chart: gr.Plot
    caption: gr.HTML
    png: gr.Button
    table: gr.HTML
    details: gr.HTML
    health: gr.HTML
    health_box: gr.Accordion
    browser: gr.BrowserState


def frontier_page(browser: gr.BrowserState, catalogs: Choices) -> FrontierPage:
    """Lay the page out."""
    with gr.Row(elem_classes=["columns", "frontier"]):
        with gr.Column(scale=0, min_width=300, elem_classes=["side"]):
            form = _form()
        with gr.Column(scale=1, min_width=300, elem_classes=["main"]):
            with gr.Row(elem_classes=["filters", "frontier-bar"]):
                source = gr.Dropdown(
                    [(label("frontier_labelled"), LABELLED)],
                    value=LABELLED,
                    label=label("frontier_shown"),
                    elem_id="frontier-source",
                    filterable=False,
                    interactive=True,
                    min_width=220,
                )
                catalog = gr.Dropdown(
                    catalogs,
                    value=catalogs[0][1],
                    label=label("catalog_menu"),
                    elem_id="frontier-catalog",
                    filterable=False,
                    interactive=True,
                    min_width=140,
                )
                axis = gr.Radio(
                    [(label("frontier_by_cost"), "cost"), (label("frontier_by_seconds"), "seconds")],
                    value="cost",
                    label=label("frontier_axis"),
                    elem_id="frontier-axis",
                    interactive=True,
                    min_width=150,
                )
            problem = sheet(elem_id="frontier-problem")
            with gr.Row(elem_classes=["sweep-row"]):
                progress = sheet(elem_id="frontier-progress")
                stop = gr.Button(
                    label("frontier_stop"), visible=False, scale=0, min_width=84, elem_id="frontier-stop"
                )
                resume = gr.Button(
                    label("frontier_resume"), visible=False, scale=0, min_width=84, elem_id="frontier-resume"
                )
            with gr.Column(elem_classes=["card", "chart-card"], visible=False) as card:
                chart = gr.Plot(
                    label=label("frontier_chart"), show_label=False, container=False, elem_id="frontier-chart"
                )
                with gr.Row(elem_classes=["caption-row"]):
                    caption = sheet(elem_id="frontier-caption")
                    png = gr.Button(
                        label("frontier_png"), size="sm", scale=0, min_width=60, elem_id="frontier-png"
                    )
            gr.Markdown(label("frontier_waiting"), container=False, elem_id="frontier-waiting")
            table = sheet(elem_id="frontier-table")
            details = sheet(elem_id="frontier-details")
            with gr.Accordion(
                label("frontier_health"), open=False, visible=False, elem_id="frontier-health-box"
            ) as health_box:
                health = sheet(elem_id="frontier-health")
    return FrontierPage(
        form=form,
        source=source,
        catalog=catalog,
        axis=axis,
        progress=progress,
        stop=stop,
        resume=resume,
        problem=problem,
        card=card,
        chart=chart,
        caption=caption,
        png=png,
        table=table,
        details=details,
        health=health,
        health_box=health_box,
        browser=browser,
    )


def _form() -> SweepForm:
    with gr.Accordion(label("frontier_sweep"), open=True, visible=False, elem_id="frontier-form") as box:
        asked = gr.Dropdown(
            [
                (label(f"frontier_set_{name}"), value)
                for name, value in zip(("heldout", "train", "file", "traces"), SETS, strict=True)
            ],
            value=SETS[0],
            label=label("frontier_set"),
            elem_id="frontier-set",
            filterable=False,
            interactive=True,
        )
        file = gr.File(
            label=label("frontier_file"),
            file_types=[".csv", ".jsonl", ".ndjson"],
            type="filepath",
            visible=False,
            height=110,
            elem_id="frontier-file",
            interactive=True,
        )
        policies = gr.Dropdown(
            [],
            value=[],
            multiselect=True,
            label=label("frontier_policies"),
            info=label("frontier_policies_info"),
            elem_id="frontier-policies",
            filterable=False,
            interactive=True,
        )
        presets = gr.CheckboxGroup(
            [(label(f"frontier_preset_{name}"), name) for name in PRESETS],
            value=[NEUTRAL_PRESET],
            label=label("frontier_presets"),
            elem_id="frontier-presets",
            interactive=True,
        )
        with gr.Row(elem_classes=["budget"]):
            limit = _number("frontier_limit", 60, "frontier-limit")
            repeats = _number("frontier_repeats", 1, "frontier-repeats")
        budgets = gr.Textbox(
            "0.10",
            label=label("frontier_budgets"),
            info=label("frontier_budgets_info"),
            elem_id="frontier-budgets",
            max_lines=1,
            interactive=True,
        )
        cap = gr.Textbox(
            label=label("frontier_cap"),
            info=label("frontier_cap_info"),
            elem_id="frontier-cap",
            max_lines=1,
            interactive=True,
        )
        with gr.Accordion(label("advanced"), open=False, elem_id="frontier-advanced"):
            with gr.Row(elem_classes=["budget"]):
                seconds = _number("budget_seconds", 120, "frontier-seconds")
                turns = _number("budget_turns", 20, "frontier-turns")
            with gr.Row(elem_classes=["budget"]):
                seed = _number("seed", 0, "frontier-seed")
                concurrency = _number("frontier_concurrency", 4, "frontier-concurrency")
        plan = sheet(elem_id="frontier-plan")
        launch = gr.Button(label("frontier_launch"), variant="primary", elem_id="frontier-launch")
        with gr.Row(visible=False, elem_id="frontier-sure", elem_classes=["sure"]) as sure:
            gr.Markdown(label("frontier_sure"), container=False)
            yes = gr.Button(
                label("frontier_yes"), size="sm", variant="primary", scale=0, elem_id="frontier-yes"
            )
            no = gr.Button(label("frontier_no"), size="sm", scale=0, elem_id="frontier-no")
    return SweepForm(
        box=box,
        questions=asked,
        file=file,
        limit=limit,
        policies=policies,
        presets=presets,
        budgets=budgets,
        seconds=seconds,
        turns=turns,
        repeats=repeats,
        cap=cap,
        seed=seed,
        concurrency=concurrency,
        plan=plan,
        launch=launch,
        sure=sure,
        yes=yes,
        no=no,
    )


def _number(key: str, value: float, elem_id: str) -> gr.Number:
    return gr.Number(value, label=label(key), elem_id=elem_id, step=1, **NUMBER)
