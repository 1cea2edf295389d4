"""Lays two traces beside each other, turn by turn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from orchestra_app.core.trace import Trace, Turn, alias_of

Relation = Literal["same", "result", "other", "left", "right"]
"""The same turn to its results; the same calls with other results; other calls; only in one of them."""

Called = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two turns that stand in one row, as their places from 0; None where a trace has none there."""

    left: int | None
    right: int | None
    relation: Relation


def pair(left: Trace, right: Trace) -> list[Pair]:
    """Return the turns of both traces in rows, each turn once and in its order.

    Turns stand beside each other where the same tools and aliases were called: first as far as both began
    alike, then wherever calls come again; what lies between is paired by its place.
    """
    a, b = [_called(turn) for turn in left.turns], [_called(turn) for turn in right.turns]
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    rows = [(place, place) for place in range(start)]
    rows += [*_rest(a[start:], b[start:], start)]
    return [Pair(one, other, _relation(left, right, one, other)) for one, other in rows]


def _rest(a: Sequence[Called], b: Sequence[Called], start: int) -> Iterator[tuple[int | None, int | None]]:
    for _, a_from, a_to, b_from, b_to in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        for place in range(max(a_to - a_from, b_to - b_from)):
            one, other = a_from + place, b_from + place
            yield start + one if one < a_to else None, start + other if other < b_to else None


def _relation(left: Trace, right: Trace, one: int | None, other: int | None) -> Relation:
    if other is None:
        return "left"
    if one is None:
        return "right"
    a, b = left.turns[one], right.turns[other]
    if _called(a) != _called(b):
        return "other"
    return "same" if _outcome(a) == _outcome(b) else "result"


def _called(turn: Turn) -> Called:
    return tuple((call.name, alias_of(call)) for call in turn.reply.calls)


def _outcome(turn: Turn) -> tuple[object, ...]:
    """Return what a turn said and found, without when and for how much."""
    found = [
        (result.documents, [(run.code, run.stdout) for run in result.executions], result.output)
        for result in turn.results
    ]
    ends = [(result.answer, result.error) for result in turn.results]
    arguments = [call.arguments for call in turn.reply.calls]
    return turn.reply.text, arguments, found, ends
