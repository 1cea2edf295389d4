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
SIMULATED_SECONDS = 0.02
"""Seconds of real time that a simulated run takes; they do not run side by side."""


CONFIRM_USD, CONFIRM_RUNS = 1.0, 5_000
"""Real money, or runs, above which it is asked before a sweep starts."""


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
    seconds: float
    """Seconds of real time that the runs should take together."""


def is_much(sweep: Sweep, outlook: Outlook) -> bool:
    """Return whether a person is asked before what is left of a sweep starts."""
    much = outlook.runs > CONFIRM_RUNS or (not sweep.simulated and outlook.most > CONFIRM_USD)
    return outlook.runs > 0 and (much or not outlook.known)


async def look_ahead(sweep: Sweep, left: list[Run], learned: Forecaster, routes: Routes) -> Outlook:
    """Return what the runs that are left will cost, from saved runs of a policy or else from its routes."""
    counts = Counter(run.setting.name for run in left)
    likely = most = dearest = seconds = 0.0
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
        seconds += each[2] * counts[setting.name]
        limit = setting.budget.cost
        dearest = max(dearest, 2 * each[1] if limit is None else limit)
    # Each run waits until its whole budget fits, so the last ones need that much room.
    cap = _rounded(most * SLACK + sweep.concurrency * dearest)
    total = sum(counts.values())
    seconds = total * SIMULATED_SECONDS if sweep.simulated else seconds / sweep.concurrency
    return Outlook(total, likely, most, known, cap, seconds)


async def _per_run(
    setting: Setting, sweep: Sweep, learned: Forecaster, routes: Routes
) -> tuple[float, float, float] | None:
    """Return the likely USD of one run, the most, and its seconds; None where a price is unknown."""
    limit = setting.budget.cost
    if setting.policy == "do-nothing":
        return 0.0, 0.0, 0.0
    if learned.counts.get(setting.policy, 0) >= FEWEST:
        mean = learned.means[setting.policy]
        figures, seconds = (mean, mean * MARGIN), learned.paces[setting.policy]
    else:
        questions = sweep.questions[:: max(1, len(sweep.questions) // TRIED)][:TRIED]
        found = [await routes(question.text, setting.preference) for question in questions]
        known = [pair for pair in found if pair is not None]
        if not known:
            return None
        (cheapest, quick), (dearest, slow) = (_mean([pair[end] for pair in known]) for end in (0, 1))
        one_answer = setting.policy == "cheapest"
        figures = (cheapest, cheapest * MARGIN) if one_answer else ((cheapest + dearest) / 2, dearest)
        seconds = quick if one_answer else (quick + slow) / 2
    likely, most = figures if limit is None else (min(figures[0], limit), min(figures[1], limit))
    return likely, most, seconds


def _mean(routes: list[Route]) -> tuple[float, float]:
    count = len(routes)
    return sum(route.cost for route in routes) / count, sum(route.seconds for route in routes) / count


def _rounded(amount: float) -> float:
    """Return an amount with two figures, rounded up."""
    if amount <= 0:
        return 0.01
    step = 10.0 ** (len(str(int(amount))) - 2) if amount >= 1 else 0.01
    return round(-(-amount // step) * step, 2)
