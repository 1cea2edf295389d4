"""The reward of one rollout for verl, which scores rollouts one by one.

Inside a group Orchestra compares cost and seconds with the group's least and most. Here no group is known, so
they are compared with fixed caps: those of the question's own budget.
"""

import json
from typing import Any

FALLBACK_COST = 0.10
"""USD that count as dear where the budget has no limit."""
FALLBACK_SECONDS = 240.0
"""Seconds that count as slow where the budget has no limit."""


def product(*, correct: bool, cost: float, seconds: float, adherence: float, task: dict[str, Any]) -> float:
    """Return correct x efficiency x alignment, in [0, 1]; `task` has the preference and the budget."""
    if not correct:
        return 0.0
    wish, budget = task["preference"], task["budget"]
    dear = min(1.0, cost / (budget.get("cost") or FALLBACK_COST))
    slow = min(1.0, seconds / (budget.get("seconds") or FALLBACK_SECONDS))
    efficiency = 1 - 0.4 * (wish["cost"] * dear + wish["latency"] * slow)
    return efficiency * (0.2 + 0.8 * adherence)


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: dict[str, Any] | None = None
) -> float:
    """Return the reward of a rollout from the outcome that the agent loop left in `extra_info`."""
    info = extra_info or {}
    outcome = info.get("outcome")
    if outcome is None:
        raise ValueError("The row has no outcome: run it with agent_name=orchestra, whose loop leaves one.")
    return product(**outcome, task=json.loads(info["task"]))
