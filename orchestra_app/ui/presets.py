"""Presets: positions of the sliders and budgets that suit a common wish."""

from dataclasses import dataclass

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.task import NEUTRAL
from orchestra_app.orchestrator import presets

NAMES = ("frugal", "balanced", "best")


@dataclass(frozen=True, slots=True)
class Preset:
    """Everything that a preset sets; sliders it does not name are neutral."""

    weights: dict[str, float]
    cost: float
    latency: float
    budget: tuple[float, float, int]
    """USD, seconds and turns."""


BALANCED = Preset({}, cost=0.25, latency=0.25, budget=(0.10, 120.0, 20))


BUDGETS = {"frugal": (0.02, 120.0, 12), "best": (1.0, 600.0, 30)}


def preset(name: str, catalog: Catalog) -> Preset:
    """Return a preset for the models of a catalogue; `balanced` is neutral in everything."""
    if name not in BUDGETS:
        return BALANCED
    wish = presets.preset(name, catalog)
    return Preset(wish.weights, cost=wish.cost, latency=wish.latency, budget=BUDGETS[name])


def position(chosen: Preset, name: str) -> float:
    """Return where a preset puts one slider."""
    return chosen.weights.get(name, NEUTRAL)
