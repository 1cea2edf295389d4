"""What of a sweep is stored already: runs that are finished, what is left, and what was spent."""

from dataclasses import dataclass, field

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.events import Status
from orchestra_app.frontier.definition import Run, Sweep, runs
from orchestra_app.orchestrator.ledger import CAPS
from orchestra_app.storage.outcomes import Outcome, Wanted
from orchestra_app.storage.store import Store

UNFINISHED = ("stopped", "interrupted")


@dataclass(frozen=True, slots=True)
class Stock:
    """The runs of a sweep by what is to be done with them."""

    finished: dict[str, Run] = field(default_factory=dict)
    """By the id of their traces."""
    left: list[tuple[Run, int]] = field(default_factory=list)
    """With the number of their next attempt."""
    spent: float = 0.0
    """USD."""


async def take_stock(store: Store, sweep: Sweep) -> Stock:
    """Return what is stored of a sweep; raises ConfigError where another process runs it just now."""
    await store.reap()
    outcomes = {each.id: each for each in await store.outcomes(Wanted(group=sweep.group))}
    if any(outcome.status == "running" for outcome in outcomes.values()):
        raise ConfigError(
            f"Sweep {sweep.id} is under way in another process; stop it there, "
            "or wait half a minute if that machine is gone."
        )
    stock = Stock(spent=sum(_paid(outcome, sweep) for outcome in outcomes.values()))
    for run in runs(sweep):
        attempt = 0
        while (outcome := outcomes.get(run.trace_id(attempt))) and _again(outcome):
            attempt += 1
        if outcome is None:
            stock.left.append((run, attempt))
        else:
            stock.finished[outcome.id] = run
    return stock


def is_starved(status: Status, error: str | None) -> bool:
    """Return whether a run ended since a cap that it shares with others, not its own budget, was used up."""
    return status == "exhausted" and any(f" of {cap}" in (error or "") for cap in CAPS.values())


def _again(outcome: Outcome) -> bool:
    return outcome.status in UNFINISHED or is_starved(outcome.status, outcome.error)


def _paid(outcome: Outcome, sweep: Sweep) -> float:
    """Return what a run counts against the cap.

    A killed process may have paid for a call that it could no longer book, so its whole budget counts.
    """
    if outcome.status == "interrupted" and not sweep.simulated:
        return max(outcome.cost, outcome.task.budget.cost or 0.0)
    return outcome.cost
