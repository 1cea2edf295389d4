"""The comparisons that the Frontier page showed last, and what each page chose to see of them."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from orchestra_app.frontier.gather import Gathered
from orchestra_app.frontier.report import Report, report
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.charts import Axis
from orchestra_app.ui.sweeping import gathered
from orchestra_app.ui.visitor import Visitor

Names = tuple[Any, Any]
"""What is shown (a sweep's id or `LABELLED`) and the catalogue, as the page sent them."""
_Key = tuple[str, str, str]
KEPT = 12
"""Comparisons that stay in memory, so that a click on a point computes nothing anew."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A comparison that is shown."""

    found: Report
    gathered: Gathered


class Drawings:
    """The comparisons that were shown last, by who saw them; and by page its axis and what it picked."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._kept: OrderedDict[_Key, Drawing] = OrderedDict()
        self._picked: dict[str, tuple[_Key, str]] = {}
        self._axes: dict[str, Axis] = {}

    async def get(self, visitor: Visitor, names: Names, *, anew: bool) -> Drawing | None:
        """Return a visitor's comparison, None without any run; raises ConfigError for what is not theirs."""
        key = _key(visitor, names)
        if anew or key not in self._kept:
            runs = await gathered(self.desk, visitor, *names)
            if runs is None:
                self._kept.pop(key, None)
                return None
            found = await asyncio.to_thread(report, runs.rows, runs.subject)
            self._kept[key] = Drawing(found, runs)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]

    def runs(self, visitor: Visitor, names: Names) -> int:
        """Return how many runs a visitor's comparison had when it was drawn; 0 without any."""
        drawing = self._kept.get(_key(visitor, names))
        return len(drawing.gathered.rows) if drawing else 0

    def pick(self, visitor: Visitor, names: Names, setting: str) -> None:
        """Take note of the setting that a page shows beside all others."""
        self._picked[visitor.page] = _key(visitor, names), setting

    def picked(self, visitor: Visitor, names: Names) -> str:
        """Return the setting that a page shows beside all others, "" for none."""
        key, setting = self._picked.get(visitor.page, (None, ""))
        return setting if key == _key(visitor, names) else ""

    def turn(self, visitor: Visitor, axis: object) -> None:
        """Take note of what a page draws accuracy against."""
        self._axes[visitor.page] = "seconds" if axis == "seconds" else "cost"

    def axis(self, visitor: Visitor) -> Axis:
        """Return what a page draws accuracy against."""
        return self._axes.get(visitor.page, "cost")

    def forget(self, page: str) -> None:
        """Take note that a page was closed."""
        self._axes.pop(page, None)
        self._picked.pop(page, None)


def _key(visitor: Visitor, names: Names) -> _Key:
    source, catalog = names
    return visitor.owner, str(source), str(catalog)
