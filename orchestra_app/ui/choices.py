"""What the menus offer, with the reason beside whatever cannot be used now."""

import random
from collections.abc import Mapping
from typing import Any, get_args

import gradio as gr
from markupsafe import Markup

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import OrchestraError
from orchestra_app.core.task import Budget
from orchestra_app.orchestrator.route import Route
from orchestra_app.rehearsal.questions import QuestionKind, questions
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.forecasts import forecast_line
from orchestra_app.ui.markup import dollars, seconds, tag
from orchestra_app.ui.wish import Wish, problems
from orchestra_app.workspace import PolicyEntry

KINDS: tuple[QuestionKind, ...] = get_args(QuestionKind)
Choices = list[tuple[str, str]]


async def catalogs(desk: Desk) -> Choices:
    """Return the catalogues, each with why it cannot be used, if so."""
    found = []
    for name in desk.workspace.catalogs:
        try:
            catalog = desk.workspace.catalog(name)
            reason = unusable(catalog, await desk.workspace.parts(name).obstacles())
            title = catalog.title
        except OrchestraError as error:
            title, reason = name, str(error)
        found.append((_marked(title, reason), name))
    return found


def unusable(catalog: Catalog, obstacles: Mapping[str, str]) -> str | None:
    """Return why a catalogue can give no answer now; None where it can."""
    ends = [
        choice.model
        for tool in catalog.tools.values()
        if tool.kind == "answer"
        for choice in tool.choices.values()
    ]
    reached = [model for model in ends if model not in obstacles]
    return None if reached else obstacles[ends[0]]


def menu(offered: Choices, chosen: Any, usual: Any) -> gr.Dropdown:
    """Return a menu of what is offered now; it turns to `usual` only where what was chosen is gone.

    Else it stays as the page has it, where another may have been chosen since the page asked.
    """
    there = {value for _, value in offered}
    several = chosen if isinstance(chosen, list) else [chosen]
    if several and all(isinstance(each, str) and each in there for each in several):
        return gr.Dropdown(offered)
    return gr.Dropdown(offered, value=usual)


def policies(entries: list[PolicyEntry]) -> Choices:
    """Return the policies as choices."""
    return [(_marked(_licensed(entry), entry.reason), entry.name) for entry in entries]


def example(kind: str) -> str:
    """Return a question of one kind out of those that no claim is trained on."""
    return random.choice([question.text for question in questions("heldout") if question.kind == kind])


async def route(desk: Desk, wish: Wish, catalog: str, texts: Mapping[str, str]) -> Markup:
    """Return the line that says what the cheapest and the dearest route to an answer would cost."""
    known = desk.workspace.catalog(catalog)
    wrong = [problem for problem in problems(wish, known) if problem.where not in ("question", "seed")]
    if wrong:
        return tag("p", wrong[0].sentence(texts), class_="route bad")
    found = await desk.workspace.routes(_short(wish.question), wish.preference, catalog)
    if found is None:
        reason = unusable(known, await desk.workspace.parts(catalog).obstacles())
        return tag("p", reason or texts["no_route"], class_="route bad")
    low, high = found
    if short := _short_of(wish.budget, low):
        said = texts["route_short"].format(
            low=dollars(low.cost), low_seconds=seconds(low.seconds), budget=" · ".join(short)
        )
        return tag("p", said, class_="route bad")
    said = texts["route"].format(
        low=dollars(low.cost),
        low_seconds=seconds(low.seconds),
        high=dollars(high.cost),
        high_seconds=seconds(high.seconds),
    )
    limit = wish.budget.cost
    capped = (
        texts["route_capped"].format(budget=dollars(limit)) if limit is not None and limit < high.cost else ""
    )
    return tag("p", " · ".join(part for part in (said, capped) if part), class_="route")


async def forecast(
    desk: Desk, wish: Wish, names: tuple[str, Any], texts: Mapping[str, str], *, learn: bool = False
) -> list[Markup]:
    """Return the line that says what a question will cost and take, or why nobody knows; at once.

    names: the catalogue and the policy. learn: True where it may wait until the first forecast is learned.
    None yet, or a form that cannot be sent: no line.
    """
    catalog, policy = desk.workspace.catalog(names[0]), names[1]
    wrong = [problem for problem in problems(wish, catalog) if problem.where not in ("question", "seed")]
    if wrong or not isinstance(policy, str) or not policy:
        return []
    known = desk.forecasts.known(catalog.hash)
    if known is None and learn:
        known = await desk.forecasts.learned(catalog.hash)
    if known is None:
        return []
    found = known.forecast(policy, _short(wish.question).strip(), wish.preference, wish.budget)
    return [forecast_line(found, policy, known.counts.get(policy, 0), texts)]


def _short_of(budget: Budget, route: Route) -> list[str]:
    """Return the limits of a budget that a route is beyond, as they are shown."""
    short = []
    if budget.cost is not None and budget.cost < route.cost:
        short.append(dollars(budget.cost))
    if budget.seconds is not None and budget.seconds < route.seconds:
        short.append(seconds(budget.seconds))
    return short


def _short(question: Any) -> str:
    return question[:20_000] if isinstance(question, str) else ""


def _marked(title: str, reason: str | None) -> str:
    return f"{title} — {reason}" if reason else title


def _licensed(entry: PolicyEntry) -> str:
    return f"{entry.title} ({entry.licence})" if entry.licence else entry.title
