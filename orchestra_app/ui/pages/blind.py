"""The Blind A/B page: one question under two settings, a vote, and how the settings stand."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from orchestra_app.ui.choices import Choices
from orchestra_app.ui.presets import NAMES
from orchestra_app.ui.sheet import sheet
from orchestra_app.ui.texts import label

BUTTONS = {"a": "better_a", "b": "better_b", "tie": "tie", "both bad": "bad"}
"""The buttons by the choice that each stands for."""


@dataclass(frozen=True, slots=True)
class BlindPage:
    """The components of the page."""

    question: gr.Textbox
    random: gr.Button
    catalog: gr.Dropdown
    policies: tuple[gr.Dropdown, gr.Dropdown]
    presets: tuple[gr.Dropdown, gr.Dropdown]
    menus: gr.Row
    surprise: gr.Checkbox
    ask: gr.Button
    stop: gr.Button
    shown: gr.HTML
    voting: gr.Row
    votes: dict[str, gr.Button]
    undo: gr.Button
    told: gr.HTML
    table: gr.HTML
    current: gr.State
    """The id of the duel that is shown, "" for none; the server alone knows what it stands for."""
    browser: gr.BrowserState

    @property
    def outputs(self) -> list[Any]:
        """The components that change with a duel."""
        return [self.shown, self.voting, self.undo, self.told, self.stop, self.current]


def blind_page(browser: gr.BrowserState, catalogs: Choices) -> BlindPage:
    """Lay the page out."""
    with gr.Column(elem_classes=["wide", "blind"]):
        gr.Markdown(label("blind_hint"), container=False, elem_classes=["hint"])
        with gr.Column(elem_classes=["card", "question-card"]):
            question = gr.Textbox(
                label=label("question"),
                placeholder=label("question_placeholder"),
                show_label=False,
                container=False,
                lines=2,
                max_lines=10,
                elem_id="blind-question",
            )
            with gr.Row(elem_classes=["question-row"]):
                surprise = gr.Checkbox(
                    False, label=label("blind_surprise"), container=False, elem_id="blind-surprise"
                )
                random = _button("blind_random", "blind-random", min_width=120)
                stop = _button("blind_stop", "blind-stop", interactive=False)
                ask = _button("blind_ask", "blind-ask", variant="primary")
        catalog = _menu("catalog_menu", "blind-catalog", catalogs, catalogs[0][1])
        with gr.Row(elem_classes=["blind-menus"]) as menus:
            policies, presets = zip(*(_setting(each) for each in ("one", "other")), strict=True)
        shown = sheet(elem_id="blind-shown")
        with gr.Row(visible=False, elem_id="blind-voting", elem_classes=["verdict-row"]) as voting:
            votes = {
                choice: _button(f"blind_{name}", f"blind-{name.replace('_', '-')}")
                for choice, name in BUTTONS.items()
            }
        with gr.Row(elem_classes=["verdict-row"]):
            undo = _button("blind_undo", "blind-undo", visible=False)
            told = sheet(elem_id="blind-told")
        table = sheet(elem_id="blind-table")
    return BlindPage(
        question=question,
        random=random,
        catalog=catalog,
        policies=policies,
        presets=presets,
        menus=menus,
        surprise=surprise,
        ask=ask,
        stop=stop,
        shown=shown,
        voting=voting,
        votes=votes,
        undo=undo,
        told=told,
        table=table,
        current=gr.State("", time_to_live=86_400),
        browser=browser,
    )


def _setting(name: str) -> tuple[gr.Dropdown, gr.Dropdown]:
    usual = {"one": "frugal", "other": "best"}[name]
    with gr.Row(elem_classes=["blind-setting"]):
        policy = _menu(f"blind_{name}", f"blind-policy-{name}", [], None)
        options = [(label(each), each) for each in NAMES]
        preset = _menu("blind_preset", f"blind-preset-{name}", options, usual)
    return policy, preset


def _menu(text: str, name: str, options: Any, value: str | None) -> gr.Dropdown:
    return gr.Dropdown(
        options,
        value=value,
        label=label(text),
        elem_id=name,
        filterable=False,
        interactive=True,
        min_width=120,
    )


def _button(text: str, name: str, **options: Any) -> gr.Button:
    usual: dict[str, Any] = {"size": "sm", "min_width": 90, "scale": 0} | options
    return gr.Button(label(text), elem_id=name, **usual)
