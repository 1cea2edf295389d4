"""The rules of the `rules` baseline: what to call next, and which alias on offer is worth its price."""

import math

from orchestra_app.backends.base import State
from orchestra_app.backends.choosing import Option, called, options
from orchestra_app.backends.needs import READ, needs_of

MOST_TRIES = 2
"""Searches, and runs of a reasoner, after which the rules go on without."""


def follow_rules(state: State) -> tuple[Option | None, str]:
    """Return the alias to call next, None where nothing is on offer, and a sentence that says why."""
    needs = needs_of(state.task.question)
    missing = [name for name in needs.names if not _mentioned(name, state)]
    searched, reasoned = called(state, "search"), called(state, "reason")
    if needs.lookup and len(searched) < MOST_TRIES and (missing or not state.documents):
        found = _best(state, [each for each in options(state, "search") if each.alias not in searched], 0.5)
        if found:
            about = f" about {' and '.join(missing)}" if missing else ""
            return found, f"Nothing has been found{about} yet, so it is searched for."
    computed = any(run.status == 0 and run.stdout.strip() for run in state.executions)
    if needs.compute and not computed and len(reasoned) < MOST_TRIES:
        found = _best(state, [each for each in options(state, "reason") if each.alias not in reasoned], 0.5)
        if found:
            return found, "The answer has to be computed, so code is written for it."
    answers = options(state, "answer")
    if needs.specialist:
        return _best(state, answers, 1.0, weight=2.0), "It is a specialist's question, for a strong model."
    if computed or (needs.lookup and not missing and state.documents):
        return _best(state, answers, 0.6), "What was found is enough to answer."
    return _best(state, answers, 0.8), "It can be answered as it stands."


def _best(state: State, found: list[Option], wanted: float, *, weight: float = 1.0) -> Option | None:
    """Return the best liked option and, among equals, the one most worth its price.

    wanted: the strength that suffices, in [0, 1]; weight: how much strength counts beside cost and latency.
    """
    found = _within(state, found)
    if not found:
        return None
    liked = max(option.preference for option in found)
    found = [option for option in found if option.preference == liked]
    if not needs_of(state.task.question).maths:
        found = [option for option in found if not option.mathematical] or found
    preference = state.task.preference
    longest = max(option.seconds for option in found)
    dearest = max(option.cost for option in found)

    def worth(option: Option) -> tuple[float, float]:
        strength = min(1.0, option.strength / wanted)
        cost = 1 + math.log10(max(option.cost / dearest, 1e-3)) / 3 if dearest else 0.0
        value = weight * strength - preference.cost * cost - preference.latency * option.seconds / longest
        return round(value, 9), option.strength

    return max(found, key=worth)


def _within(state: State, found: list[Option]) -> list[Option]:
    """Return the options that leave something of money and time, or else the cheapest alone."""
    cost, seconds = state.cost_left, state.seconds_left
    fitting = [
        option
        for option in found
        if (cost is None or option.cost <= cost / 2) and (seconds is None or option.seconds <= seconds * 0.8)
    ]
    return fitting or sorted(found, key=lambda option: (option.cost, option.seconds))[:1]


def _mentioned(name: str, state: State) -> bool:
    folded = name.lower()
    return any(
        folded in document.title.lower() or folded in document.text[:READ].lower()
        for document in state.documents
    )
