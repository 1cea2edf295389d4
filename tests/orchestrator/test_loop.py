import asyncio
import random
from contextlib import aclosing
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orchestra_fakes import World, make_task, make_world, play

from orchestra_app.backends.base import Request
from orchestra_app.backends.prices import use_of
from orchestra_app.backends.scripted import Line, Written, calling
from orchestra_app.core.errors import BackendError, BudgetError, ContextError, OrchestraError, ToolError
from orchestra_app.core.message import Message, Reply, ToolCall
from orchestra_app.core.purse import Purse
from orchestra_app.core.task import Preference
from orchestra_app.core.trace import Trace
from orchestra_app.core.usage import Usage
from orchestra_app.orchestrator.accounts import PICO, Shared
from orchestra_app.orchestrator.loop import Options
from orchestra_app.orchestrator.prompt import rebuild
from orchestra_app.orchestrator.stop import Stop

SEARCH = calling("search", {"model": "search-1"})
REASON = calling("enhance_reasoning", {"model": "reasoner-1"})
ANSWER = calling("answer", {"model": "answer-1"})
LAST = calling("answer", {"model": "answer-2"})


def several(*replies: Reply) -> Reply:
    return Reply(calls=tuple(call for reply in replies for call in reply.calls))


def settled(world: World) -> bool:
    return all(purse.reserved == 0 for purse in world.ledger.purses)


def errors(trace: Trace) -> list[str | None]:
    return [result.error for turn in trace.turns for result in turn.results]


def prompt_of(request: Request) -> str:
    return request.messages[-1].content


async def test_a_run_searches_reasons_and_answers():
    world = make_world([SEARCH, REASON, ANSWER])
    trace = await play(world, make_task(cost=1.0, seconds=100))
    assert (trace.status, trace.answer, trace.error) == ("answered", "42 m", None)
    assert world.called == ["search-1", "reasoner-1", "answer-1"]
    assert [turn.forced for turn in trace.turns] == [None] * 3 and errors(trace) == [None] * 3
    assert [turn.reply.calls[0].id for turn in trace.turns] == ["1.1", "2.1", "3.1"]
    assert trace.seconds == 4 + 3 + 20
    assert [charge.kind for charge in trace.charges] == ["policy", "expert"] * 3
    assert settled(world) and world.ledger.purses[0].spent == pytest.approx(trace.cost, abs=1e-11)
    assert "Doc 1: 1" in prompt_of(world.backend.requests[1])
    assert "```output\n6" in prompt_of(world.backend.requests[2])
    assert trace.violations == 0 and trace.adherence == 1.0


async def test_every_prompt_can_be_rebuilt_from_the_trace():
    turns = [SEARCH, calling("answer", {}), "", REASON, LAST]
    for protocol in ("packed", "chat"):
        world = make_world([*turns, "42 m"], protocol=protocol)
        trace = await play(world, make_task(cost=1.0, seconds=100))
        model = world.orchestrator.policy.model
        room = model.context - world.orchestrator.policy.max_output
        assert room > 20_000, "the rebuilt prompt is cut to the same room"
        for index, request in enumerate(world.backend.requests):
            assert rebuild(trace, index, world.orchestrator.catalog) == request.messages


async def test_of_several_calls_the_first_valid_one_runs_and_the_others_are_told():
    world = make_world([several(calling("serach", {}), SEARCH, ANSWER), LAST])
    trace = await play(world)
    assert world.called == ["search-1", "answer-2"]
    first, second, third = (trace.turns[0].result(f"1.{index}") for index in (1, 2, 3))
    assert first and second and third
    assert first.error and "There is no tool 'serach'" in first.error
    assert second.error is None and third.error and "Only one call" in third.error
    assert "Note: There is no tool 'serach'" in prompt_of(world.backend.requests[1])


@pytest.mark.parametrize(
    "reply",
    [
        calling("answer", {"model": "gpt-9"}),
        calling("answer", {}),
        calling("answer", "answer-1"),
        calling("answer", {"model": ["answer-1"]}),
        calling("", {}),
        Reply(text="I think that it is 42 m."),
        Reply(),
    ],
    ids=["unknown alias", "no alias", "text", "a list", "no name", "an answer as text", "nothing"],
)
async def test_a_useless_reply_costs_a_turn_and_is_told_and_two_in_a_row_force_an_answer(reply: Reply):
    world = make_world([reply, LAST])
    trace = await play(world)
    assert trace.status == "answered" and len(trace.turns) == 2
    assert "\n\nNote: " in prompt_of(world.backend.requests[1])
    world = make_world([reply, reply, BackendError("The policy must not be asked again.")])
    trace = await play(world)
    assert (trace.status, trace.answer) == ("answered", "42 m")
    assert [turn.forced for turn in trace.turns] == [None, None, "useless"]
    assert world.called == ["answer-2"] and trace.violations == 0


async def test_useless_turns_count_only_in_a_row():
    world = make_world([Reply(), SEARCH, Reply(), REASON, Reply(), LAST])
    trace = await play(world)
    assert trace.status == "answered" and all(turn.forced is None for turn in trace.turns)


async def test_a_policy_that_gives_up_ends_its_run_as_failed_and_spends_nothing_on_tools():
    world = make_world(["", ""], gives_up=True)
    trace = await play(world)
    assert trace.status == "failed" and trace.error and world.called == []
    world = make_world([], only=("answer-2",), gives_up=True)
    assert (await play(world)).status == "failed" and world.called == []


async def test_a_failing_tool_is_told_to_the_policy_and_costs_a_turn():
    world = make_world([SEARCH, ANSWER, LAST])
    world.tools["search"].behave = lambda call, state: ToolError("The library is closed.")
    world.tools["answer"].behave = lambda call, state: (
        BackendError("answer-1 is down.") if call.arguments == {"model": "answer-1"} else None
    )
    trace = await play(world, make_task(turns=20))
    assert trace.status == "answered"
    assert errors(trace) == ["The library is closed.", "answer-1 is down.", None]
    assert "Note: The library is closed.\n" in prompt_of(world.backend.requests[1])
    assert "Note: answer-1 is down.\n" in prompt_of(world.backend.requests[2])
    assert all(result.charges for turn in trace.turns for result in turn.results), "charges are kept"


async def test_an_error_that_is_no_text_is_told_as_one():
    world = make_world([SEARCH, LAST])
    world.tools["search"].behave = lambda call, state: ToolError("There is no caf\udce9.txt.")
    trace = await play(world)
    assert trace.status == "answered" and errors(trace)[0] == "There is no caf\ufffd.txt."


async def test_forced_answers_that_fail_are_tried_on_another_model_and_end_the_run_at_last():
    world = make_world(["", ""])
    world.tools["answer"].behave = lambda call, state: ToolError("No answer came.")
    trace = await play(world)
    assert trace.status == "failed" and trace.error == "No usable answer came: No answer came."
    assert world.called == ["answer-2", "answer-1", "answer-2"]
    assert len(trace.charges) == 5


async def test_a_policy_that_cannot_read_its_prompt_is_answered_for():
    world = make_world([SEARCH, Line(ContextError("The prompt is too long."))])
    trace = await play(world)
    assert trace.status == "answered" and trace.turns[-1].forced == "context"
    assert world.called == ["search-1", "answer-2"] and settled(world)


async def test_a_failing_backend_ends_the_run_with_its_charges_kept():
    failure = Line(BackendError("The server is down."), usage=Usage(input_tokens=1000, output_tokens=100))
    world = make_world([SEARCH, failure])
    trace = await play(world, make_task(cost=1.0))
    assert (trace.status, trace.error) == ("failed", "The server is down.")
    assert len(trace.turns) == 2 and len(trace.charges) == 3
    assert trace.charges[-1].cost == pytest.approx(0.00028) and settled(world)


class Careless:
    """A backend that settles nothing."""

    def __init__(self, error: Exception):
        self.error = error

    async def complete(self, request: Request, purse: Purse) -> Reply:
        await purse.reserve(use_of(request, 100))
        raise self.error


@pytest.mark.parametrize("error", [BackendError("Down."), BudgetError("Too dear.")])
async def test_what_a_failing_backend_left_open_is_booked_and_told(error: OrchestraError):
    world = make_world([], protocol="chat")
    policy = replace(world.orchestrator.policy, backend=Careless(error))
    world.orchestrator = replace(world.orchestrator, policy=policy)
    trace = await play(world, make_task(cost=1.0))
    assert trace.status == ("failed" if isinstance(error, BackendError) else "exhausted")
    assert trace.error == str(error) and settled(world)
    assert trace.cost == world.ledger.purses[0].spent > 0


async def test_an_error_that_nobody_expects_travels_up_and_books_what_was_open():
    world = make_world([])
    policy = replace(world.orchestrator.policy, backend=Careless(ZeroDivisionError()))
    orchestrator = replace(world.orchestrator, policy=policy)
    with pytest.raises(ZeroDivisionError):
        async for _ in orchestrator.run(make_task(cost=1.0)):
            pass
    assert settled(world) and world.ledger.purses[0].spent > 0


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ({"cost": 0.0001}, "The cheapest final answer, answer-2, could cost $0.0006"),
        ({"cost": 0.0}, "raise the budget in dollars"),
        ({"seconds": 3}, "answer-2, takes about 5 s, but only 3 s are left"),
    ],
)
@pytest.mark.parametrize("protocol", ["packed", "chat"])
async def test_a_run_that_cannot_be_paid_ends_exhausted_before_it_spends(task, sentence, protocol):
    world = make_world([SEARCH], protocol=protocol, latency=4.0)
    trace = await play(world, make_task(**task))
    assert trace.status == "exhausted" and trace.turns == [] and trace.cost == 0
    assert world.backend.requests == [] and trace.error
    if protocol == "packed":
        assert sentence in trace.error
    else:
        assert "A final reply of policy" in trace.error or "No time is left" in trace.error


async def test_preferences_that_leave_no_answer_fail_before_anything_is_spent():
    world = make_world([SEARCH])
    trace = await play(world, make_task(preference=Preference(excluded=("answer-1", "answer-2"))))
    assert trace.status == "failed" and trace.error and "allow one" in trace.error
    assert world.backend.requests == []


async def test_where_one_answer_is_all_that_is_left_it_is_taken_without_asking():
    world = make_world([])
    trace = await play(world, make_task(cost=0.0009))
    assert trace.status == "answered" and world.called == ["answer-2"]
    assert [turn.forced for turn in trace.turns] == ["only choice"]
    assert [offer.choices for offer in trace.turns[0].offered] == [{"answer-2": 0.5}]


async def test_an_answer_for_which_time_is_just_enough_is_taken():
    world = make_world([])
    trace = await play(world, make_task(seconds=5.5))
    assert trace.status == "answered" and [turn.forced for turn in trace.turns] == ["budget"]


async def test_the_last_turn_offers_only_answers_and_the_one_after_is_forced():
    world = make_world([SEARCH, REASON, REASON, LAST])
    trace = await play(world, make_task(turns=3))
    assert trace.status == "answered"
    assert {offer.name for offer in trace.turns[1].offered} == {"search", "enhance_reasoning", "answer"}
    assert {offer.name for offer in trace.turns[2].offered} == {"answer"}
    assert world.called == ["search-1", "reasoner-1", "answer-2"]
    assert [turn.forced for turn in trace.turns] == [None, None, None, "turns"]
    assert len(world.backend.requests) == 3


async def test_a_single_turn_is_an_answer():
    world = make_world([SEARCH])
    trace = await play(world, make_task(turns=1))
    assert trace.status == "answered" and world.called == ["answer-2"]


async def test_a_tool_called_twice_running_is_not_called_a_third_time():
    world = make_world([SEARCH, SEARCH, SEARCH, SEARCH, LAST])
    trace = await play(world)
    assert [name for name in world.called if name == "search-1"] == ["search-1"] * 3
    assert "search" not in {offer.name for offer in trace.turns[2].offered}
    assert "There is no tool 'search' now" in (errors(trace)[2] or "")


@pytest.mark.parametrize("protocol", ["packed", "chat"])
@pytest.mark.parametrize(
    ("preference", "refused"),
    [
        ({"weights": {"dear": 0}}, {"reasoner-2", "answer-1"}),
        ({"weights": {"search": 0}}, {"search-1"}),
        ({"weights": {"cheap": 0}}, {"search-1", "reasoner-1", "answer-2"}),
        ({"excluded": ["vendor:dear-corp", "reasoner-1"]}, {"reasoner-2", "answer-1", "reasoner-1"}),
        ({"excluded": ["enhance_reasoning"]}, {"reasoner-1", "reasoner-2"}),
        ({"weights": {"dear": 0}, "soft": True}, set()),
    ],
)
async def test_what_is_forbidden_is_never_called_also_if_the_policy_insists(protocol, preference, refused):
    wanted = [
        ("search", "search-1"),
        ("enhance_reasoning", "reasoner-1"),
        ("enhance_reasoning", "reasoner-2"),
    ]
    wanted += [("answer", "answer-1"), ("answer", "answer-2")]
    for tool, alias in wanted:
        world = make_world([calling(tool, {"model": alias})] * 3, protocol=protocol)
        task = make_task(preference=Preference.model_validate(preference), turns=3)
        trace = await play(world, task)
        assert not refused & set(world.called)
        assert (alias in world.called) == (alias not in refused)
        assert trace.violations == 0


def whims(seed: int, *, chat: bool):
    """A policy that calls anything, invalid calls included, and always at its worst price."""
    chance = random.Random(seed)

    def reply(request: Request) -> Written:
        names = ["search", "enhance_reasoning", "answer", "nothing"]
        aliases = ["search-1", "reasoner-1", "reasoner-2", "answer-1", "answer-2", "none"]
        count = chance.choice([0, 1, 1, 1, 1, 3])
        calls = [
            ToolCall(id="x", name=chance.choice(names), arguments={"model": chance.choice(aliases)})
            for _ in range(count)
        ]
        for offer in request.state.offered if chance.random() < 0.8 else ():
            alias = chance.choice(list(offer.choices))
            calls.append(ToolCall(id="y", name=offer.name, arguments={"model": alias}))
        chance.shuffle(calls)
        text = "w" * chance.choice([0, 10, 3000])
        if chat and (chance.random() < 0.15 or not request.tools):
            calls, text = [], "42 m"
        usage = chance.choice([None, Usage(output_tokens=50, seconds=0.4)])
        return Line(Reply(text=text if calls or chat else "", calls=tuple(calls)), usage)

    return reply


@settings(max_examples=120, deadline=None)
@given(
    st.none() | st.floats(0, 0.01) | st.floats(0, 0.2),
    st.none() | st.floats(0.1, 30) | st.floats(1, 200),
    st.integers(0, 10**6),
    st.sampled_from([10, 3_000, 40_000]),
    st.sampled_from(["packed", "chat"]),
)
def test_a_run_that_could_ever_answer_does_so_within_its_budget(cost, seconds, seed, found, protocol):
    """Tools use all that they are granted, and searches find more than the money can read."""

    async def main() -> None:
        world = make_world(
            whims(seed, chat=protocol == "chat"), protocol=protocol, max_output=800, latency=0.5
        )
        for tool in world.tools.values():
            tool.usage = lambda granted: granted
        world.tools["search"].found = found
        trace = await play(world, make_task(cost=cost, seconds=seconds, turns=6))
        assert settled(world) and trace.violations == 0
        assert trace.cost <= (cost if cost is not None else trace.cost)
        assert seconds is None or trace.seconds <= seconds + 0.4
        if trace.status == "exhausted":
            assert trace.turns == [] and trace.cost == 0
        else:
            assert trace.status == "answered", trace.error

    asyncio.run(main())


async def test_an_overbilling_expert_is_booked_in_full_and_ends_all_paid_use():
    world = make_world([SEARCH, LAST])
    world.tools["search"].usage = lambda granted: Usage(output_tokens=10**5)
    trace = await play(world, make_task(cost=1.0))
    assert trace.status == "exhausted" and trace.cost == pytest.approx(0.4, abs=0.01)
    assert (
        trace.error == "search-1 billed more than was reserved, so nothing paid starts any more in this run."
    )
    assert len(world.backend.requests) == 1


async def events_until(world: World, options: Options, when) -> tuple[asyncio.Task, asyncio.Event]:
    """Start a run in a task; the event is set when `when` first says so."""
    reached = asyncio.Event()

    async def run() -> Trace:
        trace = None
        async with aclosing(world.orchestrator.run(make_task(cost=1.0), options)) as events:
            async for event in events:
                if trace is None:
                    assert event.type == "started"
                    trace = Trace.start(event)
                else:
                    trace.apply(event)
                if when(event):
                    reached.set()
        assert trace is not None
        return trace

    return asyncio.create_task(run()), reached


@pytest.mark.parametrize("protocol", ["packed", "chat"])
async def test_stopping_in_the_middle_of_a_call_settles_it_and_starts_nothing_new(protocol):
    world = make_world([several(SEARCH, REASON), ANSWER], protocol=protocol)
    for tool in world.tools.values():
        tool.stall = asyncio.Event()
    stop = Stop()
    task, reached = await events_until(world, Options(stop=stop), lambda event: event.type == "reply")
    await reached.wait()
    await asyncio.sleep(0)
    stop.set()
    trace = await task
    assert (trace.status, trace.error) == ("stopped", "The run was stopped.")
    ran = ["search-1", "reasoner-1"] if protocol == "chat" else ["search-1"]
    assert world.called == ran and settled(world)
    assert [charge.estimated for charge in trace.charges[1:]] == [True] * len(ran)
    assert "Stopped." in errors(trace) and len(world.backend.requests) == 1


async def test_stopping_while_the_policy_thinks_books_its_reply_as_estimated():
    world = make_world([Line(SEARCH, seconds=60)])
    stop = Stop()
    task, _ = await events_until(world, Options(stop=stop), lambda event: False)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(world.backend.requests) == 1
    stop.set()
    trace = await task
    assert trace.status == "stopped" and settled(world) and world.called == []
    assert [(charge.kind, charge.estimated) for charge in trace.charges] == [("policy", True)]


@pytest.mark.parametrize("protocol", ["packed", "chat"])
@pytest.mark.parametrize("after", range(5))
async def test_stopping_between_any_two_events_starts_nothing_new(after: int, protocol: str):
    world = make_world([several(SEARCH, REASON), several(REASON, SEARCH), "42 m", LAST], protocol=protocol)
    stop = Stop()
    seen, begun = [], -1
    async with aclosing(world.orchestrator.run(make_task(), Options(stop=stop))) as events:
        async for event in events:
            seen.append(event)
            if len(seen) == after + 1:
                stop.set()
                begun = len(world.backend.requests) + len(world.called)
    assert len(world.backend.requests) + len(world.called) == begun
    assert seen[-1].type == "finished" and seen[-1].status == "stopped" and settled(world)


async def test_a_stop_counts_also_where_the_money_has_run_out_meanwhile():
    world = make_world([SEARCH])
    world.tools["search"].usage = lambda granted: Usage(output_tokens=10**7)
    stop = Stop()
    seen = []
    async with aclosing(world.orchestrator.run(make_task(cost=1.0), Options(stop=stop))) as events:
        async for event in events:
            seen.append(event)
            if event.type == "tool":
                stop.set()
    assert seen[-1].type == "finished" and seen[-1].status == "stopped"


async def test_stopping_from_a_listener_to_the_text_stops_the_run_in_order():
    stop = Stop()
    world = make_world([Reply(text="Let me see.", calls=SEARCH.calls), LAST])
    trace = await play(world, stop=stop, on_text=lambda text: stop.set())
    assert trace.status == "stopped" and world.called == [] and settled(world)
    assert len(trace.charges) == 1


async def test_closing_the_generator_after_any_event_settles_everything():
    for protocol in ("packed", "chat"):
        for count in range(1, 9):
            world = make_world(
                [several(SEARCH, REASON), several(REASON, SEARCH), LAST, "42"], protocol=protocol
            )
            job = Shared("job", 5.0)
            events = world.orchestrator.run(make_task(), Options(job=job))
            for _ in range(count):
                if await anext(events, None) is None:
                    break
            await events.aclose()
            purse = world.ledger.purses[0]
            assert purse.reserved == 0 and job.left == pytest.approx(5 - purse.spent, abs=1e-12)


async def test_cancelling_the_consumer_at_any_moment_settles_everything():
    for protocol in ("packed", "chat"):
        for ticks in range(40):
            world = make_world(
                [several(SEARCH, REASON), several(REASON, SEARCH), LAST, "42"], protocol=protocol
            )
            job = Shared("job", 5.0)
            task = asyncio.create_task(play(world, make_task(cost=1.0), job=job))
            for _ in range(ticks):
                await asyncio.sleep(0)
            cancelled = task.cancel()
            (result,) = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(result, asyncio.CancelledError if cancelled else Trace)
            for purse in world.ledger.purses:
                assert purse.reserved == 0 and job.left == pytest.approx(5 - purse.spent, abs=1e-12)


async def test_a_run_that_is_stopped_before_it_begins_spends_nothing():
    stop = Stop()
    stop.set()
    world = make_world([SEARCH])
    trace = await play(world, stop=stop)
    assert trace.status == "stopped" and trace.turns == [] and world.backend.requests == []


async def test_equal_seeds_give_equal_traces_but_for_id_and_start():
    def played(trace: Trace) -> dict:
        return trace.model_dump(exclude={"id", "started_at"})

    for protocol in ("packed", "chat"):
        traces = [
            await play(make_world(whims(7, chat=False), protocol=protocol), make_task(cost=0.1, seconds=60))
            for _ in range(2)
        ]
        assert played(traces[0]) == played(traces[1]) and traces[0].id != traces[1].id
        assert traces[0].seconds > 0


def texts(messages: tuple[Message, ...]) -> list[str]:
    return [message.content for message in messages]


async def test_a_chat_runs_calls_side_by_side_and_its_last_text_is_the_answer():
    world = make_world([several(SEARCH, REASON, calling("x", {})), Reply(text=" 42 m ")], protocol="chat")
    trace = await play(world, make_task(cost=1.0, seconds=100))
    assert (trace.status, trace.answer) == ("answered", "42 m")
    assert world.called == ["search-1", "reasoner-1"]
    assert trace.seconds == 4.0, "the calls overlap in simulated time"
    assert [result.call_id for result in trace.turns[0].results] == ["1.3", "1.1", "1.2"]
    first, second = (request.messages for request in world.backend.requests)
    assert second[: len(first)] == first
    assert [message.role for message in second[len(first) :]] == ["assistant", "tool", "tool", "tool"]
    assert (
        "Error: There is no tool 'x'" in texts(second)[-2]
        or "Error: There is no tool 'x'" in texts(second)[-1]
    )


async def test_calls_side_by_side_respect_one_budget_and_the_final_answer():
    many = several(*[calling("enhance_reasoning", {"model": "reasoner-2"})] * 6)
    world = make_world([many, "42 m"], protocol="chat", max_output=200)
    world.tools["enhance_reasoning"].usage = lambda granted: granted
    world.tools["enhance_reasoning"].most_output = 400
    trace = await play(world, make_task(cost=0.05))
    assert trace.status == "answered" and 0.03 < trace.cost <= 0.05
    ran = [result for result in trace.turns[0].results if result.error is None]
    assert 1 <= len(ran) < 6 and "are left for it" in " ".join(filter(None, errors(trace)))


async def test_an_answering_tool_is_advice_in_a_chat_and_leaves_the_final_reply_affordable():
    world = make_world([ANSWER, "It is 42 m."], protocol="chat", max_output=200)
    world.tools["answer"].usage = lambda granted: granted
    world.tools["answer"].most_output = 10**6
    trace = await play(world, make_task(cost=0.05))
    assert (trace.status, trace.answer) == ("answered", "It is 42 m.")
    assert "42 m" in texts(world.backend.requests[1].messages)[-1]


async def test_a_chat_out_of_turns_is_asked_for_its_answer_without_tools():
    world = make_world(
        [SEARCH, SEARCH, several(REASON, REASON).model_copy(update={"text": "42"})], protocol="chat"
    )
    trace = await play(world, make_task(turns=2))
    assert (trace.status, trace.answer) == ("answered", "42")
    assert [turn.forced for turn in trace.turns] == [None, None, "turns"]
    last = world.backend.requests[-1]
    assert last.tools == () and "final answer now" in prompt_of(last)
    assert world.called == ["search-1"] * 2


async def test_a_chat_that_says_nothing_is_asked_three_times_and_fails():
    world = make_world([""] * 9, protocol="chat")
    trace = await play(world)
    assert trace.status == "failed" and trace.error == "The policy gave no usable answer."
    assert [turn.forced for turn in trace.turns] == [None, None, "useless", "turns", "turns"]


async def test_a_cut_reply_is_no_answer_of_a_chat_until_nothing_better_comes():
    cut = Reply(text="To answer this I should first", finish="length")
    trace = await play(make_world([cut, SEARCH, "42 m"], protocol="chat"))
    assert (trace.status, trace.answer) == ("answered", "42 m")
    trace = await play(make_world([cut, cut, cut], protocol="chat"))
    assert (trace.status, trace.answer) == ("answered", "To answer this I should first")
    assert [turn.forced for turn in trace.turns] == [None, None, "useless"]


async def test_a_chat_whose_results_outgrew_the_money_answers_without_them():
    world = make_world([SEARCH, "42 m"], protocol="chat", max_output=100)
    world.tools["search"].found = 20_000
    trace = await play(world, make_task(cost=0.0035))
    assert trace.status == "answered"
    assert trace.turns[-1].forced == "budget: results left out"
    request = world.backend.requests[-1]
    assert rebuild(trace, 1, world.orchestrator.catalog) == request.messages
    assert "left out to make room" in " ".join(texts(request.messages))


async def test_streamed_text_reaches_the_listener():
    heard: list[str] = []
    world = make_world([Reply(text="42 m")], protocol="chat")
    await play(world, on_text=heard.append)
    assert heard == ["42 m"]


async def test_a_job_s_cap_is_shared_by_runs_at_once():
    job = Shared("job", 0.06)
    worlds = [make_world(whims(seed, chat=False)) for seed in range(12)]
    traces = await asyncio.gather(*(play(world, make_task(turns=4), job=job) for world in worlds))
    spent = sum(round(purse.spent * PICO) for world in worlds for purse in world.ledger.purses)
    assert spent <= 0.06 * PICO and round(job.left * PICO) == pytest.approx(0.06 * PICO - spent, abs=1)
    assert all(settled(world) for world in worlds)
    assert {trace.status for trace in traces} <= {"answered", "exhausted", "failed"}
