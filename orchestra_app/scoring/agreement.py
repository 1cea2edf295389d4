"""How far people agree who gave a verdict on the same traces, beyond what chance would give."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
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
    chance: float | None = None
    """Share of pairs that chance alone would make agree; None without pairs."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of κ; None where κ is.

        Wilson's interval of the observed share, put into κ with the share of chance taken as known: unlike
        Cohen's own it keeps a width where all of a few pairs agree.
        """
        if self.kappa is None or self.observed is None or self.chance is None:
            return None
        low, high = wilson(self.observed, self.pairs)
        return (max(-1.0, (low - self.chance) / (1 - self.chance)), (high - self.chance) / (1 - self.chance))


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
    kappa = (same * total - chance) / rest if rest else None
    return Agreement(total, same / total, kappa, chance / (total * total))


def wilson(share: float, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the 95 % interval of a share of `total` cases (Wilson 1927)."""
    centre = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    # At the ends a rounded bound could stand beyond the share itself.
    return max(0.0, min(share, (centre - half) / scale)), min(1.0, max(share, (centre + half) / scale))


def people(trace: Trace) -> list[Pair]:
    """Return the verdicts of every two people who labelled the trace, the latest of each, by their names."""
    return between({label.by: label.correct for label in _whole(trace, "human")})


def between(latest: Mapping[str, Verdict]) -> list[Pair]:
    """Return the verdicts of every two people, each pair in the order of their names."""
    return list(combinations([latest[name] for name in sorted(latest)], 2))


def judge_and_people(trace: Trace) -> list[Pair]:
    """Return the latest verdict of a judge with the latest of a person; empty where either is missing."""
    judged, said = _whole(trace, "judge"), _whole(trace, "human")
    return [(judged[-1].correct, said[-1].correct)] if judged and said else []


def _whole(trace: Trace, source: str) -> list[Label]:
    """Return the labels of one source on the whole trace, the oldest first."""
    found = [label for label in trace.labels if label.source == source and label.call_id is None]
    return sorted(found, key=lambda label: label.at)
