"""The tools that are expert models: `reason` writes code and runs it, `answer` gives the final answer."""

from typing import Any

from orchestra_app.backends.base import State
from orchestra_app.core.errors import ToolError
from orchestra_app.core.message import Reply, ToolCall, ToolResult
from orchestra_app.core.purse import Purse
from orchestra_app.core.task import Preference
from orchestra_app.core.trace import alias_of
from orchestra_app.sandbox.base import Sandbox
from orchestra_app.tools.base import Floor
from orchestra_app.tools.prompts import read_answer, read_code, said
from orchestra_app.tools.python import run_python, shortest_run, works
from orchestra_app.tools.roster import Experts, Roster


class AnswerTool:
    """Asks a model for the final answer, which ends the run."""

    ends = True
    works = True

    def __init__(self, name: str, experts: Experts):
        self._roster = Roster(name, experts)
        self.name, self.aliases = name, self._roster.aliases

    def names(self, alias: str | None) -> tuple[str, ...]:
        return self._roster.names(alias)

    def preference(self, alias: str | None, preference: Preference) -> float:
        return preference.of(self._roster.model(alias))

    def schema(self, aliases: tuple[str, ...]) -> dict[str, Any]:
        return self._roster.schema(aliases)

    def floor(self, alias: str | None, state: State) -> Floor:
        return self._roster.floor(alias, state)

    async def call(self, call: ToolCall, state: State, purse: Purse) -> ToolResult:
        alias = alias_of(call)
        reply = await self._roster.ask(alias, state, purse)
        answer = answer_in(reply)
        if answer is None:
            raise ToolError(no_answer(str(alias), reply.finish))
        return ToolResult(call_id=call.id, answer=answer)


def answer_in(reply: Reply) -> str | None:
    """Return the final answer of a reply; of one that is all reasoning, only what is closed or boxed."""
    return read_answer(said(reply), finished=reply.finish == "stop" and bool(reply.text))


def no_answer(alias: str, finish: str) -> str:
    """Return the sentence that says why a reply held no answer."""
    if finish == "length":
        return f"{alias} was cut, most likely at its token limit, before it answered; call another model."
    return f"{alias} gave no answer; call another model."


class ReasonTool:
    """Asks a model for Python code and runs it; it leaves the offer where the sandbox is off."""

    ends = False

    def __init__(self, name: str, experts: Experts, sandbox: Sandbox):
        self._roster = Roster(name, experts)
        self._sandbox = sandbox
        self._spec = experts.catalog.python
        self._fee = self._spec.price.unit * shortest_run(self._spec)
        self.name, self.aliases = name, self._roster.aliases

    @property
    def works(self) -> bool:
        return works(self._sandbox)

    def names(self, alias: str | None) -> tuple[str, ...]:
        return self._roster.names(alias)

    def preference(self, alias: str | None, preference: Preference) -> float:
        return preference.of(self._roster.model(alias))

    def schema(self, aliases: tuple[str, ...]) -> dict[str, Any]:
        return self._roster.schema(aliases)

    def floor(self, alias: str | None, state: State) -> Floor:
        return self._roster.floor(alias, state, fee=self._fee)

    async def call(self, call: ToolCall, state: State, purse: Purse) -> ToolResult:
        if not works(self._sandbox):
            raise ToolError(self._sandbox.reason)
        alias = alias_of(call)
        reply = await self._roster.ask(alias, state, purse)
        code = read_code(said(reply))
        if code is None:
            raise ToolError(f"{alias} wrote no Python code; call another model or another tool.")
        execution = await run_python(code, state, purse, self._sandbox)
        return ToolResult(call_id=call.id, executions=(execution,))
