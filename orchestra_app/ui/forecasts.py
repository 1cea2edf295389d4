"""What the Ask page forecasts: learned from saved traces beside the page's work, and kept per catalogue."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from orchestra_app.core.events import FINISHED
from orchestra_app.frontier.forecast import FEWEST, Forecast, Forecaster, learn
from orchestra_app.storage.outcomes import Wanted
from orchestra_app.storage.store import Store
from orchestra_app.ui.markup import dollars, per_cent, seconds, tag

LEARNED = 5_000
"""Saved traces that a forecast is learned from at most, the newest ones."""
Texts = Mapping[str, str]
STALE = 15.0
"""Seconds after which a forecast is learned anew, when somebody asks for it."""


@dataclass(frozen=True, slots=True)
class _Learnt:
    forecaster: Forecaster
    at: float


class Forecasts:
    """What is learned of each catalogue, by the hash of its snapshot."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._learnt: dict[str, _Learnt] = {}
        self._learning: dict[str, asyncio.Task[None]] = {}

    def known(self, digest: str) -> Forecaster | None:
        """Return what is learned already, at once; where that is nothing or old, learning begins."""
        found = self._learnt.get(digest)
        if digest not in self._learning and (found is None or time.monotonic() - found.at > STALE):
            task = self._learning[digest] = asyncio.create_task(self._learn(digest))
            task.add_done_callback(lambda ended: self._forget(digest, ended))
        return found.forecaster if found else None

    async def learned(self, digest: str) -> Forecaster:
        """Return what is learned, once it is; raises StorageError."""
        found = self.known(digest)
        if found is None:
            await asyncio.shield(self._learning[digest])
            found = self._learnt[digest].forecaster
        return found

    async def _learn(self, digest: str) -> None:
        wanted = Wanted(catalog_hash=digest, statuses=FINISHED, limit=LEARNED)
        forecaster = await asyncio.to_thread(learn, await self._store.outcomes(wanted))
        self._learnt[digest] = _Learnt(forecaster, time.monotonic())

    def _forget(self, digest: str, ended: asyncio.Task[None]) -> None:
        del self._learning[digest]
        if not ended.cancelled():
            # Whoever waits for it hears of it; nobody may be waiting.
            ended.exception()


def forecast_line(found: Forecast | None, policy: str, count: int, texts: Texts) -> Markup:
    """Return the line that says what the question will cost and take, or why nobody knows.

    count: the finished traces of the policy.
    """
    if found is None:
        said = texts["frontier_forecast_none"].format(count=count, policy=policy, fewest=FEWEST)
        return tag("p", said, class_="route forecast")
    said = texts["frontier_forecast"].format(
        cost=dollars(found.cost[0]),
        most=dollars(found.cost[1]),
        seconds=seconds(found.seconds[0]),
        longest=seconds(found.seconds[1]),
    )
    why = texts["frontier_forecast_why"].format(
        count=f"{found.count:,}", cost=per_cent(found.coverage[0]), seconds=per_cent(found.coverage[1])
    )
    return tag("p", said, " ", tag("span", why, class_="why"), class_="route forecast")
