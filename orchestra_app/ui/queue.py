"""The queue of traces to label: who looks at which, what each passed over, and what each can take back."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestra_app.storage.queueing import Waiting

CLAIMED = 600.0
"""Seconds after which a trace that somebody looks at may be served to somebody else."""
REMEMBERED = 200
"""Verdicts that one person can take back, one after the other."""
MOST_PEOPLE = 2_000


@dataclass
class _Person:
    passed: set[str] = field(default_factory=set)
    said: list[tuple[str, int]] = field(default_factory=list)


@dataclass
class _Claim:
    room: int
    until: dict[str, float] = field(default_factory=dict)


class Queue:
    """The state of one installation's queue; kept in memory, for a claim does not outlive the process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lock = threading.Lock()
        self._people: dict[str, _Person] = {}
        self._claims: dict[str, _Claim] = {}

    def passed(self, owner: str) -> set[str]:
        """Return the traces that are not to be served to somebody now: skipped, or with enough others."""
        with self._lock:
            self._forget()
            taken = {
                name
                for name, claim in self._claims.items()
                if len(claim.until.keys() - {owner}) >= claim.room
            }
            return taken | self._person(owner).passed

    def claim(self, owner: str, waiting: Waiting) -> bool:
        """Note that somebody looks at a trace, and no longer at another; False where enough others do."""
        with self._lock:
            self._forget()
            claim = self._claims.setdefault(waiting.id, _Claim(waiting.room))
            claim.room = waiting.room
            if len(claim.until.keys() - {owner}) >= claim.room:
                return False
            self._release(owner)
            self._claims.setdefault(waiting.id, claim).until[owner] = self._clock() + CLAIMED
            return True

    def release(self, owner: str) -> None:
        """Note that somebody looks at no trace any more."""
        with self._lock:
            self._release(owner)

    def skip(self, owner: str, trace_id: str) -> None:
        """Put a trace behind all others for somebody."""
        with self._lock:
            self._person(owner).passed.add(trace_id)

    def again(self, owner: str) -> bool:
        """Let what somebody skipped be served again; return whether there was any."""
        with self._lock:
            person = self._person(owner)
            skipped, person.passed = person.passed, set()
            return bool(skipped)

    def said(self, owner: str, trace_id: str, label_id: int) -> None:
        """Note a verdict that somebody gave, for `last`."""
        with self._lock:
            person = self._person(owner)
            person.said = [*person.said, (trace_id, label_id)][-REMEMBERED:]

    def last(self, owner: str) -> tuple[str, int] | None:
        """Return the latest verdict that somebody gave and did not take back yet, and forget it."""
        with self._lock:
            said = self._person(owner).said
            return said.pop() if said else None

    def _person(self, owner: str) -> _Person:
        person = self._people.pop(owner, None) or _Person()
        self._people[owner] = person
        while len(self._people) > MOST_PEOPLE:
            self._people.pop(next(iter(self._people)))
        return person

    def _release(self, owner: str) -> None:
        for claim in self._claims.values():
            claim.until.pop(owner, None)
        self._claims = {name: claim for name, claim in self._claims.items() if claim.until}

    def _forget(self) -> None:
        now = self._clock()
        for claim in self._claims.values():
            claim.until = {owner: until for owner, until in claim.until.items() if until > now}
        self._claims = {name: claim for name, claim in self._claims.items() if claim.until}
