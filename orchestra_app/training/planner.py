"""A planner that knows the simulated experts' table: the best next call by expected right answers and regret.

It sees what a policy can see (the kind of question, what was found, the sliders, the budget as it is said),
and never how a coin will fall, so that what it does can be learned from the prompt.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

from orchestra_app.backends.base import State
from orchestra_app.core.catalog import Catalog
from orchestra_app.core.message import Offer
from orchestra_app.core.task import NEUTRAL, Preference
from orchestra_app.orchestrator.instruction import COST_STEPS, SECONDS_STEPS, STRONG, WEAK
from orchestra_app.rehearsal.corpus import texts
from orchestra_app.rehearsal.free import arithmetic_program
from orchestra_app.training.outlook import Move, Outlook, View, Wish

PER_DOLLAR = {"little": 0.54, "neutral": 21.0, "much": 60.0}
"""What a dollar is worth in right answers, by how much the cost slider says."""
PER_SECOND = {"little": 0.0001, "neutral": 0.0004, "much": 0.006}
"""What a second is worth in right answers, by how much the latency slider says."""
LIKED, DISLIKED = 0.8, 0.2
"""Every slider above or below the middle counts as one of these: the instruction does not say how far."""

PRINTED, AGREED = 0.95, 0.995
"""Beliefs that an output is right: one alone, and one that a second program agrees with."""

REMEMBERED = 4_096
"""Wishes whose looking ahead is kept."""
KINDS = ("arithmetic", "maths", "fact", "code", "specialist", "twodoc", "sum", "lookup", "talk")
"""What a question can be: the rehearsal's own kinds, and those of questions that people type. A `sum` is
whatever Python computes as it stands: who wrote it cannot be seen, so it is always computed."""


class Asked(Protocol):
    """A question that the planner knows."""

    @property
    def text(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def needs(self) -> tuple[str, ...]: ...


class Planner:
    """Knows one catalogue's chances, and remembers what it looked ahead to."""

    def __init__(self, catalog: Catalog):
        self._catalog = catalog
        self._chances = {
            (name, skill): figure.value
            for name, model in catalog.models.items()
            for skill, figure in model.skills.items()
        }
        self._outlooks: dict[object, Outlook] = {}

    def best(self, state: State, question: Asked) -> str:
        """Return the alias to call next in a state where something is on offer."""
        return best_of(self.worths(state, question))

    def worths(self, state: State, question: Asked, *, plainly: bool = False) -> dict[str, float]:
        """Return what each alias on offer is worth, in right answers.

        plainly: as if there were neither sliders nor budget.
        """
        outlook = self._outlook(state, Preference() if plainly else state.task.preference, plainly)
        left = (None, None)
        if not plainly:
            left = _stepped(state.cost_left, COST_STEPS), _stepped(state.seconds_left, SECONDS_STEPS)
        return outlook.worths(view(state, question), left)

    def _outlook(self, state: State, preference: Preference, plainly: bool) -> "Outlook":
        levels = _level(preference.cost), _level(preference.latency)
        likings = tuple(
            (offer.name, alias, NEUTRAL if plainly else slider, preference.of(offer.name))
            for offer in state.offered
            for alias, slider in offer.choices.items()
        )
        key = likings, levels
        found = self._outlooks.get(key)
        if found is None:
            if len(self._outlooks) >= REMEMBERED:
                self._outlooks.clear()
            wish = Wish(
                tuple(_moves(self._catalog, state.offered, preference, plainly)),
                PER_DOLLAR[levels[0]],
                PER_SECOND[levels[1]],
                capped=levels[0] == "neutral",
            )
            found = self._outlooks[key] = Outlook(wish, self._chances)
        return found


def best_of(worths: dict[str, float]) -> str:
    """Return the alias that is worth most."""
    return max(worths, key=lambda alias: (worths[alias], alias))


def view(state: State, question: Asked) -> View:
    """Return what can be seen of a state by reading it as closely as a policy can."""
    kind = kind_of(question)
    values = [run.stdout.strip() for run in state.executions]
    values = [value for value in values if _NUMBER.fullmatch(value)]
    belief = 0.0
    if values:
        wrong = (1 - PRINTED) ** len(set(values))
        belief = AGREED if len(set(values)) < len(values) else 1 - wrong
    if kind == "lookup":
        # Every model asks a typed question's own words, so that a second search finds the same.
        missing = 0 if state.documents else 1
    else:
        known = texts()
        missing = sum(
            all(known[title] not in document.text for document in state.documents) for title in question.needs
        )
    return View(kind, missing, belief, len(state.documents))


_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@lru_cache(maxsize=8_192)
def kind_of(question: Asked) -> str:
    """Return what a question looks like, one of `KINDS`."""
    if question.kind == "arithmetic" and arithmetic_program(question.text):
        return "sum"
    return question.kind


def _level(slider: float) -> str:
    if slider >= STRONG:
        return "much"
    return "little" if slider < WEAK else "neutral"


def _stepped(left: float | None, steps: tuple[float, ...]) -> float | None:
    """Return what the instruction says is left."""
    if left is None:
        return None
    return max((step for step in steps if step <= left + 1e-12), default=0.0)


def _strength(slider: float) -> float:
    if slider in (0.0, NEUTRAL):
        return slider
    return LIKED if slider > NEUTRAL else DISLIKED


def _moves(
    catalog: Catalog, offered: tuple[Offer, ...], preference: Preference, plainly: bool
) -> Iterator[Move]:
    for offer in offered:
        tool = catalog.tools[offer.name]
        likings = {
            alias: NEUTRAL if plainly else _strength(slider) for alias, slider in offer.choices.items()
        }
        most = max(likings.values())
        # A tool whose every alias is disliked is used as little as one that is disliked itself.
        shunned = max(0.0, NEUTRAL - min(_strength(preference.of(offer.name)), most))
        for alias, liking in likings.items():
            choice = tool.choices[alias]
            price = catalog.models[choice.model].price
            input_rate, output_rate = (price.input / 1e6, price.output / 1e6) if price else (0.0, 0.0)
            yield Move(
                alias=alias,
                tool=offer.name,
                kind=tool.kind,
                model=choice.model,
                regret=most - liking + shunned,
                input_rate=input_rate,
                output_cost=output_rate * choice.typical_output,
                least_cost=output_rate * choice.min_output,
                seconds=choice.latency,
            )
