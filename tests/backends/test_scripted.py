"""A script is followed line by line, and each line is booked exactly once."""

import asyncio

import pytest

from orchestra_app.backends.scripted import Line, Scripted, calling
from orchestra_app.core.catalog import Model
from orchestra_app.core.errors import BackendError, BudgetError
from orchestra_app.core.message import Reply
from orchestra_app.core.usage import Usage
from tests.backends.conftest import PRICE, RecordingPurse
from tests.backends.conftest import request as a_request

ASKED = a_request(Model(price=PRICE))


async def test_lines_come_in_order_and_then_the_script_has_ended(purse: RecordingPurse):
    call = calling("search", {"model": "search-1"})
    backend = Scripted(["one", call, Line(Reply(text="three"), Usage(output_tokens=5), cost=0.5)])
    replies = [await backend.complete(ASKED, purse) for _ in range(3)]
    assert [reply.text for reply in replies] == ["one", "", "three"] and replies[1] is call
    with pytest.raises(BackendError, match="no reply left"):
        await backend.complete(ASKED, purse)
    assert [charge.cost for charge in purse.charges] == [0, 0, 0.5, 0]
    assert backend.requests == [ASKED] * 4


async def test_a_script_may_be_a_function_of_the_request(purse: RecordingPurse):
    backend = Scripted(lambda request: Line(Reply(text=request.messages[-1].content), usage=None))
    assert (await backend.complete(ASKED, purse)).text == "What is 2 + 2?"
    assert purse.charges[0].estimated


async def test_errors_refusals_and_cancellation_are_settled_too(purse: RecordingPurse):
    broken = Scripted([Line(BackendError("The server is down; start it."), Usage(input_tokens=9))])
    with pytest.raises(BackendError, match="is down"):
        await broken.complete(ASKED, purse)
    assert purse.charges[0].usage.input_tokens == 9
    task = asyncio.create_task(Scripted([Line(Reply(), seconds=60)]).complete(ASKED, purse))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert purse.charges[1].estimated and not purse.open
    with pytest.raises(BudgetError):
        await Scripted(["one"]).complete(ASKED, RecordingPurse(most=0))


async def test_text_is_shown_where_it_is_asked_for(purse: RecordingPurse):
    shown: list[str] = []
    asked = a_request(ASKED.model, on_text=shown.append)
    await Scripted(["one", Reply()]).complete(asked, purse)
    assert shown == ["one"]


async def test_a_simulated_script_says_so(purse: RecordingPurse):
    await Scripted(["one"], simulated=True).complete(ASKED, purse)
    assert purse.uses[0].simulated
