"""The Train page: what there is to learn, jobs with their curves, and the checkpoints they leave."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from orchestra_app.ui.choices import Choices
from orchestra_app.ui.jobs_view import settings_shown
from orchestra_app.ui.sheet import parts, sheet
from orchestra_app.ui.texts import label
from orchestra_app.ui.training import LAUNCHERS, Form

EVERY = 2.0
"""Seconds between two looks at a job that runs."""
USUAL = Form()


@dataclass(frozen=True, slots=True)
class TrainPage:
    """The components of the page."""

    fields: list[Any]
    """The inputs of a form, in the order of `Form`."""
    base: gr.Dropdown
    form: gr.Accordion
    look: gr.Button
    launch: gr.Button
    plan: gr.HTML
    problem: gr.HTML
    guide: gr.HTML
    guide_box: gr.Accordion
    jobs: gr.HTML
    job: gr.HTML
    checkpoints: gr.HTML
    file: gr.File
    push: gr.Row
    push_to: gr.Textbox
    push_button: gr.Button
    chosen: gr.State
    sure: gr.State
    """The job of which the page asks whether it is really to be deleted; "" for none."""
    timer: gr.Timer
    browser: gr.BrowserState


def train_page(browser: gr.BrowserState, catalogs: Choices) -> TrainPage:
    """Lay the page out."""
    with gr.Row(elem_classes=["columns", "train"]):
        with (
            gr.Column(scale=0, min_width=300, elem_classes=["side"]),
            gr.Accordion(label("train_new"), open=True, elem_id="train-form") as form,
        ):
            fields, base, look, launch, plan = _form(catalogs)
        with gr.Column(scale=1, min_width=300, elem_classes=["main"]):
            problem = sheet(elem_id="train-problem")
            with gr.Accordion(label("guide_title"), elem_id="train-guide-box", visible=False) as guide_box:
                guide = sheet(elem_id="train-guide")
            gr.Markdown(label("train_jobs"), elem_classes=["title"])
            jobs = sheet(elem_id="train-jobs")
            job = sheet(elem_id="train-job")
            gr.Markdown(label("train_checkpoints"), elem_classes=["title"])
            checkpoints = sheet(elem_id="train-checkpoints")
            file = gr.File(label=label("train_file"), visible=False, interactive=False, elem_id="train-file")
            with gr.Row(visible=False) as push:
                push_to = gr.Textbox(label=label("train_push_to"), max_lines=1, elem_id="train-push-to")
                push_button = gr.Button(
                    label("train_push"), size="sm", scale=0, min_width=140, elem_id="train-push"
                )
    return TrainPage(
        fields=fields,
        base=base,
        form=form,
        look=look,
        launch=launch,
        plan=plan,
        problem=problem,
        guide=guide,
        guide_box=guide_box,
        jobs=jobs,
        job=job,
        checkpoints=checkpoints,
        file=file,
        push=push,
        push_to=push_to,
        push_button=push_button,
        chosen=gr.State(""),
        sure=gr.State(""),
        timer=gr.Timer(EVERY, active=False),
        browser=browser,
    )


def _form(catalogs: Choices) -> tuple[list[Any], gr.Dropdown, gr.Button, gr.Button, gr.HTML]:
    def text(name: str, **more: Any) -> gr.Textbox:
        value = getattr(USUAL, name)
        options: dict[str, Any] = {"max_lines": 1, "interactive": True, "elem_id": f"train-{name}"} | more
        return gr.Textbox(value, label=label("train_" + name), **options)

    def number(name: str, **more: Any) -> gr.Number:
        value = getattr(USUAL, name)
        options: dict[str, Any] = {"precision": 0, "min_width": 60, "interactive": True} | more
        return gr.Number(value, label=label("train_" + name), elem_id=f"train-{name}", **options)

    def choice(name: str, offered: list[Any], **more: Any) -> gr.Radio:
        value = getattr(USUAL, name)
        return gr.Radio(
            offered,
            value=value,
            label=label("train_" + name),
            elem_id=f"train-{name}",
            interactive=True,
            **more,
        )

    name = text("name")
    modes = [(label("train_mode_" + each), each) for each in ("rollout", "traces")]
    mode = choice("mode", modes, info=label("train_mode_info"))
    base = gr.Dropdown(
        [(USUAL.base, USUAL.base)],
        value=USUAL.base,
        label=label("train_base"),
        info=label("train_base_info"),
        allow_custom_value=True,
        interactive=True,
        elem_id="train-base",
    )
    catalog = gr.Dropdown(
        catalogs,
        value=catalogs[0][1],
        label=label("catalog_menu"),
        interactive=True,
        elem_id="train-catalog",
        filterable=False,
    )
    with gr.Row():
        steps = number("steps")
        groups, group_size = number("groups"), number("group_size")
    with gr.Row():
        evaluate_every, evaluate_count = number("evaluate_every"), number("evaluate_count")
    with gr.Accordion(label("train_more"), open=False):
        places = [(label("train_launcher_" + each), each) for each in LAUNCHERS]
        launcher = choice("launcher", places)
        learning_rate = text("learning_rate")
        reward = choice("reward", ["product", "paper"], info=label("train_reward_info"))
        loss = choice("loss", ["grpo", "cispo"], info=label("train_loss_info"))
        with gr.Row():
            checkpoint_every, seed = number("checkpoint_every"), number("seed")
        cap = text("cap")
        further = gr.Textbox(label=label("train_toml"), lines=3, max_lines=20, elem_id="train-further")
        gr.Markdown(label("train_toml_info"), elem_classes=["quiet"])
        with gr.Accordion(label("train_settings"), open=False):
            sheet(parts("settings", settings_shown()))
    with gr.Row():
        look = gr.Button(label("train_look"), size="sm", elem_id="train-look", min_width=150)
        launch = gr.Button(
            label("train_launch"), variant="primary", size="sm", elem_id="train-launch", min_width=90
        )
    plan = sheet(elem_id="train-plan")
    fields = [name, mode, base, catalog, launcher, steps, groups, group_size, learning_rate, reward, loss,
              evaluate_every, evaluate_count, checkpoint_every, cap, seed, further]  # fmt: skip
    return fields, base, look, launch, plan
