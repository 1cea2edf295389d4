"""What happens on the Blind A/B page: every listener."""

import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import gradio as gr

from orchestra_app.core.errors import OrchestraError
from orchestra_app.core.vote import Choice
from orchestra_app.ui import choices, duels
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.blind_view import answers, chosen, standing
from orchestra_app.ui.consent import consented
from orchestra_app.ui.duels import Asked, Duel, Duels, Setting
from orchestra_app.ui.follow import Watching
from orchestra_app.ui.markup import tag
from orchestra_app.ui.pages.blind import BlindPage
from orchestra_app.ui.sheet import parts
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Visitor, token

MANY: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "concurrency_limit": None,
}
Values = dict[Any, Any]


def wire_blind(
    desk: Desk, page: BlindPage, *, tabs: tuple[gr.Tab, gr.Tab], known: Duels | None = None
) -> None:
    """Let the page work; `tabs` are the one around its own, and its own."""
    known, watching = known or Duels(), Watching()

    def visitor(request: gr.Request, stored: Any) -> Visitor:
        return desk.door.visitor(request, token(stored))

    async def arrive(
        request: gr.Request, stored: Any, current: Any, catalog: Any, one: Any, other: Any
    ) -> Values:
        who = visitor(request, stored)
        duel = known.open(who)
        resumed = {page.current: duel.id} if duel and not current else {}
        return await offered(desk, page, catalog, (one, other)) | resumed

    async def refresh(catalog: Any, one: Any, other: Any) -> Values:
        return await offered(desk, page, catalog, (one, other))

    async def start_both(request: gr.Request, stored: Any, *values: Any) -> Values:
        return await asked(desk, known, page, visitor(request, stored), (consented(stored), *values))

    async def attach(request: gr.Request, stored: Any, current: Any) -> AsyncGenerator[Values]:
        watched = watching.begin(str(request.session_hash))
        # A generator that yields nothing would empty its outputs.
        yield {page.told: gr.skip()}
        if current:
            who = visitor(request, stored)
            async with aclosing(attached(desk, known, page, who, current)) as shown_:
                async for values in shown_:
                    # The page may have turned to another pair, whose votes these answers must not get.
                    if not watched():
                        return
                    yield values

    def saying(choice: Choice) -> Any:
        async def say(request: gr.Request, stored: Any, current: Any) -> Values:
            return await voted(desk, known, page, visitor(request, stored), current, choice)

        return say

    async def undo(request: gr.Request, stored: Any, current: Any) -> Values:
        return await undone(desk, known, page, visitor(request, stored), current)

    async def stop(request: gr.Request, stored: Any, current: Any) -> None:
        try:
            duels.halt(desk, known.find(visitor(request, stored), current))
        except OrchestraError:
            return

    async def count(request: gr.Request, stored: Any) -> Values:
        return await counted(desk, known, page, visitor(request, stored))

    here, menus = [page.browser, page.current], [*page.policies, page.random, page.told]
    counting: tuple[Any, ...] = (count, [page.browser], [page.table])
    form = [page.question, page.catalog, page.surprise, *page.policies, *page.presets]
    picked = [page.catalog, *page.policies]
    arriving = [*here, *picked]
    around, tab = tabs
    around.select(refresh, picked, menus, **MANY)
    tab.select(arrive, arriving, [*menus, page.current], **MANY).then(
        attach, here, page.outputs, **MANY
    ).then(*counting, **MANY)
    page.catalog.input(refresh, picked, menus, **MANY)
    page.random.click(lambda: choices.example(random.choice(choices.KINDS)), None, page.question, **MANY)
    page.surprise.input(lambda on: gr.Row(visible=not on), page.surprise, page.menus, **MANY)
    begun = page.ask.click(start_both, [page.browser, *form], page.outputs, **MANY)
    # Gradio would leave this out while it waits for an earlier pair.
    begun.then(attach, here, page.outputs, trigger_mode="multiple", **MANY)
    for choice, button in page.votes.items():
        button.click(saying(_choice(choice)), here, page.outputs, **MANY).then(*counting, **MANY)
    page.undo.click(undo, here, page.outputs, **MANY).then(*counting, **MANY)
    page.stop.click(stop, here, None, **MANY)


async def offered(desk: Desk, page: BlindPage, catalog: Any, chosen: tuple[Any, Any]) -> Values:
    """Return the menus of a catalogue's policies; what was chosen in them stays if it is still there."""
    try:
        entries = await desk.workspace.policies(catalog)
        simulated = desk.workspace.catalog(catalog).simulated
    except OrchestraError as error:
        return {page.told: _told(str(error), "trouble")}
    menus: Values = {
        menu: choices.menu(choices.policies(entries), name, entries[0].name)
        for menu, name in zip(page.policies, chosen, strict=True)
    }
    return menus | {page.random: gr.Button(visible=simulated)}


async def asked(
    desk: Desk, known: Duels, page: BlindPage, visitor: Visitor, values: tuple[Any, ...]
) -> Values:
    """Begin a duel and return what changes, or the sentence that says why it cannot begin."""
    consent, question, catalog, surprise, one, other, first, second = values
    settings = (Setting(str(one), str(first)), Setting(str(other), str(second)))
    wanted = Asked(question, str(catalog), None if surprise is True else settings, consent)
    try:
        duel = await duels.start(desk, known, visitor, wanted)
    except OrchestraError as error:
        return {page.told: _told(str(error), "trouble")}
    return {
        page.current: duel.id,
        page.shown: parts(duel.id, tag("p", TEXTS[visitor.language]["blind_running"], class_="empty")),
        page.voting: gr.Row(visible=False),
        page.undo: gr.Button(visible=False),
        page.stop: gr.Button(interactive=True),
        page.told: None,
    }


async def attached(
    desk: Desk, known: Duels, page: BlindPage, visitor: Visitor, current: Any
) -> AsyncGenerator[Values]:
    """Yield what the page shows of a duel once both answers are there."""
    texts = TEXTS[visitor.language]
    try:
        duel = known.find(visitor, current)
        if duels.running(desk, duel):
            yield {page.shown: parts(duel.id, tag("p", texts["blind_running"], class_="empty"))}
        yield await shown(desk, page, visitor, duel)
    except OrchestraError as error:
        yield {page.told: _told(str(error), "trouble"), page.stop: gr.Button(interactive=False)}


async def shown(desk: Desk, page: BlindPage, visitor: Visitor, duel: Duel, said: str = "") -> Values:
    """Return what shows a duel whose answers are there; its settings only after the vote."""
    texts = TEXTS[visitor.language]
    traces = await duels.finished(desk, visitor, duel)
    one, other = (each.said(texts) for each in duel.settings)
    names = (one, other) if duel.revealed else None
    told = said or ("" if duel.revealed else texts["blind_vote_now"])
    return {
        page.shown: parts(duel.id, answers(traces, texts, names=names)),
        page.voting: gr.Row(visible=not duel.revealed),
        page.undo: gr.Button(visible=duel.vote is not None),
        page.stop: gr.Button(interactive=False),
        page.told: _told(told, "quiet") if told else None,
    }


async def voted(
    desk: Desk, known: Duels, page: BlindPage, visitor: Visitor, current: Any, choice: Choice
) -> Values:
    """Keep a vote and tell which was which."""
    texts = TEXTS[visitor.language]
    try:
        duel = await duels.say(desk, known, visitor, current, choice)
        said = texts["blind_voted"].format(choice=chosen(choice, texts))
        return await shown(desk, page, visitor, duel, said)
    except OrchestraError as error:
        return {page.told: _told(str(error), "trouble")}


async def undone(desk: Desk, known: Duels, page: BlindPage, visitor: Visitor, current: Any) -> Values:
    """Take the vote on the duel that is shown back."""
    try:
        duel = await duels.take_back(desk, known, visitor, current)
        return await shown(desk, page, visitor, duel, TEXTS[visitor.language]["blind_taken_back"])
    except OrchestraError as error:
        return {page.told: _told(str(error), "trouble")}


async def counted(desk: Desk, known: Duels, page: BlindPage, visitor: Visitor) -> Values:
    """Return the table of all votes that the visitor may see."""
    try:
        found = await duels.table(desk, known, visitor)
    except OrchestraError as error:
        return {page.table: _told(str(error), "trouble")}
    return {page.table: parts("table", standing(found, TEXTS[visitor.language]))}


def _choice(name: str) -> Choice:
    return next(choice for choice in duels.CHOICES if choice == name)


def _told(sentence: str, kind: str) -> dict[str, Any]:
    return parts("told", tag("p", sentence, role="status", class_=kind))
