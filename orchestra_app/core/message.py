"""What is said between the policy, the experts and the tools."""

from typing import Any, Literal

from pydantic import Field, field_validator

from orchestra_app.core.usage import Charge
from orchestra_app.core.value import Value


class ToolCall(Value):
    """A call that the policy asked for."""

    id: str
    name: str
    arguments: dict[str, Any] | str
    """The arguments; the raw text where it could not be read as a JSON object."""


class Returned(Value):
    """What a server gave beside the calls of a reply and wants back with them, to go on at all."""

    model: str
    """The model that it came from; no other is sent it."""
    reasoning: bool = False
    """Whether the reply's reasoning goes back, as `reasoning_content`."""
    extras: tuple[dict[str, dict[str, str]], ...] = ()
    """The `extra_content` of each call, such as Gemini's signatures of thoughts; empty: there was none."""


class Message(Value):
    """One message of a conversation, in the shape of the chat completions API."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    reasoning: str = ""
    """The reasoning before the calls, where it goes back with them."""
    returned: Returned | None = None
    """What else goes back with the calls."""


class Document(Value):
    """A text that a search found; it is material, never instructions."""

    text: str
    title: str = ""
    source: str = ""
    """The name of the search source it came from."""
    url: str = ""
    """Its address, or its path inside the source's folder."""


class Execution(Value):
    """Python code that ran in the sandbox, and what came of it."""

    code: str
    stdout: str = ""
    stderr: str = ""
    status: int | None = None
    """The exit status; None where the run was killed."""
    seconds: float = 0.0
    """Seconds of wall time."""
    timed_out: bool = False
    truncated: bool = False
    """True where output beyond the limit was dropped."""


class Tokens(Value):
    """Token ids and log-probabilities of a reply that was generated in this process."""

    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """In the whole vocabulary."""
    drawn: tuple[float, ...] = ()
    """Among the calls on offer alone, where the reply was held to these; empty: it was free."""


class Offer(Value):
    """A tool as it was offered to the policy in one turn."""

    tool_schema: dict[str, Any]
    """The function schema, as shown."""
    choices: dict[str, float] = Field(default_factory=dict)
    """The aliases on offer, each with its preference in [0, 1]; empty for a tool without aliases."""
    slider: float = 0.5
    """The preference of the tool itself in [0, 1]."""

    @field_validator("tool_schema")
    @classmethod
    def _named(cls, schema: dict[str, Any]) -> dict[str, Any]:
        function = schema.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise ValueError("it must be a function schema with a name")
        return schema

    @property
    def name(self) -> str:
        return self.tool_schema["function"]["name"]


class Reply(Value):
    """One reply of a model."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    charges: tuple[Charge, ...] = ()
    """Every attempt, failed ones included."""
    returned: Returned | None = None
    """What the server wants back with the calls."""
    finish: Literal["stop", "length"] = "stop"
    """`length` where the reply was cut: mostly at its token limit, else by a filter or a failure."""
    tokens: Tokens | None = None
    at: float = 0.0
    """Seconds after the start of the run at which the reply was complete."""


class ToolResult(Value):
    """What came back from one tool call."""

    call_id: str
    documents: tuple[Document, ...] = ()
    executions: tuple[Execution, ...] = ()
    output: str = ""
    """Text for the policy, where the tool gives neither documents, executions nor an answer."""
    answer: str | None = None
    """The final answer, where this call gave one."""
    error: str | None = None
    charges: tuple[Charge, ...] = ()
    at: float = 0.0
    """Seconds after the start of the run at which the result was there."""
