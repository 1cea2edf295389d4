"""A planner that knows the simulated experts' table: the best next call by expected right answers and regret.

It sees what a policy can see (the kind of question, what was found, the sliders, the budget as it is said),
and never how a coin will fall, so that what it does can be learned from the prompt.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from orchestra_app.backends.base import State
from orchestra_app.core.catalog import Catalog, ToolKind
from orchestra_app.core.message import Offer
from orchestra_app.core.task import NEUTRAL, Preference
from orchestra_app.orchestrator.instruction import COST_STEPS, SECONDS_STEPS, STRONG, WEAK
from orchestra_app.rehearsal.corpus import texts
from orchestra_app.rehearsal.questions import Question, find

PER_DOLLAR = {"little": 0.63, "neutral": 21.0, "much": 60.0}
"""What a dollar is worth in right answers, by how much the cost slider says."""
PER_SECOND = {"little": 0.0001, "neutral": 0.0004, "much": 0.006}
"""What a second is worth in right answers, by how much the latency slider says."""
MOST_COUNTED = 0.012
"""USD of one call that count at most with the slider in the middle: else no dear expert is ever worth it."""
PER_REGRET = 0.9
"""What one whole slider of regret is worth in right answers."""
LIKED, DISLIKED = 0.8, 0.2
"""Every slider above or below the middle counts as one of these: the instruction does not say how far."""

MOST_CALLS = 2
"""Searches, and reasonings, that are looked ahead."""
CRASHED = 0.5
"""Share of wrong programs that print nothing."""
FULL_QUERY, POOR_QUERY = 0.97, 0.45
"""Chances that a query which names everything, or only part of it, finds a document that is missing."""
PRINTED, AGREED = 0.95, 0.995
"""Beliefs that an output is right: one alone, and one that a second program agrees with."""
FIXED, PER_DOCUMENT, PER_OUTPUT = 150, 75, 60
"""Tokens of an expert's prompt."""
SLACK = 1.2
"""A call may take this many times its usual seconds and dollars."""
KEPT_COST, KEPT_SECONDS = 0.0012, 11.0
"""What the loop keeps for a final answer."""


@dataclass(frozen=True, slots=True)
class View:
    """What can be seen of a rollout."""

    kind: str
    missing: int
    """Documents that are needed and not there."""
    belief: float
    """That one of the outputs is the answer; 0 without output."""
    documents: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """An alias on offer, with what the planner knows of it."""

    alias: str
    tool: str
    kind: ToolKind
    model: str
    regret: float
    input_rate: float
    """USD per token."""
    output_cost: float
    """USD of an ordinary reply."""
    least_cost: float
    """USD of the shortest reply that is worth the call."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted and offered in one turn; equal wishes share their looking ahead."""

    moves: tuple[Move, ...]
    per_dollar: float
    per_second: float
    capped: bool
    """Whether a call counts `MOST_COUNTED` dollars at most."""


def planned(state: State) -> str | None:
    """Return the alias to call next in a state of a rehearsal question; None where nothing is on offer.

    Raises LookupError for a question that is not the rehearsal's.
    """
    question = find(state.task.question)
    if question is None:
        raise LookupError("The planner knows the rehearsal's own questions only.")
    if not state.offered:
        return None
    preference = state.task.preference
    wish = Wish(
        tuple(_moves(state.catalog, state.offered, preference)),
        PER_DOLLAR[_level(preference.cost)],
        PER_SECOND[_level(preference.latency)],
        capped=_level(preference.cost) == "neutral",
    )
    found = _outlook(wish, state.catalog.hash, _Known(state.catalog))
    return found.best(
        view(state, question),
        _stepped(state.cost_left, COST_STEPS),
        _stepped(state.seconds_left, SECONDS_STEPS),
    )


def view(state: State, question: Question) -> View:
    """Return what can be seen of a state by reading it as closely as a policy can."""
    known = texts()
    missing = sum(
        all(known[title] not in document.text for document in state.documents) for title in question.needs
    )
    values = [run.stdout.strip() for run in state.executions]
    values = [value for value in values if value.lstrip("-").isdigit()]
    belief = 0.0
    if values:
        wrong = (1 - PRINTED) ** len(set(values))
        belief = AGREED if len(set(values)) < len(values) else 1 - wrong
    return View(question.kind, missing, belief, len(state.documents))


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


def _moves(catalog: Catalog, offered: tuple[Offer, ...], preference: Preference) -> Iterator[Move]:
    for offer in offered:
        tool = catalog.tools[offer.name]
        likings = {alias: _strength(each) for alias, each in offer.choices.items()}
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


class _Known:
    """The chances of a catalogue, left out of comparisons: its hash stands for it."""

    def __init__(self, catalog: Catalog):
        self.chances = {
            (name, skill): figure.value
            for name, model in catalog.models.items()
            for skill, figure in model.skills.items()
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=2_048)
def _outlook(wish: Wish, catalog: str, known: _Known) -> "_Outlook":
    return _Outlook(wish, known)


Means = tuple[float | None, float | None]
"""USD and seconds left; None: without limit."""
Place = tuple[View, int, int, Means]
"""What is seen, the searches and reasonings ahead of here, and what is left."""


class _Outlook:
    """Looks ahead to the final answer under one wish, and remembers what each place is worth."""

    def __init__(self, wish: Wish, known: _Known):
        self._wish, self._chances = wish, known.chances
        self._worth: dict[Place, tuple[float, str]] = {}

    def best(self, seen: View, cost: float | None, seconds: float | None) -> str:
        """Return the alias to call next."""
        return self._look((seen, 0, 0, (cost, seconds)))[1]

    def _look(self, place: Place) -> tuple[float, str]:
        """Return what a place is worth and the alias that makes it so."""
        found = self._worth.get(place)
        if found is None:
            first = place[1] + place[2] == 0
            found = max(
                (self._value(move, place), move.alias)
                for move in self._wish.moves
                # What is on offer now was found affordable by the loop itself.
                if first or move.kind == "answer" or self._affordable(move, place)
            )
            self._worth[place] = found
        return found

    def _affordable(self, move: Move, place: Place) -> bool:
        seen, (cost, seconds) = place[0], place[3]
        prompt = 1_200 + 300 * seen.documents
        least = move.input_rate * prompt + move.least_cost + KEPT_COST
        return (cost is None or least <= cost) and (
            seconds is None or move.seconds * SLACK + KEPT_SECONDS <= seconds
        )

    def _value(self, move: Move, place: Place) -> float:
        seen, searches, reasons, (cost, seconds) = place
        price = self._cost(move, seen)
        counted = min(price, MOST_COUNTED) if self._wish.capped else price
        worth = -self._wish.per_dollar * counted - self._wish.per_second * move.seconds
        worth -= PER_REGRET * move.regret
        if move.kind == "answer":
            fits = (cost is None or price * SLACK <= cost) and (
                seconds is None or move.seconds * SLACK <= seconds
            )
            return worth + self._right(move, seen) * (1.0 if fits else 0.3)
        if (move.kind == "search" and (searches >= MOST_CALLS or not seen.missing)) or (
            move.kind == "reason" and (reasons >= MOST_CALLS or not _computable(seen))
        ):
            # It brings nothing, and is only called where nothing else is on offer.
            return worth - 1.0
        left = (
            None if cost is None else round(max(0.0, cost - price), 4),
            None if seconds is None else round(max(0.0, seconds - move.seconds)),
        )
        counts = (searches + (move.kind == "search"), reasons + (move.kind == "reason"))
        return worth + sum(
            share * self._look((after, *counts, left))[0] for share, after in self._outcomes(move, seen)
        )

    def _cost(self, move: Move, seen: View) -> float:
        prompt = FIXED + PER_DOCUMENT * seen.documents + (PER_OUTPUT if seen.belief else 0)
        return move.input_rate * prompt + move.output_cost

    def _chance(self, move: Move, skill: str) -> float:
        return self._chances.get((move.model, skill), 0.0)

    def _right(self, move: Move, seen: View) -> float:
        """Return the chance that this answer is right."""
        match seen.kind:
            case "specialist":
                return self._chance(move, "specialist")
            case "fact":
                return self._chance(move, "fact" if seen.missing else "fact_document")
            case "twodoc":
                without = self._chance(move, "twodoc" if seen.missing else "twodoc_documents")
                computed = self._chance(move, "twodoc_computed")
            case kind:
                without, computed = self._chance(move, kind), self._chance(move, "computed")
        return seen.belief * computed + (1 - seen.belief) * without

    def _outcomes(self, move: Move, seen: View) -> list[tuple[float, View]]:
        if move.kind == "reason":
            right = self._chance(move, "program")
            prints = right + (1 - right) * (1 - CRASHED)
            belief = round(1 - (1 - seen.belief) * (1 - right / prints), 6)
            return [(prints, View(seen.kind, seen.missing, belief, seen.documents)), (1 - prints, seen)]
        good = self._chance(move, "query")
        found = good * FULL_QUERY + (1 - good) * POOR_QUERY
        more = seen.documents + 4
        if seen.missing == 1:
            shares = [(found, 0), (1 - found, 1)]
        else:
            both = good * FULL_QUERY + (1 - good) * POOR_QUERY**2
            one = good * (1 - FULL_QUERY) + (1 - good) * 0.5
            shares = [(both, 0), (one, 1), (max(0.0, 1 - both - one), 2)]
        return [(share, View(seen.kind, missing, seen.belief, more)) for share, missing in shares]


def _computable(seen: View) -> bool:
    """Return whether code can compute the answer from what is there."""
    return seen.kind in ("arithmetic", "maths", "code") or (seen.kind == "twodoc" and not seen.missing)
