"""What happens on the Train page: every listener."""

import asyncio
from collections.abc import Mapping
from typing import Any

import gradio as gr

from orchestra_app.config import key
from orchestra_app.core.errors import ConfigError, OrchestraError
from orchestra_app.core.job import Checkpoint, Job
from orchestra_app.training.definition import Definition
from orchestra_app.training.publish import publish
from orchestra_app.training.story import CATALOG
from orchestra_app.training.survey import survey
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.guide import COMPARE, JOBS, compare, guide
from orchestra_app.ui.jobs_view import checkpoint_list, job_list, job_pieces, survey_shown
from orchestra_app.ui.markup import tag
from orchestra_app.ui.pages.ask import QUIET, said
from orchestra_app.ui.pages.train import USUAL, TrainPage
from orchestra_app.ui.sheet import parts
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.training import Form, bases, defined, packed, require_admin
from orchestra_app.ui.visitor import Visitor, token

LOG_LINES = 40


def wire_train(desk: Desk, page: TrainPage, *, tab: gr.Tab, tabs: gr.Tabs, frontier: gr.Dropdown) -> None:
    """Let the page work; `tab` is its own among `tabs`, `frontier` the Frontier tab's menu of catalogues."""

    def visitor(request: gr.Request, stored: Any) -> Visitor:
        return desk.door.visitor(request, token(stored))

    async def arrive(
        request: gr.Request, stored: Any, chosen: Any, catalog: Any, base: Any
    ) -> dict[Any, Any]:
        who = visitor(request, stored)
        values = await shown(desk, page, who, chosen)
        values[page.form] = values[page.guide_box] = gr.Accordion(visible=who.admin)
        if not who.admin:
            values[page.problem] = told(TEXTS[who.language]["train_only_admin"])
        return values | await based(catalog, base)

    async def based(catalog: Any, base: Any = "") -> dict[Any, Any]:
        try:
            offered = await bases(desk, str(catalog))
        except OrchestraError as error:
            return {page.problem: said(str(error))}
        names = [value for _, value in offered]
        # What was picked or typed stays; what the form began with only where this catalogue has it.
        if base and (base != USUAL.base or base in names):
            return {page.base: gr.Dropdown(offered)}
        return {page.base: gr.Dropdown(offered, value=names[0] if names else "")}

    async def refresh(request: gr.Request, stored: Any, chosen: Any, sure: Any) -> dict[Any, Any]:
        values = await shown(desk, page, visitor(request, stored), chosen, sure=sure)
        # Whoever has turned to another job meanwhile stays with it.
        return {key: value for key, value in values.items() if key is not page.chosen}

    async def look(request: gr.Request, stored: Any, *values: Any) -> dict[Any, Any]:
        who = visitor(request, stored)
        try:
            require_admin(who)
            definition = defined(Form(*values), who)
            folders = [each for each in desk.workspace.jobs.home.glob("*") if each.is_dir()]
            found = await survey(desk.workspace, definition, folders)
        except OrchestraError as error:
            return {page.plan: said(str(error))}
        return {page.plan: parts("survey", survey_shown(found, TEXTS[who.language]))}

    async def launch(request: gr.Request, stored: Any, *values: Any) -> dict[Any, Any]:
        who, form = visitor(request, stored), Form(*values)
        try:
            require_admin(who)
            job = await begun(desk, who, defined(form, who), str(form.launcher))
        except OrchestraError as error:
            return {page.plan: said(str(error))}
        return {page.plan: None} | await shown(desk, page, who, job.id)

    async def act(request: gr.Request, stored: Any, chosen: Any, event: gr.EventData) -> dict[Any, Any]:
        asked = event._data if isinstance(event._data, dict) else {}
        who = visitor(request, stored)
        action, target = str(asked.get("action")), str(asked.get("id"))
        try:
            if action == COMPARE:
                require_admin(who)
                await compare(desk, who)
                return {tabs: gr.Tabs(selected="frontier"), frontier: gr.Dropdown(value=CATALOG)}
            return await acted(desk, page, who, str(chosen), (action, target))
        except OrchestraError as error:
            return {page.problem: said(str(error))}

    async def push(request: gr.Request, stored: Any, chosen: Any, to: Any) -> dict[Any, Any]:
        who = visitor(request, stored)
        try:
            require_admin(who)
            checkpoint = await _newest(desk, str(chosen))
            address = await asyncio.to_thread(publish, checkpoint, str(to), key("HF_TOKEN"))
        except OrchestraError as error:
            return {page.problem: said(str(error))}
        return {page.problem: told(TEXTS[who.language]["train_pushed"].format(address=address))}

    many: dict[str, Any] = QUIET | {"concurrency_limit": None}
    view = [
        page.guide,
        page.jobs,
        page.job,
        page.checkpoints,
        page.problem,
        page.chosen,
        page.sure,
        page.timer,
        page.file,
        page.push,
    ]
    here = [page.browser, page.chosen]
    catalog = page.fields[3]
    tab.select(arrive, [*here, catalog, page.base], [*view, page.form, page.guide_box, page.base], **many)
    catalog.input(based, catalog, [page.base, page.problem], **many)
    page.timer.tick(refresh, [*here, page.sure], view, **many)
    page.look.click(look, [page.browser, *page.fields], page.plan, **many)
    page.launch.click(launch, [page.browser, *page.fields], [page.plan, *view], **many)
    for each in (page.guide, page.jobs, page.job, page.checkpoints):
        each.select(act, here, [*view, tabs, frontier], **many)
    page.push_button.click(push, [*here, page.push_to], page.problem, **many)


async def shown(desk: Desk, page: TrainPage, who: Visitor, chosen: Any, *, sure: Any = "") -> dict[Any, Any]:
    """Return the jobs, the chosen one and the checkpoints as they are now.

    sure: the job of which the page asks whether it is really to be deleted.
    """
    texts, jobs = TEXTS[who.language], desk.workspace.jobs
    found = await jobs.all()
    job = next((each for each in found if each.id == chosen), found[0] if found else None)
    pieces: list[Any] = []
    if job is not None:
        log = await jobs.logs(job, lines=LOG_LINES) if who.admin and job.launcher == "process" else ""
        events = await jobs.events(job)
        pieces = job_pieces(job, events, texts, log=log, admin=who.admin, sure=sure == job.id)
    name = job.id if job else ""
    checkpoints = await desk.workspace.store.checkpoints()
    mine = [each for each in checkpoints if each.job == name or job is None]
    return {
        page.guide: parts("guide", guide(found, checkpoints, texts)),
        page.jobs: parts("jobs", job_list(found, name, texts)),
        page.job: parts(name, *pieces),
        page.checkpoints: parts("checkpoints", checkpoint_list(mine, texts, admin=who.admin)),
        page.chosen: name,
        page.sure: sure if sure == name else "",
        page.timer: gr.Timer(active=any(not each.over for each in found)),
        page.push: gr.Row(visible=who.admin and bool(mine)),
    }


async def acted(
    desk: Desk, page: TrainPage, who: Visitor, chosen: str, event: tuple[str, str]
) -> dict[Any, Any]:
    """Do what a button of the page asks for and return what is shown then; raises ConfigError."""
    (action, target), jobs, texts = event, desk.workspace.jobs, TEXTS[who.language]
    note: Mapping[Any, Any] = {page.problem: None}
    if action == "pick":
        return await shown(desk, page, who, target) | dict(note)
    require_admin(who)
    match action:
        case "guide-collect" | "guide-learn":
            job = await begun(desk, who, JOBS[action]())
            return await shown(desk, page, who, job.id) | dict(note)
        case "stop" | "kill":
            job = await jobs.stop(target, at_once=action == "kill")
            if not job.over:
                note = {page.problem: told(texts["train_stopping"])}
        case "resume":
            await jobs.resume(target)
        case "delete":
            return await shown(desk, page, who, target, sure=target)
        case "delete-sure":
            whole = await jobs.delete(target)
            note = {page.problem: told(texts["train_deleted" if whole else "train_deleted_here"])}
        case "promote" | "demote":
            await jobs.promote(target, on=action == "promote")
        case "pack":
            path = await asyncio.to_thread(packed, await jobs.checkpoint(target))
            note = {page.file: gr.File(str(path), visible=True)}
        case _:
            raise ConfigError(texts["no_such"].format(field=action[:40]))
    return await shown(desk, page, who, chosen) | dict(note)


async def begun(desk: Desk, who: Visitor, definition: Definition, launcher: str = "process") -> Job:
    """Launch a job that has something to learn; raises OrchestraError."""
    found = await survey(desk.workspace, definition)
    if found.obstacle:
        raise ConfigError(found.obstacle)
    return await desk.workspace.train(definition, owner=who.owner, launcher=launcher)


async def _newest(desk: Desk, job_id: str) -> Checkpoint:
    found = next((each for each in await desk.workspace.store.checkpoints() if each.job == job_id), None)
    if found is None:
        raise ConfigError("This job has no checkpoint yet: wait for one, then push it.")
    return found


def told(sentence: str) -> dict[str, Any]:
    """Return the value of the page's problem line for something that went well."""
    return parts(sentence, tag("p", sentence, class_="quiet", role="status"))
