"""What an export holds, counted while it is written."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from orchestra_app.core.trace import Trace
from orchestra_app.scoring.agreement import Pair, judge_and_people, people
from orchestra_app.storage.rows import verdict


@dataclass
class Tally:
    """The figures of one export so far."""

    traces: int = 0
    rows: int = 0
    simulated: int = 0
    """Traces of which any part is made up."""
    cost: float = 0.0
    """USD of real money."""
    simulated_cost: float = 0.0
    """USD that the simulated traces say they cost."""
    by: dict[str, Counter[str]] = field(default_factory=dict)
    """How many traces there are with each verdict, status, policy and catalogue."""
    votes: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """How many traces were left out, by reason."""
    prices: dict[str, set[str]] = field(default_factory=dict)
    """The days on which prices were read, by their source."""
    people: list[Pair] = field(default_factory=list)
    judged: list[Pair] = field(default_factory=list)
    first: datetime | None = None
    last: datetime | None = None

    def add(self, trace: Trace, *, simulated: bool) -> None:
        """Count one trace that is exported."""
        self.traces += 1
        self.simulated += simulated
        real = sum(charge.cost for charge in trace.charges if not charge.simulated)
        self.cost += 0.0 if simulated else real
        self.simulated_cost += trace.cost if simulated else 0.0
        named = {
            "verdict": verdict(trace.labels),
            "status": trace.status,
            "policy": trace.policy,
            "catalogue": f"{trace.catalog.name} ({trace.catalog.hash})",
        }
        for what, value in named.items():
            self.by.setdefault(what, Counter())[value] += 1
        for charge in trace.charges:
            self.prices.setdefault(charge.price.source, set()).add(charge.price.date)
        self.people += people(trace)
        self.judged += judge_and_people(trace)
        self.first = min(filter(None, (self.first, trace.started_at)))
        self.last = max(filter(None, (self.last, trace.started_at)))
