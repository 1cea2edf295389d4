"""What a sweep will cost before it is launched."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from orchestra_app.core.task import Preference
from orchestra_app.frontier.definition import Run, Setting, Sweep
from orchestra_app.frontier.forecast import FEWEST, Forecaster
from orchestra_app.orchestrator.route import Route

Routes = Callable[[str, Preference], Awaitable[tuple[Route, Route] | None]]
"""The cheapest and the dearest ordinary route to an answer."""

TRIED = 25
"""Questions whose routes are looked at for each setting."""
MARGIN = 1.25
"""By how much runs may cost more than the saved ones did."""
SLACK = 1.2
"""By how much the cap that is proposed lies above the most that is expected."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is left of a sweep."""

    runs: int
    likely: float
    """USD."""
    most: float
    """USD that it should not exceed; budgets per question count in."""
    known: bool
    """False where a price is unknown, so that the figures are too low."""
    cap: float
    """USD that are proposed as the sweep's cap."""


async def look_ahead(sweep: Sweep, left: list[Run], learned: Forecaster, routes: Routes) -> Outlook:
    """Return what the runs that are left will cost, from saved runs of a policy or else from its routes."""
    counts = Counter(run.setting.name for run in left)
    likely = most = dearest = 0.0
    known = True
    for setting in sweep.settings:
        if not counts[setting.name]:
            continue
        each = await _per_run(setting, sweep, learned, routes)
        if each is None:
            known = False
            continue
        likely += each[0] * counts[setting.name]
        most += each[1] * counts[setting.name]
        limit = setting.budget.cost
        dearest = max(dearest, 2 * each[1] if limit is None else limit)
    # Each run waits until its whole budget fits, so the last ones need that much room.
    cap = _rounded(most * SLACK + sweep.concurrency * dearest)
    return Outlook(sum(counts.values()), likely, most, known, cap)


async def _per_run(
    setting: Setting, sweep: Sweep, learned: Forecaster, routes: Routes
) -> tuple[float, float] | None:
    """Return the likely USD of one run and the most; None where a price is unknown."""
    limit = setting.budget.cost
    if setting.policy == "do-nothing":
        return 0.0, 0.0
    if learned.counts.get(setting.policy, 0) >= FEWEST:
        mean = learned.means[setting.policy]
        figures = (mean, mean * MARGIN)
    else:
        questions = sweep.questions[:: max(1, len(sweep.questions) // TRIED)][:TRIED]
        found = [await routes(question.text, setting.preference) for question in questions]
        known = [pair for pair in found if pair is not None]
        if not known:
            return None
        cheapest = sum(pair[0].cost for pair in known) / len(known)
        dearest = sum(pair[1].cost for pair in known) / len(known)
        figures = (
            (cheapest, cheapest * MARGIN) if setting.policy == "cheapest" else _between(cheapest, dearest)
        )
    return figures if limit is None else (min(figures[0], limit), min(figures[1], limit))


def _between(cheapest: float, dearest: float) -> tuple[float, float]:
    return (cheapest + dearest) / 2, dearest


def _rounded(amount: float) -> float:
    """Return an amount with two figures, rounded up."""
    if amount <= 0:
        return 0.01
    step = 10.0 ** (len(str(int(amount))) - 2) if amount >= 1 else 0.01
    return round(-(-amount // step) * step, 2)
