"""Saved results of tool calls, taken again where the same call was made in the same place before."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestra_app.backends.base import State
from orchestra_app.core.message import Document, Execution, ToolCall, ToolResult
from orchestra_app.core.purse import Purse, Use
from orchestra_app.core.task import Preference
from orchestra_app.core.trace import Trace, alias_of
from orchestra_app.tools.base import Floor, Tool, Toolbox


@dataclass
class Saved:
    """Results by tool, alias, question and what had been found before the call."""

    results: dict[str, list[ToolResult]] = field(default_factory=lambda: defaultdict(list))
    replayed: int = 0
    """Calls that were answered from here."""

    def add(self, traces: Iterable[Trace]) -> None:
        """Take in every call of some traces that gave a result."""
        for trace in traces:
            documents: list[Document] = []
            executions: list[Execution] = []
            for turn in trace.turns:
                for call in turn.reply.calls:
                    result = turn.result(call.id)
                    if result is not None and result.error is None:
                        self.results[_key(call, trace.task.question, documents, executions)].append(result)
                for result in turn.results:
                    documents += result.documents
                    executions += result.executions

    def find(self, call: ToolCall, state: State) -> ToolResult | None:
        """Return a saved result of this call in this state; the run's seed chooses among several."""
        known = self.results.get(_key(call, state.task.question, state.documents, state.executions))
        return known[state.seed % len(known)] if known else None

    def over(self, toolbox: Toolbox) -> Toolbox:
        """Return a toolbox that takes saved results where there are some."""
        return Toolbox([Replayed(tool, self) for tool in toolbox.tools.values()])


@dataclass(frozen=True)
class Replayed:
    """A tool that is really called only where no saved result fits."""

    tool: Tool
    saved: Saved

    @property
    def name(self) -> str:
        return self.tool.name

    @property
    def ends(self) -> bool:
        return self.tool.ends

    @property
    def works(self) -> bool:
        return self.tool.works

    @property
    def aliases(self) -> tuple[str, ...]:
        return self.tool.aliases

    def names(self, alias: str | None) -> tuple[str, ...]:
        return self.tool.names(alias)

    def preference(self, alias: str | None, preference: Preference) -> float | None:
        return self.tool.preference(alias, preference)

    def schema(self, aliases: tuple[str, ...]) -> dict[str, Any]:
        return self.tool.schema(aliases)

    def floor(self, alias: str | None, state: State) -> Floor:
        return self.tool.floor(alias, state)

    async def call(self, call: ToolCall, state: State, purse: Purse) -> ToolResult:
        """Book a saved result at what it cost then, or call the tool; see `Tool.call`."""
        found = self.saved.find(call, state)
        if found is None:
            return await self.tool.call(call, state, purse)
        for charge in found.charges:
            # The run's own budget pays, so that its reward is right; no real money is spent.
            most, paid = charge.usage, state.catalog.simulated
            use = Use(charge.who, charge.kind, charge.price, most, most, simulated=True, paid=paid)
            reservation = await purse.reserve(use)
            purse.settle(reservation, charge.usage, reported=charge.reported, simulated=True)
        self.saved.replayed += 1
        return found.model_copy(update={"call_id": call.id})


def _key(
    call: ToolCall, question: str, documents: Sequence[Document], executions: Sequence[Execution]
) -> str:
    known = hashlib.blake2b(digest_size=16)
    for text in (call.name, alias_of(call) or repr(call.arguments), question):
        known.update(text.encode(errors="replace") + b"\0")
    for document in documents:
        known.update(document.text.encode(errors="replace") + b"\1")
    for run in executions:
        known.update(run.stdout.encode(errors="replace") + b"\2")
    return known.hexdigest()
