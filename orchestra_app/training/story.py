"""The guided example: experts change behind their aliases, and the small policy learns it from experience.

Names, prices and descriptions are those of the rehearsal, so that nothing which the policy reads tells of the
change. First it collects labelled traces in the changed rehearsal, then it learns from them.
"""

from typing import Any

from orchestra_app.training.definition import Definition

CATALOG = "changed"
QUESTIONS = 2_400
"""Train questions that are asked; the other 600 are left for choosing settings."""

_SHARED: dict[str, Any] = {
    "catalog": CATALOG,
    "question_limit": QUESTIONS,
    "held": True,
    # The policy is sure of itself: without it the experts that have become good would hardly ever be tried.
    "temperature": 3.0,
    "spread": 0.15,
    "learning_rate": 1e-3,
    "clip_gradient": 1.0,
}


def collecting() -> Definition:
    """Return the job that lets the small policy collect labelled traces in the changed rehearsal."""
    return Definition(name="collect", kind="collect", steps=20, **_SHARED)


def from_traces() -> Definition:
    """Return the job that learns from what was collected."""
    return Definition(name="from-traces", mode="traces", loss="cispo", steps=60, groups=16, **_SHARED)


def from_rollouts() -> Definition:
    """Return the job that learns from fresh groups instead."""
    return Definition(name="from-rollouts", steps=40, **_SHARED)
