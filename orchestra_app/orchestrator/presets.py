"""Slider presets by name: positions that suit a common wish, for the models of a catalogue."""

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.task import Preference

NEUTRAL_PRESET = "balanced"
PRESETS = ("frugal", NEUTRAL_PRESET, "best", "quick")


def preset(name: str, catalog: Catalog) -> Preference:
    """Return the preference of a preset; `balanced` is neutral in everything. Raises ConfigError."""
    match name:
        case "balanced":
            return Preference()
        case "frugal":
            cheap, dear = _thirds(catalog)
            weights = dict.fromkeys(cheap, 0.8) | dict.fromkeys(dear, 0.2)
            return Preference(weights=weights, cost=0.9)
        case "best":
            cheap, dear = _thirds(catalog)
            weights = dict.fromkeys(dear, 0.8) | dict.fromkeys(cheap, 0.2)
            return Preference(weights=weights, cost=0.0, latency=0.0)
        case "quick":
            return Preference(latency=0.9)
    raise ConfigError(f"There is no preset {name[:80]!r}; choose one of: {', '.join(PRESETS)}.")


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
