"""Presets: positions of the sliders and budgets that suit a common wish."""

from dataclasses import dataclass

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.task import NEUTRAL

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


def preset(name: str, catalog: Catalog) -> Preset:
    """Return a preset for the models of a catalogue; `balanced` is neutral in everything."""
    cheap, dear = _thirds(catalog)
    match name:
        case "frugal":
            weights = dict.fromkeys(cheap, 0.8) | dict.fromkeys(dear, 0.2)
            return Preset(weights, cost=0.9, latency=0.25, budget=(0.02, 120.0, 12))
        case "best":
            weights = dict.fromkeys(dear, 0.8) | dict.fromkeys(cheap, 0.2)
            return Preset(weights, cost=0.0, latency=0.0, budget=(1.0, 600.0, 30))
        case _:
            return BALANCED


def position(chosen: Preset, name: str) -> float:
    """Return where a preset puts one slider."""
    return chosen.weights.get(name, NEUTRAL)


def _thirds(catalog: Catalog) -> tuple[list[str], list[str]]:
    """Return the cheapest and the dearest third of the models that tools use, by what a reply costs."""
    prices = {
        name: price.input + price.output
        for name in catalog.sliders
        if name in catalog.models and (price := catalog.models[name].price) is not None
    }
    if len(set(prices.values())) < 2:
        return [], []
    ranked = sorted(prices, key=lambda name: prices[name])
    third = max(1, len(ranked) // 3)
    return ranked[:third], ranked[-third:]
