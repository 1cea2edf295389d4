"""The preference as one canonical sentence per wish, joined to the question for the policy to read."""

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.task import NEUTRAL, Preference

COST_STEPS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10)
"""USD to which what is left is rounded down, so that a small policy meets few different sentences."""
SECONDS_STEPS = (5, 10, 20, 30, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600)
STRONG, WEAK = 0.75, 0.1
"""A cost or latency slider from STRONG on is said, and one below WEAK; 0.25 is neutral for these two."""


def instruction(
    preference: Preference, catalog: Catalog, *, cost_left: float | None, seconds_left: float | None
) -> str:
    """Return the sentences for the sliders that are not neutral and the budget that is left; "" without any.

    cost_left is in USD; None is without limit.
    """
    # A slider that nobody moved is neutral.
    sliders = {name: preference.weights[name] for name in catalog.sliders if name in preference.weights}
    said = [f"Prefer {name}." for name, slider in sliders.items() if slider > NEUTRAL]
    said += [f"Avoid {name}." for name, slider in sliders.items() if 0 < slider < NEUTRAL]
    never = [name for name, slider in sliders.items() if slider == 0]
    never += [name.removeprefix("vendor:") for name in preference.excluded]
    said += [f"Do not use {name}." for name in dict.fromkeys(never)]
    said += _matters(preference.cost, "Keep the cost low.", "Cost does not matter.")
    said += _matters(preference.latency, "Answer quickly.", "Speed does not matter.")
    if cost_left is not None:
        said.append(f"Spend at most ${_step(cost_left, COST_STEPS)}.")
    if seconds_left is not None:
        said.append(f"Take at most {_step(seconds_left, SECONDS_STEPS)} seconds.")
    return " ".join(said)


def _matters(slider: float, much: str, little: str) -> list[str]:
    if slider >= STRONG:
        return [much]
    return [little] if slider < WEAK else []


def _step(left: float, steps: tuple[float, ...]) -> str:
    fitting = [step for step in steps if step <= left + 1e-12]
    return f"{fitting[-1] if fitting else 0:g}"
