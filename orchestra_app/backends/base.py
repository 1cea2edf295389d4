"""What completes a conversation: the request, the state it was made from, and the protocol."""

from collections.abc import Callable
from json import dumps
from typing import Any, NamedTuple, Protocol

from orchestra_app.core.catalog import Catalog, Model
from orchestra_app.core.message import Document, Execution, Message, Offer, Reply
from orchestra_app.core.purse import Purse
from orchestra_app.core.task import Task
from orchestra_app.core.text import byte_length
from orchestra_app.core.trace import Turn
from orchestra_app.core.usage import Kind


class State(NamedTuple):
    """Where a rollout stands, as values: what prompts are packed from and what baseline policies read."""

    task: Task
    catalog: Catalog
    documents: tuple[Document, ...] = ()
    executions: tuple[Execution, ...] = ()
    turns: tuple[Turn, ...] = ()
    offered: tuple[Offer, ...] = ()
    """The tools on offer in this turn."""
    instruction: str = ""
    """The preference sentence of this turn."""
    cost_left: float | None = None
    """USD left in the budget; None: without limit."""
    seconds_left: float | None = None
    seed: int = 0

    @property
    def problem(self) -> str:
        """The question as the policy reads it, with the preference sentence joined to it."""
        return f"{self.task.question}\n\n{self.instruction}" if self.instruction else self.task.question


class Request(NamedTuple):
    """One conversation to be completed."""

    name: str
    """The model's name in the catalogue: `Charge.who`."""
    model: Model
    messages: tuple[Message, ...]
    state: State
    kind: Kind = "expert"
    tools: tuple[dict[str, Any], ...] = ()
    max_output: int = 4_096
    """Most tokens of the reply that are wanted; the purse may grant fewer."""
    min_output: int = 256
    """Fewest tokens of the reply that are worth the call."""
    latency: float | None = None
    """Seconds that the call usually takes: what a simulated model takes about."""
    temperature: float | None = None
    role: str = ""
    """What the reply is for: `policy`, or the tool kind `search`, `reason`, `answer`."""
    alias: str = ""
    """The alias that was called, if any."""
    on_text: Callable[[str], None] | None = None
    """Called with each piece of text as it streams in; None: the reply is not streamed."""


class Backend(Protocol):
    """A language model, wherever it runs."""

    async def complete(self, request: Request, purse: Purse) -> Reply:
        """Return the reply, every attempt reserved and settled in `purse`, which collects the charges.

        Raises BudgetError where the first attempt does not fit, BackendError where no attempt gave a reply.
        """
        ...


TEMPLATE_TOKENS = 64
"""Tokens that a chat template adds to a conversation at most, per message and once more."""
TOOLS_TOKENS = 256
"""Tokens that it adds at most where tools are listed."""


def input_bound(request: Request, length: Callable[[str], int] = byte_length) -> int:
    """Return an upper bound of the prompt's tokens: the length of its texts and the template's overhead.

    length: counts the tokens of a text; the default, its UTF-8 bytes, bounds any byte-level vocabulary.
    """
    total = TEMPLATE_TOKENS * (len(request.messages) + 1)
    for message in request.messages:
        total += length(message.content)
        for call in message.calls:
            total += length(call.name) + length(dumps(call.arguments))
        if message.returned:
            total += length(message.reasoning) + length(dumps(message.returned.extras))
    if request.tools:
        total += TOOLS_TOKENS + sum(length(_schema_text(schema)) for schema in request.tools)
    return total


_schema_texts: dict[int, tuple[dict[str, Any], str]] = {}
REMEMBERED_SCHEMAS = 512


def _schema_text(schema: dict[str, Any]) -> str:
    # Tools give the same object for the same aliases, and every turn of every run asks for its length.
    kept = _schema_texts.get(id(schema))
    if kept is None or kept[0] is not schema:
        if len(_schema_texts) >= REMEMBERED_SCHEMAS:
            _schema_texts.clear()
        kept = _schema_texts[id(schema)] = (schema, dumps(schema))
    return kept[1]
