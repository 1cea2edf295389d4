import asyncio

import pytest
from tool_fakes import (
    QUESTION,
    FakeBackend,
    FakeFinder,
    FakePurse,
    call_of,
    experts_of,
    make_catalog,
    make_state,
)

from orchestra_app.core.errors import BudgetError, ToolError
from orchestra_app.core.message import Document
from orchestra_app.core.task import Preference
from orchestra_app.tools.search import Refused, SearchTool

CALL = call_of("search", model="search-1")


def search_tool(text="<query>velm tower</query>", *, catalog=None, library=None, web=None):
    finders = {"library": library or FakeFinder("a", "b", "c"), "web": web or FakeFinder("w", source="web")}
    backend = FakeBackend(text)
    return SearchTool("search", experts_of(backend, catalog), finders), backend, finders


async def test_the_expert_writes_the_query_and_the_best_document_comes_last():
    tool, backend, finders = search_tool()
    purse = FakePurse(seconds=30)
    result = await tool.call(CALL, make_state(), purse)
    assert (backend.requests[0].role, backend.requests[0].kind) == ("search", "search")
    assert finders["library"].asked == [("velm tower", 2, 30)]
    assert [document.text for document in result.documents] == ["b", "a"]
    assert not finders["web"].asked
    assert purse.kinds == [("search", "big"), ("retrieve", "library")]


@pytest.mark.parametrize("text", ["", "no tags", "<query>ab</query>", "<think><query>long enough</query>"])
async def test_without_a_query_the_question_is_searched(text):
    tool, _, finders = search_tool(text)
    await tool.call(CALL, make_state(), FakePurse())
    assert finders["library"].asked[0][0] == QUESTION


@pytest.mark.parametrize(
    ("preference", "asked"),
    [
        (Preference(), ["library"]),
        (Preference(weights={"web": 0.8}), ["web", "library"]),
        (Preference(weights={"library": 0}), ["web"]),
        (Preference(excluded=("library",)), ["web"]),
        (Preference(weights={"library": 0, "web": 0.2}, soft=True), ["web", "library"]),
    ],
)
async def test_sources_are_asked_in_the_order_of_their_sliders(preference, asked):
    tool, _, finders = search_tool()
    purse = FakePurse()
    await tool.call(CALL, make_state(preference=preference), purse)
    assert [who for kind, who in purse.kinds if kind == "retrieve"] == asked


async def test_known_documents_are_not_found_again_and_the_search_goes_deeper():
    tool, _, finders = search_tool()
    known = (Document(text="a", source="library"), Document(text="z", source="web"))
    result = await tool.call(CALL, make_state(documents=known), FakePurse())
    assert finders["library"].asked[0][1] == 3
    assert [document.text for document in result.documents] == ["c", "b"]


async def test_a_source_that_gives_too_little_is_filled_up_from_the_next():
    tool, _, _ = search_tool(library=FakeFinder("a"), web=FakeFinder("a", "w", "v"))
    purse = FakePurse()
    result = await tool.call(CALL, make_state(), purse)
    assert [document.text for document in result.documents] == ["w", "a"]
    assert sum(charge.cost for charge in purse.charges if charge.who == "web") == pytest.approx(0.01)


async def test_finding_nothing_is_told():
    tool, _, _ = search_tool(library=FakeFinder(), web=FakeFinder())
    result = await tool.call(CALL, make_state(), FakePurse())
    assert result.documents == ()
    assert result.output == "The search for 'velm tower' found nothing new."


async def test_a_source_that_fails_is_passed_over():
    tool, _, _ = search_tool(library=FakeFinder(error=ToolError("broken")))
    purse = FakePurse()
    result = await tool.call(CALL, make_state(), purse)
    assert [document.text for document in result.documents] == ["w"]
    assert [charge.estimated for charge in purse.charges] == [False, True, False]


async def test_a_source_that_cannot_be_paid_is_passed_over():
    tool, _, finders = search_tool(library=FakeFinder())
    with pytest.raises(BudgetError):
        await tool.call(CALL, make_state(), FakePurse(refused=("web", "library")))
    result = await tool.call(CALL, make_state(), FakePurse(refused=("library",)))
    assert [document.text for document in result.documents] == ["w"]
    assert not finders["library"].asked


async def test_an_error_is_raised_only_where_every_source_failed():
    tool, _, _ = search_tool(library=FakeFinder(error=ToolError("one")), web=FakeFinder(error=Refused("two")))
    purse = FakePurse()
    with pytest.raises(ToolError, match="one"):
        await tool.call(CALL, make_state(), purse)
    assert not purse.open


async def test_a_search_that_was_turned_down_takes_no_fee():
    tool, _, _ = search_tool(library=FakeFinder(), web=FakeFinder(error=Refused("no")))
    purse = FakePurse()
    await tool.call(CALL, make_state(), purse)
    web = purse.charges[-1]
    assert (web.who, web.cost, web.estimated) == ("web", 0, False)


async def test_a_cancelled_search_is_settled_at_its_fee():
    class Stuck(FakeFinder):
        async def search(self, query: str, top: int, *, seconds: float | None = None) -> list[Document]:
            started.set()
            await asyncio.sleep(60)
            return []

    started, stuck, purse = asyncio.Event(), Stuck(), FakePurse()
    tool, _, _ = search_tool(library=FakeFinder(), web=stuck)
    task = asyncio.create_task(tool.call(CALL, make_state(), purse))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not purse.open
    assert purse.charges[-1].estimated and purse.charges[-1].cost == pytest.approx(0.01)


async def test_without_any_source_nothing_is_asked_or_paid():
    tool, backend, _ = search_tool()
    preference = Preference(excluded=("library", "web"), soft=True)
    with pytest.raises(ToolError, match="Every search source is excluded"):
        await tool.call(CALL, make_state(preference=preference), FakePurse())
    assert not backend.requests


async def test_simulated_searches_take_the_seconds_of_the_catalogue():
    catalog = make_catalog(simulated=True)
    tool, _, finders = search_tool(catalog=catalog)
    purse = FakePurse(seconds=0.001)
    await tool.call(CALL, make_state(catalog), purse)
    charge = purse.charges[-1]
    assert (charge.who, charge.usage.seconds, charge.simulated) == ("library", 0.5, True)
    assert finders["library"].asked[0][2] is None


@pytest.mark.parametrize(
    ("preference", "slider"),
    [
        (Preference(), 0.5),
        (Preference(weights={"big": 0.3}), 0.3),
        (Preference(weights={"big": 0.9, "library": 0.1}), 0.5),
        (Preference(weights={"big": 0.9, "library": 0.1, "web": 0.2}), 0.2),
        (Preference(weights={"web": 0.1}, excluded=("library",)), 0.1),
        (Preference(excluded=("library", "web")), None),
    ],
)
def test_the_slider_of_an_alias_is_the_lower_of_model_and_best_source(preference, slider):
    assert search_tool()[0].preference("search-1", preference) == slider


def test_the_floor_follows_the_sources_that_are_allowed():
    tool, _, _ = search_tool()
    free = tool.floor("search-1", make_state())
    paid = tool.floor("search-1", make_state(preference=Preference(excluded=("library",))))
    assert free.cost is not None and paid.cost == pytest.approx(free.cost + 0.01)
    assert (free.seconds, paid.seconds) == (22.5, 25)
