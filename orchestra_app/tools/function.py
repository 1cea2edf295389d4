"""A plain Python function with type hints and a docstring as a tool of the chat protocol."""

import asyncio
import inspect
import re
import time
from collections.abc import Callable
from typing import Any, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PydanticSchemaGenerationError,
    ValidationError,
    create_model,
)
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic_core import PydanticSerializationError, to_json

from orchestra_app.backends.base import State
from orchestra_app.backends.reading import clean
from orchestra_app.core.errors import ConfigError, ToolError
from orchestra_app.core.message import ToolCall, ToolResult
from orchestra_app.core.purse import Purse, Reservation, Use
from orchestra_app.core.task import Preference
from orchestra_app.core.usage import Price, Usage
from orchestra_app.tools.base import Floor, Tool

LONGEST_OUTPUT = 64_000
"""Characters of a result that are kept."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def tool(function: Callable[..., Any], *, price: Price | None = None, seconds: float = 0.0) -> Tool:
    """Return a tool that calls `function`; its docstring is what the policy reads.

    price: `unit` is USD per call; None: it costs nothing. seconds: what a call usually takes. An async
    function is awaited, any other runs in a thread. Its ToolError, ValueError, LookupError, OSError,
    ArithmeticError and RuntimeError go back to the policy; anything else is a bug and travels up.
    Raises ConfigError where name, docstring or type hints are missing or cannot be put into a schema.
    """
    return FunctionTool(function, price or Price(source="free"), seconds)


class FunctionTool:
    """What `tool` returns."""

    ends = False
    works = True
    aliases: tuple[str, ...] = ()

    def __init__(self, function: Callable[..., Any], price: Price, seconds: float):
        self._function = function
        self._price = price
        self._seconds = seconds
        self.name = getattr(function, "__name__", "")
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"A tool needs a function with a plain name, not {self.name!r}; use `def`.")
        description = inspect.cleandoc(function.__doc__ or "").strip()
        if not description:
            raise ConfigError(f"{self.name} needs a docstring: it tells the policy what the tool does.")
        self._arguments, self._fields = _arguments(function, self.name)
        self._schema = _schema(self.name, description, self._arguments)

    def names(self, alias: str | None) -> tuple[str, ...]:
        return ()

    def preference(self, alias: str | None, preference: Preference) -> float:
        return preference.of(self.name)

    def schema(self, aliases: tuple[str, ...]) -> dict[str, Any]:
        return self._schema

    def floor(self, alias: str | None, state: State) -> Floor:
        return Floor(self._price.unit, self._seconds)

    async def call(self, call: ToolCall, state: State, purse: Purse) -> ToolResult:
        values = self._read(call.arguments)
        once, simulated = Usage(units=1), state.catalog.simulated
        use = Use(self.name, "retrieve", self._price, most=once, least=once, simulated=simulated)
        reservation = await purse.reserve(use)
        usage, started = None, time.monotonic()
        try:
            result = await self._run(values, reservation)
            taken = self._seconds if simulated else time.monotonic() - started
            usage = Usage(units=1, seconds=taken)
        finally:
            purse.settle(reservation, usage, simulated=simulated)
        return ToolResult(call_id=call.id, output=clean(_text(result)[:LONGEST_OUTPUT]))

    def _read(self, arguments: dict[str, Any] | str) -> dict[str, Any]:
        if isinstance(arguments, str):
            raise ToolError(f"The arguments of {self.name} are not a JSON object; write them as one.")
        try:
            values = self._arguments.model_validate(arguments)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ToolError(f"{self.name} cannot take {where or 'this'}: {first['msg']}.") from None
        return {name: getattr(values, own) for name, own in self._fields.items()}

    async def _run(self, values: dict[str, Any], reservation: Reservation) -> Any:
        if inspect.iscoroutinefunction(self._function):
            work = self._function(**values)
        else:
            work = asyncio.to_thread(_called, self._function, values)
        try:
            return await asyncio.wait_for(work, reservation.seconds)
        except TimeoutError:
            raise ToolError(f"{self.name} did not end in the time that was left.") from None
        except (ArithmeticError, LookupError, OSError, RuntimeError, ValueError) as error:
            raise ToolError(f"{self.name} failed: {type(error).__name__}: {error}") from error


def _called(function: Callable[..., Any], values: dict[str, Any]) -> Any:
    try:
        return function(**values)
    except StopIteration as error:
        # A future refuses this one, so that whoever waits for the thread would wait for good.
        raise RuntimeError("it raised StopIteration") from error


def _arguments(function: Callable[..., Any], name: str) -> tuple[type[BaseModel], dict[str, str]]:
    """Return a model of the arguments and the name of its field for each of them."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise ConfigError(f"The type hints of {name} cannot be read: {error}.") from None
    fields: dict[str, Any] = {}
    own: dict[str, str] = {}
    for index, parameter in enumerate(inspect.signature(function).parameters.values()):
        if parameter.kind not in _KINDS:
            raise ConfigError(f"{name} takes {parameter}, but a tool's arguments must have names.")
        if parameter.name not in hints:
            raise ConfigError(f"{name} needs a type hint for its argument {parameter.name}.")
        # Own field names, since an argument may be called `json` or `_x`, which a model cannot have.
        own[parameter.name] = f"argument_{index}"
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[own[parameter.name]] = (hints[parameter.name], Field(default, alias=parameter.name))
    try:
        model = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise ConfigError(f"The type hints of {name} cannot be put into a schema: {error}") from None
    return model, own


def _schema(name: str, description: str, arguments: type[BaseModel]) -> dict[str, Any]:
    try:
        parameters = arguments.model_json_schema(by_alias=True)
    except (PydanticInvalidForJsonSchema, PydanticUserError) as error:
        raise ConfigError(f"The type hints of {name} cannot be put into a schema: {error}") from None
    parameters.pop("title", None)
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


def _text(result: Any) -> str:
    if result is None:
        return "Done."
    if isinstance(result, str):
        return result
    try:
        return to_json(result).decode()
    except PydanticSerializationError:
        return str(result)
