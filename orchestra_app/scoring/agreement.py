"""How far people agree who gave a verdict on the same traces, beyond what chance would give."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from orchestra_app.core.trace import Label, Trace

Verdict = bool | None
"""Right, wrong, or unsure."""
Pair = tuple[Verdict, Verdict]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often two verdicts on the same trace are the same."""

    pairs: int
    observed: float | None
    """Share of pairs that agree; None without pairs."""
    kappa: float | None
    """Cohen's κ; None without pairs, or where every verdict was the same, which chance would give too."""


def agreement(pairs: Iterable[Pair]) -> Agreement:
    """Return the agreement of pairs of verdicts, the first of each by one side, the second by the other.

    κ = (p_o − p_e) / (1 − p_e), with p_e what the two sides' own shares would give by chance (Cohen 1960).
    """
    counted = Counter(pairs)
    total = counted.total()
    if not total:
        return Agreement(0, None, None)
    same = sum(number for (one, other), number in counted.items() if one == other)
    firsts, seconds = Counter[Verdict](), Counter[Verdict]()
    for (one, other), number in counted.items():
        firsts[one] += number
        seconds[other] += number
    # In whole numbers, so that complete agreement is exactly 1.
    chance = sum(firsts[verdict] * seconds[verdict] for verdict in firsts)
    rest = total * total - chance
    return Agreement(total, same / total, (same * total - chance) / rest if rest else None)


def people(trace: Trace) -> list[Pair]:
    """Return the verdicts of every two people who labelled the trace, the latest of each, by their names."""
    latest = {label.by: label.correct for label in _whole(trace, "human")}
    return list(combinations([latest[name] for name in sorted(latest)], 2))


def judge_and_people(trace: Trace) -> list[Pair]:
    """Return the latest verdict of a judge with the latest of a person; empty where either is missing."""
    judged, said = _whole(trace, "judge"), _whole(trace, "human")
    return [(judged[-1].correct, said[-1].correct)] if judged and said else []


def _whole(trace: Trace, source: str) -> list[Label]:
    """Return the labels of one source on the whole trace, the oldest first."""
    found = [label for label in trace.labels if label.source == source and label.call_id is None]
    return sorted(found, key=lambda label: label.at)
