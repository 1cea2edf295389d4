"""Looking ahead from what is seen of a rollout to its final answer: what each next call is worth."""

from dataclasses import dataclass

from orchestra_app.core.catalog import ToolKind

MOST_COUNTED = 0.012
"""USD of one call that count at most with the slider in the middle: else no dear expert is ever worth it."""
PER_REGRET = 0.9
"""What one whole slider of regret is worth in right answers."""
MOST_CALLS = 2
"""Searches, and reasonings, that are looked ahead."""
CRASHED = 0.5
"""Share of wrong programs that print nothing."""
FULL_QUERY, POOR_QUERY = 0.97, 0.45
"""Chances that a query which names everything, or only part of it, finds a document that is missing."""
FIXED, PER_DOCUMENT, PER_OUTPUT = 150, 75, 60
"""Tokens of an expert's prompt."""
TALKED = 0.5
"""How far an answer to talk counts."""
SLACK = 1.2
"""A call may take this many times its usual seconds and dollars."""
KEPT_COST, KEPT_SECONDS = 0.0012, 11.0
"""What the loop keeps for a final answer."""
COARSE_COST, COARSE_SECONDS = 0.001, 5.0
"""USD and seconds to which what is left further ahead is rounded, so that places are met again."""
COMPUTABLE = ("arithmetic", "maths", "code", "sum")


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


Means = tuple[float | None, float | None]
"""USD and seconds left; None: without limit."""
Place = tuple[View, int, int, Means]
"""What is seen, the searches and reasonings ahead of here, and what is left."""


class Outlook:
    """Looks ahead to the final answer under one wish, and remembers what each place is worth."""

    def __init__(self, wish: Wish, chances: dict[tuple[str, str], float]):
        self._wish, self._chances = wish, chances
        self._worth: dict[Place, float] = {}
        self._first: dict[tuple[View, Means], dict[str, float]] = {}

    def worths(self, seen: View, left: Means) -> dict[str, float]:
        """Return what each alias on offer now is worth."""
        found = self._first.get((seen, left))
        if found is None:
            # What is on offer now was found affordable by the loop itself.
            place = (seen, 0, 0, left)
            found = {
                move.alias: self._value(move, place)
                # What brings nothing is only called where nothing else is on offer.
                - (0.0 if self._useful(move, place) else 1.0)
                for move in self._wish.moves
            }
            self._first[seen, left] = found
        return found

    def _look(self, place: Place) -> float:
        """Return what a place is worth further ahead."""
        found = self._worth.get(place)
        if found is None:
            found = max(
                (
                    self._value(move, place)
                    for move in self._wish.moves
                    if move.kind == "answer" or (self._useful(move, place) and self._affordable(move, place))
                ),
                default=-1.0,
            )
            self._worth[place] = found
        return found

    def _useful(self, move: Move, place: Place) -> bool:
        seen, searches, reasons, _ = place
        if move.kind == "search":
            return bool(seen.missing) and searches < MOST_CALLS
        return move.kind == "answer" or (reasons < MOST_CALLS and _computable(seen))

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
        if not self._useful(move, place):
            return worth
        left = _coarse(cost, price, COARSE_COST), _coarse(seconds, move.seconds, COARSE_SECONDS)
        counts = (searches + (move.kind == "search"), reasons + (move.kind == "reason"))
        return worth + sum(
            share * self._look((after, *counts, left)) for share, after in self._outcomes(move, seen)
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
            case "lookup":
                return 0.0 if seen.missing else self._chance(move, "fact_document")
            case "talk":
                # Nobody here can say much: whoever reads well will do.
                return TALKED * self._chance(move, "fact_document")
            case "sum":
                without = self._chance(move, "arithmetic") if seen.belief else 0.0
                computed = self._chance(move, "computed")
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
    return seen.kind in COMPUTABLE or (seen.kind == "twodoc" and not seen.missing)


def _coarse(left: float | None, taken: float, step: float) -> float | None:
    return None if left is None else step * round(max(0.0, left - taken) / step)
