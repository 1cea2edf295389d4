"""The aliases of a tool whose aliases are models: their names, prices and limits, and how they are asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestra_app.backends.base import TEMPLATE_TOKENS, Backend, Request, State
from orchestra_app.backends.prices import price_of
from orchestra_app.core.catalog import Catalog, Choice, Model, ToolKind, ToolSpec
from orchestra_app.core.errors import ToolError
from orchestra_app.core.message import Reply
from orchestra_app.core.purse import Purse
from orchestra_app.core.text import byte_length
from orchestra_app.core.usage import Price
from orchestra_app.tools.base import Floor
from orchestra_app.tools.context import Contexts, Limits
from orchestra_app.tools.prompts import expert_messages


@dataclass(frozen=True, slots=True)
class Experts:
    """What the tools of one catalogue share to reach its models."""

    catalog: Catalog
    backends: Callable[[str], Backend]
    """The backend of a model by its name in the catalogue."""
    contexts: Contexts = field(default_factory=Contexts)
    """Counts tokens, and packs what was found."""


@dataclass(frozen=True, slots=True)
class Expert:
    """One alias: a model with the limits under which a tool asks it."""

    alias: str
    choice: Choice
    model: Model
    kind: ToolKind
    limits: Limits
    max_output: int
    min_output: int
    fixed: int
    """Upper bound of the prompt's tokens without question and context."""

    @property
    def price(self) -> Price | None:
        """What its tokens cost; None where nobody states it."""
        return price_of(self.choice.model, self.model)


def make_expert(alias: str, choice: Choice, model: Model, kind: ToolKind) -> Expert:
    """Return the expert behind an alias; prompt and reply are limited so that both fit into its context."""
    messages = expert_messages(kind, "", "", boxed=choice.boxed)
    fixed = TEMPLATE_TOKENS * (len(messages) + 1) + sum(byte_length(each.content) for each in messages)
    output = min(choice.max_output, max(model.context - choice.max_context, model.context // 2))
    context = max(0, min(choice.max_context, model.context - output - fixed))
    limits = Limits(context, choice.max_code, choice.document_chars)
    least = min(choice.min_output, output)
    return Expert(alias, choice, model, kind, limits, max_output=output, min_output=least, fixed=fixed)


class Roster:
    """The models of one tool of the catalogue, by alias."""

    def __init__(self, name: str, experts: Experts):
        self.name = name
        self.spec: ToolSpec = experts.catalog.tools[name]
        self.experts = experts
        self.by_alias = {
            alias: make_expert(alias, choice, experts.catalog.models[choice.model], self.spec.kind)
            for alias, choice in self.spec.choices.items()
        }
        self.aliases = tuple(self.by_alias)
        self._schemas: dict[tuple[str, ...], dict[str, Any]] = {}

    def names(self, alias: str | None) -> tuple[str, ...]:
        """Return the alias, its model's name and its vendor, as `vendor:NAME`."""
        expert = self.by_alias.get(alias or "")
        if expert is None:
            return ()
        vendor = expert.model.vendor
        return (expert.alias, expert.choice.model, *([f"vendor:{vendor}"] if vendor else []))

    def model(self, alias: str | None) -> str:
        """Return the name of the model behind an alias."""
        return self.expert(alias).choice.model

    def expert(self, alias: str | None) -> Expert:
        """Return the expert behind an alias; raises ToolError for an unknown one."""
        expert = self.by_alias.get(alias or "")
        if expert is None:
            known = ", ".join(self.aliases)
            raise ToolError(f"{self.name} has no model {alias!r}; choose one of {known}.")
        return expert

    def schema(self, aliases: tuple[str, ...]) -> dict[str, Any]:
        """Return the schema in ToolOrchestra's shape: one parameter, whose description tells the models."""
        schema = self._schemas.get(aliases)
        if schema is None:
            described = describe({alias: self.by_alias[alias] for alias in aliases})
            schema = self._schemas[aliases] = function_schema(
                self.name, self.spec.description, {"model": {"description": described, "type": "string"}}
            )
        return schema

    def floor(self, alias: str | None, state: State, *, fee: float = 0.0, seconds: float = 0.0) -> Floor:
        """Return the least that asking takes, with the fee and the seconds of what follows on the reply."""
        expert = self.by_alias[alias or ""]
        return least(
            expert, state, self.experts.contexts, question=state.task.question, fee=fee, seconds=seconds
        )

    async def ask(self, alias: str | None, state: State, purse: Purse) -> Reply:
        """Return the reply of the model behind an alias to the task's own question."""
        expert = self.expert(alias)
        return await ask(expert, state, purse, experts=self.experts, question=state.task.question)


def least(
    expert: Expert,
    state: State,
    contexts: Contexts,
    *,
    question: str,
    fee: float = 0.0,
    seconds: float = 0.0,
) -> Floor:
    """Return the least that asking an expert takes; its prompt is bounded by its UTF-8 bytes."""
    price, choice = expert.price, expert.choice
    if price is None:
        return Floor(None, choice.latency + seconds)
    prompt = expert.fixed + contexts.size(state, question, expert.limits)
    rate = price.highest_input
    cost = (prompt * rate + expert.min_output * price.output) / 1e6
    return Floor(cost + fee, choice.latency + seconds, rate / 1e6)


async def ask(expert: Expert, state: State, purse: Purse, *, experts: Experts, question: str) -> Reply:
    """Return an expert's reply to `question` and what was found so far; raises as `Backend.complete` does."""
    counter, choice, model = experts.contexts.counter, expert.choice, expert.model
    if counter.count(question) + expert.fixed + expert.min_output > model.context:
        raise ToolError(
            f"The question is too long for {expert.alias}, which reads {model.context} tokens; "
            "choose a model with a longer context."
        )
    context = experts.contexts.pack(state, question, expert.limits)
    request = Request(
        name=choice.model,
        model=model,
        messages=expert_messages(expert.kind, question, context, boxed=choice.boxed),
        state=state,
        kind="search" if expert.kind == "search" else "expert",
        max_output=expert.max_output,
        min_output=expert.min_output,
        latency=choice.latency,
        temperature=model.temperature,
        role=expert.kind,
        alias=expert.alias,
    )
    return await experts.backends(choice.model).complete(request, purse)


def describe(experts: Mapping[str, Expert]) -> str:
    """Return what the policy reads about the models on offer: abilities, prices and latencies by name."""
    lines = [f"The model to use. Choices: {list(experts)}."]
    for name, expert in experts.items():
        lines += [f"{name}: {expert.choice.ability.strip()}"] if expert.choice.ability else []
    lines.append("Model | price per million input tokens | price per million output tokens | average latency")
    for name, expert in experts.items():
        price = expert.price
        rates = [dollars(price.input), dollars(price.output)] if price else ["unknown", "unknown"]
        lines.append(" | ".join([name, *rates, f"{expert.choice.latency:g}s"]))
    return "\n".join(lines)


def dollars(amount: float) -> str:
    """Return USD with as many decimals as it needs, at most six."""
    return "$" + f"{amount:.6f}".rstrip("0").rstrip(".")


def function_schema(name: str, description: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return an OpenAI function schema all of whose properties are required."""
    parameters = {
        "properties": properties,
        "required": list(properties),
        "title": "parameters",
        "type": "object",
    }
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }
