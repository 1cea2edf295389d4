"""What a group of traces earns: right first, then cheap, quick and as the person liked it."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orchestra_app.core.trace import Trace, alias_of

Form = Literal["product", "paper"]
Floats = NDArray[np.float64]

SAVING = 0.4
"""Share of the reward that the dearest and slowest trace of a group loses for each slider at 1."""
UNLIKED = 0.2
"""Share of the reward that is left where the calls followed no slider at all."""


def normalised(values: ArrayLike) -> Floats:
    """Return `values` min-max-normalised over the group, their first axis; 0 where all are the same."""
    array = np.asarray(values, dtype=float)
    least = array.min(axis=0, keepdims=True)
    span = array.max(axis=0, keepdims=True) - least
    return np.divide(array - least, span, out=np.zeros_like(array), where=span > 0)


def product(
    cost: ArrayLike,
    seconds: ArrayLike,
    adherence: ArrayLike,
    correct: ArrayLike,
    *,
    cost_weight: float | Floats,
    latency_weight: float | Floats,
) -> Floats:
    """Return the default reward of each of G traces, in [0, 1].

        correct × efficiency × alignment
        efficiency = 1 − 0.4 (w_c ĉ + w_l l̂)    in [0.2, 1]
        alignment  = 0.2 + 0.8 × adherence       in [0.2, 1]

    cost: USD [G]. seconds: [G]. adherence: in [0, 1] [G]. correct: bool [G].
    cost_weight, latency_weight: the task's sliders w_c and w_l in [0, 1], a number or [G].
    """
    efficiency = 1 - SAVING * (cost_weight * normalised(cost) + latency_weight * normalised(seconds))
    alignment = UNLIKED + (1 - UNLIKED) * np.asarray(adherence, dtype=float)
    return np.where(np.asarray(correct, dtype=bool), efficiency * alignment, 0.0)


def paper(features: ArrayLike, weights: ArrayLike, solved: ArrayLike) -> Floats:
    """Return ToolOrchestra's reward of each of G traces (arXiv 2511.21689, Eq. 2).

        R = M̂ · P where solved, else 0

    features: M [G, n + 3]: calls of each of n tools, outcome, −cost, −seconds; more is better in each.
    weights: P [n + 3]: the sliders of the tools, of accuracy, cost and latency. solved: bool [G].
    """
    # The public code takes cost and latency unsigned here, which pays for expense; the paper does not.
    return np.where(np.asarray(solved, dtype=bool), normalised(features) @ np.asarray(weights, float), 0.0)


def preference_score(features: ArrayLike, baseline: ArrayLike, weights: ArrayLike, solved: bool) -> float:
    """Return how well one trace fits a preference, against the untrained policy's (Eq. 5 and 6).

        M̂[k] = M[k] / max(1, M0[k])    for the calls of n tools and the outcome
        M̂[k] = M0[k] / max(1, M[k])    for cost and seconds, unsigned here: more is worse
        R = M̂ · P where solved, else 0

    features: M [n + 3]. baseline: M0 [n + 3], the same of the starting checkpoint. weights: P [n + 3].
    """
    if not solved:
        return 0.0
    reached, first = np.asarray(features, dtype=float), np.asarray(baseline, dtype=float)
    gained = reached[:-2] / np.maximum(1, first[:-2])
    saved = first[-2:] / np.maximum(1, reached[-2:])
    return float(np.concatenate([gained, saved]) @ np.asarray(weights, dtype=float))


def advantages(rewards: ArrayLike) -> Floats:
    """Return (r − mean) / std within one group (Eq. 3); all 0 where the rewards are the same.

    A trace without a reward (NaN) has no advantage (NaN) and does not count for the others.
    """
    array = np.asarray(rewards, dtype=float)
    known = ~np.isnan(array)
    if not known.any():
        return array.copy()
    centred = array - array[known].mean()
    deviation = array[known].std()
    # Equal rewards differ in their last digit once they were averaged.
    return centred / deviation if deviation > 1e-9 else np.where(known, 0.0, np.nan)


def rewards(traces: Sequence[Trace], *, form: Form = "product") -> Floats:
    """Return the reward of each trace of one group; NaN where its verdict is unsure or missing.

    Those without a verdict leave the group: they do not change what the others earn.
    """
    found = np.full(len(traces), np.nan)
    judged = [index for index, trace in enumerate(traces) if trace.correct is not None]
    if judged:
        found[judged] = _FORMS[form]([traces[index] for index in judged])
    return found


def _product(group: Sequence[Trace]) -> Floats:
    return product(
        [trace.cost for trace in group],
        [trace.seconds for trace in group],
        [trace.adherence for trace in group],
        [bool(trace.correct) for trace in group],
        cost_weight=np.array([trace.task.preference.cost for trace in group]),
        latency_weight=np.array([trace.task.preference.latency for trace in group]),
    )


def _paper(group: Sequence[Trace]) -> Floats:
    features, weights = paper_features(group)
    return paper(features, weights, [bool(trace.correct) for trace in group])


def paper_features(group: Sequence[Trace]) -> tuple[Floats, Floats]:
    """Return the features [G, n + 3] and the weights [n + 3] of Eq. 2 for traces of one task.

    A tool here is an alias, as in the reference, or a tool without aliases; the sliders are those offered.
    """
    sliders: dict[str, float] = {}
    for trace in group:
        for turn in trace.turns:
            for offer in turn.offered:
                for name, slider in (offer.choices or {offer.name: offer.slider}).items():
                    sliders.setdefault(name, slider)
    features = np.zeros((len(group), len(sliders) + 3))
    place = {name: index for index, name in enumerate(sliders)}
    for row, trace in zip(features, group, strict=True):
        for _, call, _ in trace.calls:
            index = place.get(alias_of(call) or "", place.get(call.name))
            if index is not None:
                row[index] += 1
        row[-3:] = bool(trace.correct), -trace.cost, -trace.seconds
    wish = group[0].task.preference
    return features, np.array([*sliders.values(), wish.accuracy, wish.cost, wish.latency])


_FORMS: dict[Form, Callable[[Sequence[Trace]], Floats]] = {"product": _product, "paper": _paper}
