"""What a set of rollouts came to, as means, and what an evaluation is worth."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from orchestra_app.core.trace import Trace, alias_of
from orchestra_app.scoring.reward import SAVING, UNLIKED, rewards
from orchestra_app.training.definition import Definition
from orchestra_app.training.progress import Rollouts


def of_groups(groups: Sequence[Sequence[Trace]], definition: Definition, replayed: int = 0) -> Rollouts:
    """Return the figures of the groups of a step, rewarded within each group."""
    earned = [rewards(group, form=definition.reward) for group in groups if group]
    known = np.concatenate(earned) if earned else np.array([])
    known = known[~np.isnan(known)]
    traces = [trace for group in groups for trace in group]
    return _figures(traces, float(known.mean()) if len(known) else 0.0, definition, replayed)


def of_evaluation(traces: Sequence[Trace], definition: Definition) -> Rollouts:
    """Return the figures of single rollouts, whose reward is their mean worth."""
    worth = [worth_of(trace, definition) for trace in traces if trace.correct is not None]
    return _figures(traces, float(np.mean(worth)) if worth else 0.0, definition, 0)


def worth_of(trace: Trace, definition: Definition) -> float:
    """Return the reward `product` of one trace by itself: cost and seconds count as shares of the budget."""
    if not trace.correct:
        return 0.0
    return efficiency(trace, definition) * (UNLIKED + (1 - UNLIKED) * trace.adherence)


def efficiency(trace: Trace, definition: Definition) -> float:
    """Return the factor that cost and seconds leave of a right answer's reward, in [0.2, 1]."""
    wish, budget = trace.task.preference, definition.budget
    cost = min(1.0, trace.cost / (budget.cost or 0.10))
    seconds = min(1.0, trace.seconds / (budget.seconds or 240.0))
    return 1 - SAVING * (wish.cost * cost + wish.latency * seconds)


def _figures(traces: Sequence[Trace], reward: float, definition: Definition, replayed: int) -> Rollouts:
    if not traces:
        return Rollouts()
    judged = [trace for trace in traces if trace.correct is not None]
    right = [trace for trace in judged if trace.correct]
    accuracy = len(right) / len(judged) if judged else 0.0
    calls = Counter(alias_of(call) or call.name for trace in traces for _, call, _ in trace.calls)
    count = len(traces)
    return Rollouts(
        count=count,
        reward=reward,
        accuracy=accuracy,
        efficiency=float(np.mean([efficiency(trace, definition) for trace in right])) if right else 0.0,
        adherence=float(np.mean([trace.adherence for trace in traces])),
        cost=float(np.mean([trace.cost for trace in traces])),
        seconds=float(np.mean([trace.seconds for trace in traces])),
        turns=float(np.mean([len(trace.turns) for trace in traces])),
        calls={name: number / count for name, number in sorted(calls.items())},
        failed=sum(trace.status != "answered" for trace in traces),
        replayed=replayed,
        error=(accuracy * (1 - accuracy) / max(1, len(judged))) ** 0.5,
    )
