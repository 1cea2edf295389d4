"""Sliders and budgets drawn at random: presets often, every slider sometimes."""

from collections.abc import Sequence
from random import Random

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.task import Budget, Preference
from orchestra_app.orchestrator.instruction import COST_STEPS, SECONDS_STEPS

Often = tuple[Preference, float]
"""A preset, with how often it is wished beside others."""
FREE = Budget(cost=None, seconds=None)
DEAREST, SLOWEST = 0.1, 180
"""Budgets above these never bind in the rehearsal."""


def draw_preference(random: Random, catalog: Catalog, presets: Sequence[Often]) -> Preference:
    """Return a preset half of the time, each as often as its weight says, else sliders and exclusions."""
    if random.random() < 0.5:
        wishes, often = zip(*presets, strict=True)
        return random.choices(wishes, often)[0]
    weights: dict[str, float] = {}
    moved = random.choice((1, 1, 1, 2, 2, 3, 5))
    for name in random.sample(catalog.sliders, min(moved, len(catalog.sliders))):
        weights[name] = random.choice((1.0, 0.8, 0.8, 0.2, 0.2, 0.0))
    excluded: tuple[str, ...] = ()
    if random.random() < 0.15:
        vendors = {f"vendor:{model.vendor}" for model in catalog.models.values() if model.vendor}
        aliases = [alias for tool in catalog.tools.values() for alias in tool.choices]
        excluded = tuple(random.sample([*sorted(vendors), *aliases], random.choice((1, 1, 2))))
    return Preference(
        weights=weights if random.random() < 0.85 else {},
        excluded=excluded,
        cost=random.choices((0.25, 0.9, 0.0), (6, 2, 1))[0],
        latency=random.choices((0.25, 0.9, 0.0), (6, 2, 1))[0],
    )


def draw_budget(random: Random) -> Budget:
    """Return no budget, the one that the page starts with, or one of the steps that are said."""
    draw = random.random()
    if draw < 0.4:
        return FREE
    if draw < 0.7:
        return Budget()
    cost = random.choice([step for step in COST_STEPS if step <= DEAREST])
    seconds = random.choice([step for step in SECONDS_STEPS if step <= SLOWEST])
    kept = random.choice(("both", "cost", "seconds"))
    return Budget(
        cost=None if kept == "seconds" else cost * random.uniform(1, 1.3),
        seconds=None if kept == "cost" else seconds * random.uniform(1, 1.3),
    )
