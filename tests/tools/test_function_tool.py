import asyncio
import time
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field
from tool_fakes import FakePurse, call_of, make_catalog, make_state

from orchestra_app.core.errors import ConfigError, ToolError
from orchestra_app.core.message import ToolCall
from orchestra_app.core.usage import Price
from orchestra_app.tools.function import LONGEST_OUTPUT, tool


class Place(BaseModel):
    lat: float


def weather(
    place: str,
    days: Annotated[int, Field(ge=1, le=5, description="How many days.")] = 1,
    *,
    unit: Literal["C", "F"] = "C",
) -> str:
    """Tell the weather of a place.

    It may be wrong.
    """
    return f"{place}: {days} days of 20 {unit}"


async def distance(a: Place, b: Place) -> dict:
    """Measure a distance."""
    return {"km": abs(a.lat - b.lat), "between": [a, b]}


def odd(json: bool, _x: list[str], model_config: int = 3) -> None:
    """Take arguments with unusual names."""


def failing(kind: str) -> str:
    """Fail."""
    raise {"value": ValueError, "tool": ToolError, "bug": NotImplementedError, "type": TypeError}[kind]("why")


async def called(function, *, purse=None, catalog=None, **arguments) -> str:
    made = tool(function)
    call = call_of(made.name, **arguments)
    return (await made.call(call, make_state(catalog), purse or FakePurse())).output


def test_schema_is_made_from_hints_and_docstring():
    made = tool(weather)
    assert (made.name, made.ends, made.aliases) == ("weather", False, ())
    assert made.schema(()) is made.schema(())
    assert made.schema(()) == {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Tell the weather of a place.\n\nIt may be wrong.",
            "parameters": {
                "additionalProperties": False,
                "properties": {
                    "place": {"title": "Place", "type": "string"},
                    "days": {
                        "default": 1,
                        "description": "How many days.",
                        "maximum": 5,
                        "minimum": 1,
                        "title": "Days",
                        "type": "integer",
                    },
                    "unit": {"default": "C", "enum": ["C", "F"], "title": "Unit", "type": "string"},
                },
                "required": ["place"],
                "type": "object",
            },
        },
    }


@pytest.mark.parametrize(
    ("function", "arguments", "output"),
    [
        (weather, {"place": "Velm"}, "Velm: 1 days of 20 C"),
        (weather, {"place": "Velm", "days": "2", "unit": "F"}, "Velm: 2 days of 20 F"),
        (distance, {"a": {"lat": 1}, "b": {"lat": 3}}, '{"km":2.0,"between":[{"lat":1.0},{"lat":3.0}]}'),
        (odd, {"json": True, "_x": ["a"]}, "Done."),
    ],
)
async def test_a_call_gives_the_result_as_text(function, arguments, output):
    assert await called(function, **arguments) == output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "weather cannot take place: Field required"),
        ({"place": "a", "days": 9}, "days: Input should be less than or equal to 5"),
        ({"place": "a", "unit": "K"}, "unit: Input should be 'C' or 'F'"),
        ({"place": "a", "wind": 1}, "wind: Extra inputs are not permitted"),
        ({"place": ["a"]}, "place: Input should be a valid string"),
        ("place=a", "not a JSON object"),
    ],
)
async def test_bad_arguments_are_told_and_nothing_runs(arguments, said):
    call, purse = ToolCall(id="1", name="weather", arguments=arguments), FakePurse()
    with pytest.raises(ToolError, match=said):
        await tool(weather).call(call, make_state(), purse)
    assert not purse.uses


@pytest.mark.parametrize(("kind", "error"), [("value", ToolError), ("tool", ToolError), ("type", TypeError)])
async def test_failures_go_back_to_the_policy_and_bugs_travel_up(kind, error):
    purse = FakePurse()
    with pytest.raises(error, match="why"):
        await called(failing, purse=purse, kind=kind)
    assert not purse.open


async def test_a_function_that_raises_stop_iteration_fails_like_any_other():
    def first_long(words: list[str]) -> str:
        """Return the first long word."""
        return next(word for word in words if len(word) > 9)

    with pytest.raises(ToolError, match="first_long failed: RuntimeError: it raised StopIteration"):
        await asyncio.wait_for(called(first_long, words=["a"]), 10)


async def test_a_result_that_is_no_text_is_made_one():
    def listing() -> str:
        """List the files."""
        return "caf\udce9.txt\0"

    assert await called(listing) == "caf\ufffd.txt\ufffd"


async def test_a_call_costs_its_price_and_nothing_without_one():
    purse = FakePurse()
    await tool(weather, price=Price(unit=0.5), seconds=2).call(
        call_of("weather", place="a"), make_state(), purse
    )
    await called(weather, purse=purse, place="a")
    assert [(charge.who, charge.cost) for charge in purse.charges] == [("weather", 0.5), ("weather", 0)]
    floor = tool(weather, price=Price(unit=0.5), seconds=2).floor(None, make_state())
    assert (floor.cost, floor.seconds) == (0.5, 2)
    assert tool(weather).floor(None, make_state()).cost == 0


async def test_simulated_calls_take_the_stated_seconds():
    catalog, purse = make_catalog(simulated=True), FakePurse()
    call = call_of("weather", place="a")
    await tool(weather, seconds=2).call(call, make_state(catalog), purse)
    assert (purse.charges[0].usage.seconds, purse.charges[0].simulated) == (2, True)


async def test_a_call_ends_when_the_time_is_over():
    async def slow() -> None:
        """Take long."""
        await asyncio.sleep(60)

    def nap() -> None:
        """Take a little too long."""
        time.sleep(0.2)

    for function in (slow, nap):
        purse = FakePurse(seconds=0.02)
        with pytest.raises(ToolError, match="did not end in the time"):
            await called(function, purse=purse)
        assert purse.charges[0].estimated


async def test_other_work_goes_on_while_a_plain_function_runs():
    def wait() -> str:
        """Wait."""
        time.sleep(0.2)
        return "waited"

    running = asyncio.create_task(called(wait))
    ticks = 0
    while not running.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks > 3


async def test_a_result_is_bounded():
    def much() -> str:
        """Say much."""
        return "x" * 1_000_000

    assert len(await called(much)) == LONGEST_OUTPUT


def undocumented(a: int) -> int:
    return a


def untyped(a) -> None:
    """Have no hint."""


def variadic(*args: int) -> None:
    """Take any."""


def positional(a: int, /) -> None:
    """Take by position."""


def unknown_hint(a: "Nowhere") -> None:  # type: ignore[name-defined]  # noqa: F821
    """Have a hint that is not there."""


def unschematic(a: asyncio.Event) -> None:
    """Have a hint that has no schema."""


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda: 1, "plain name"),
        (undocumented, "docstring"),
        (untyped, "type hint for its argument a"),
        (variadic, "must have names"),
        (positional, "must have names"),
        (unknown_hint, "cannot be read"),
        (unschematic, "cannot be put into a schema"),
    ],
)
def test_functions_that_cannot_be_tools_are_told_why(function, said):
    with pytest.raises(ConfigError, match=said):
        tool(function)
