"""The tools of a catalogue with real arguments, for the chat protocol: search, python and ask_expert."""

from collections.abc import Mapping
from typing import Any

from orchestra_app.backends.base import State
from orchestra_app.backends.reading import clean
from orchestra_app.core.errors import ToolError
from orchestra_app.core.message import ToolCall, ToolResult
from orchestra_app.core.purse import Purse
from orchestra_app.core.task import NEUTRAL, Preference
from orchestra_app.core.trace import alias_of
from orchestra_app.sandbox.base import Sandbox
from orchestra_app.tools.base import Floor, permitted
from orchestra_app.tools.expert import answer_in, no_answer
from orchestra_app.tools.prompts import one_line
from orchestra_app.tools.python import run_python, shortest_run, works
from orchestra_app.tools.roster import Expert, Experts, ask, describe, function_schema, least, make_expert
from orchestra_app.tools.search import Finder, Places, found_result

SEARCH = "Searches documents and returns the passages that match best."
PYTHON = (
    "Runs a piece of Python code and returns what it prints. It has numpy and sympy, but no files and no "
    "network, and every run starts anew: import what you use and print what you want to know."
)
ASK = (
    "Asks another language model a question and returns its answer. The model sees the question you write, "
    "and the documents and code outputs found so far, but nothing else of this conversation."
)


def text_argument(call: ToolCall, name: str) -> str:
    """Return an argument that must be text; raises ToolError where it is missing or empty."""
    value = call.arguments.get(name) if isinstance(call.arguments, dict) else None
    if not isinstance(value, str) or not value.strip():
        raise ToolError(f"{call.name} needs the argument {name} as text.")
    return clean(value).strip()


class ChatSearch:
    """Searches with the query that the policy wrote."""

    name = "search"
    ends = False
    works = True
    aliases: tuple[str, ...] = ()

    def __init__(self, experts: Experts, finders: Mapping[str, Finder]):
        self._places = Places(experts.catalog.sources, finders)
        query = {"type": "string", "description": "A few key words or a short sentence."}
        self._schema = function_schema(self.name, SEARCH, {"query": query})

    def names(self, alias: str | None) -> tuple[str, ...]:
        return ()

    def preference(self, alias: str | None, preference: Preference) -> float | None:
        return self._places.slider(preference)

    def schema(self, aliases: tuple[str, ...]) -> dict[str, Any]:
        return self._schema

    def floor(self, alias: str | None, state: State) -> Floor:
        found = self._places.permitted(state.task.preference)
        return Floor(found.fee, found.seconds)

    async def call(self, call: ToolCall, state: State, purse: Purse) -> ToolResult:
        query = one_line(text_argument(call, "query"))
        return found_result(call.id, query, await self._places.find(query, state, purse))


class ChatPython:
    """Runs the code that the policy wrote."""

    name = "python"
    ends = False
    aliases: tuple[str, ...] = ()

    def __init__(self, experts: Experts, sandbox: Sandbox):
        self._sandbox = sandbox
        spec = experts.catalog.python
        self._floor = Floor(spec.price.unit * shortest_run(spec), 0.0)
        self._schema = function_schema(self.name, PYTHON, {"code": {"type": "string"}})

    @property
    def works(self) -> bool:
        return works(self._sandbox)

    def names(self, alias: str | None) -> tuple[str, ...]:
        return ()

    def preference(self, alias: str | None, preference: Preference) -> float:
        return preference.of(self.name)

    def schema(self, aliases: tuple[str, ...]) -> dict[str, Any]:
        return self._schema

    def floor(self, alias: str | None, state: State) -> Floor:
        return self._floor

    async def call(self, call: ToolCall, state: State, purse: Purse) -> ToolResult:
        execution = await run_python(text_argument(call, "code"), state, purse, self._sandbox)
        return ToolResult(call_id=call.id, executions=(execution,))


class AskExpert:
    """Asks one of the models that the catalogue has for answers and for reasoning, by the model's name."""

    name = "ask_expert"
    ends = False
    works = True

    def __init__(self, experts: Experts):
        self._experts = experts
        self._ways: dict[str, list[tuple[str, Expert]]] = {}
        catalog = experts.catalog
        tools = sorted(
            (item for item in catalog.tools.items() if item[1].kind != "search"),
            key=lambda item: item[1].kind != "answer",
        )
        for tool, spec in tools:
            for alias, choice in spec.choices.items():
                expert = make_expert(alias, choice, catalog.models[choice.model], "answer")
                self._ways.setdefault(choice.model, []).append((tool, expert))
        self.aliases = tuple(self._ways)
        self._schemas: dict[tuple[str, ...], dict[str, Any]] = {}

    def names(self, alias: str | None) -> tuple[str, ...]:
        ways = self._ways.get(alias or "")
        vendor = ways[0][1].model.vendor if ways else ""
        return (*([alias] if alias else []), *([f"vendor:{vendor}"] if vendor else []))

    def preference(self, alias: str | None, preference: Preference) -> float | None:
        slider = preference.of(alias or "")
        best = max((preference.of(tool) for tool, _ in self._open(alias, preference)), default=None)
        if best is None:
            return None
        # A disliked tool of the catalogue holds its models down, but a neutral one must not.
        return slider if best >= NEUTRAL else min(slider, best)

    def schema(self, aliases: tuple[str, ...]) -> dict[str, Any]:
        schema = self._schemas.get(aliases)
        if schema is None:
            ways = {model: self._ways[model][0][1] for model in aliases}
            properties = {
                "model": {"type": "string", "enum": list(aliases), "description": describe(ways)},
                "question": {"type": "string", "description": "All that the model needs to know."},
            }
            schema = self._schemas[aliases] = function_schema(self.name, ASK, properties)
        return schema

    def floor(self, alias: str | None, state: State) -> Floor:
        return least(self._expert(alias, state), state, self._experts.contexts, question="")

    async def call(self, call: ToolCall, state: State, purse: Purse) -> ToolResult:
        alias, question = alias_of(call), text_argument(call, "question")
        expert = self._expert(alias, state)
        reply = await ask(expert, state, purse, experts=self._experts, question=question)
        answer = answer_in(reply)
        if answer is None:
            raise ToolError(no_answer(str(alias), reply.finish))
        return ToolResult(call_id=call.id, output=answer)

    def _open(self, model: str | None, preference: Preference) -> list[tuple[str, Expert]]:
        """Return the choices of a model that neither the sliders nor the exclusions of tools forbid."""
        return [
            (tool, expert)
            for tool, expert in self._ways.get(model or "", ())
            if permitted(tool, preference.of(tool), (expert.alias,), preference)
        ]

    def _expert(self, model: str | None, state: State) -> Expert:
        if model not in self._ways:
            raise ToolError(f"There is no model {model!r}; choose one of {', '.join(self.aliases)}.")
        ways = self._open(model, state.task.preference)
        if not ways:
            raise ToolError(f"Every way to ask {model} is excluded; choose another model.")
        return ways[0][1]
