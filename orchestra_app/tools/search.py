"""The search tool: a model writes the query, and sources are asked in the order of their sliders."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from orchestra_app.backends.base import State
from orchestra_app.core.catalog import Source
from orchestra_app.core.errors import BudgetError, ToolError
from orchestra_app.core.message import Document, ToolCall, ToolResult
from orchestra_app.core.purse import Purse, Use
from orchestra_app.core.task import Preference
from orchestra_app.core.trace import alias_of
from orchestra_app.core.usage import Usage
from orchestra_app.tools.base import Floor, permitted
from orchestra_app.tools.prompts import one_line, read_query, said
from orchestra_app.tools.roster import Experts, Roster


class Finder(Protocol):
    """A place where documents can be found."""

    async def search(self, query: str, top: int, *, seconds: float | None = None) -> list[Document]:
        """Return at most `top` documents, the best first, within `seconds`.

        Raises ToolError, or Refused where the source did no work and takes no fee.
        """
        ...


ONCE = Usage(units=1)


class Refused(ToolError):
    """A source that turned a search down, so that nothing is owed for it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A source of the catalogue with what searches it."""

    name: str
    source: Source
    finder: Finder


@dataclass(frozen=True, slots=True)
class Permitted:
    """The sources that one preference permits."""

    places: tuple[Place, ...] = ()

    fee: float = 0.0
    """USD of the cheapest search."""
    seconds: float = 0.0
    """Seconds that the quickest search usually takes."""


class Places:
    """The configured sources of a search, in the order of the catalogue."""

    def __init__(self, sources: Mapping[str, Source], finders: Mapping[str, Finder]):
        self.places = tuple(
            Place(name, source, finders[name]) for name, source in sources.items() if name in finders
        )
        self._last: tuple[Preference | None, Permitted] = (None, Permitted())

    def slider(self, preference: Preference) -> float | None:
        """Return the slider of the best liked source that is not excluded; None where there is none."""
        return max((preference.of(place.name) for place in self.permitted(preference).places), default=None)

    def ordered(self, preference: Preference) -> list[Place]:
        """Return the sources that may be searched, the best liked first, else as in the catalogue."""
        return sorted(self.permitted(preference).places, key=lambda place: -preference.of(place.name))

    def permitted(self, preference: Preference) -> Permitted:
        """Return the sources that neither a slider at 0 nor an exclusion forbids."""
        # Every alias asks in every turn, mostly for one and the same preference.
        last, found = self._last
        if last is not preference:
            sliders = ((place, preference.of(place.name)) for place in self.places)
            places = [place for place, each in sliders if permitted(place.name, each, (), preference)]
            found = Permitted(
                tuple(places),
                fee=min((place.source.price.unit for place in places), default=0.0),
                seconds=min((place.source.latency for place in places), default=0.0),
            )
            self._last = (preference, found)
        return found

    def check(self, preference: Preference) -> None:
        """Raise ToolError where no source is left."""
        if not self.permitted(preference).places:
            raise ToolError("Every search source is excluded, so nothing can be searched; use other tools.")

    async def find(self, query: str, state: State, purse: Purse) -> list[Document]:
        """Return documents that `state` does not have yet, the best first.

        Sources are searched in their order until one search's worth of documents is found. A source that
        fails is passed over; its error is raised only where no source worked.
        """
        self.check(state.task.preference)
        places = self.ordered(state.task.preference)
        known = {document.text for document in state.documents}
        found: list[Document] = []
        failed: list[BudgetError | ToolError] = []
        for place in places:
            if len(found) >= place.source.top:
                break
            try:
                documents = await _search(place, query, state, purse)
            except (BudgetError, ToolError) as error:
                failed.append(error)
                continue
            for document in documents:
                if document.text not in known and len(found) < place.source.top:
                    known.add(document.text)
                    found.append(document)
        if len(failed) == len(places):
            raise failed[0]
        return found


async def _search(place: Place, query: str, state: State, purse: Purse) -> list[Document]:
    source, simulated = place.source, state.catalog.simulated
    use = Use(place.name, "retrieve", source.price, most=ONCE, least=ONCE, simulated=simulated)
    reservation = await purse.reserve(use)
    usage = None
    started = time.monotonic()
    try:
        # As many more as this source gave before, so that the same query goes on instead of coming back.
        more = sum(document.source == place.name for document in state.documents)
        seconds = None if simulated else reservation.seconds
        documents = await place.finder.search(query, source.top + more, seconds=seconds)
        taken = source.latency if simulated else time.monotonic() - started
        usage = Usage(units=1, seconds=taken)
        return documents
    except Refused:
        usage = Usage(seconds=source.latency if simulated else time.monotonic() - started)
        raise
    finally:
        purse.settle(reservation, usage, simulated=simulated)


def found_result(call_id: str, query: str, documents: list[Document]) -> ToolResult:
    """Return the result of a search, the best document last, where cuts spare it."""
    if documents:
        return ToolResult(call_id=call_id, documents=tuple(reversed(documents)))
    return ToolResult(call_id=call_id, output=f"The search for {query!r} found nothing new.")


class SearchTool:
    """Asks a model for a query and searches with it; it needs a configured source."""

    ends = False
    works = True

    def __init__(self, name: str, experts: Experts, finders: Mapping[str, Finder]):
        self._roster = Roster(name, experts)
        catalog = experts.catalog
        self._places = Places({each: catalog.sources[each] for each in self._roster.spec.sources}, finders)
        self.name, self.aliases = name, self._roster.aliases

    def names(self, alias: str | None) -> tuple[str, ...]:
        return self._roster.names(alias)

    def preference(self, alias: str | None, preference: Preference) -> float | None:
        place = self._places.slider(preference)
        return None if place is None else min(preference.of(self._roster.model(alias)), place)

    def schema(self, aliases: tuple[str, ...]) -> dict[str, Any]:
        return self._roster.schema(aliases)

    def floor(self, alias: str | None, state: State) -> Floor:
        found = self._places.permitted(state.task.preference)
        return self._roster.floor(alias, state, fee=found.fee, seconds=found.seconds)

    async def call(self, call: ToolCall, state: State, purse: Purse) -> ToolResult:
        self._places.check(state.task.preference)
        reply = await self._roster.ask(alias_of(call), state, purse)
        query = read_query(said(reply)) or one_line(state.task.question)
        return found_result(call.id, query, await self._places.find(query, state, purse))
