import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from orchestra_fakes import QUESTION, FakeTool, Memory, make_catalog, make_policy, make_task

from orchestra_app.backends.base import State
from orchestra_app.backends.scripted import Scripted
from orchestra_app.core.catalog import Model
from orchestra_app.core.message import Document, Message, Offer, Reply, ToolCall, ToolResult
from orchestra_app.core.purse import Use
from orchestra_app.core.task import Budget, Preference
from orchestra_app.core.text import EstimatedTokens
from orchestra_app.core.trace import Turn
from orchestra_app.core.usage import Price, Usage
from orchestra_app.orchestrator.accounts import Day, Shared
from orchestra_app.orchestrator.clock import Clock
from orchestra_app.orchestrator.ledger import CallPurse, Hold, RunPurse
from orchestra_app.orchestrator.plan import Plan, best_liked, plan_chat, plan_packed
from orchestra_app.orchestrator.prompt import final_prompts
from orchestra_app.tools.base import Toolbox

CATALOG = make_catalog()
SWAPPED = {**CATALOG.models, "cheap": CATALOG.models["dear"], "dear": CATALOG.models["cheap"]}
ALL = {"search-1", "reasoner-1", "reasoner-2", "answer-1", "answer-2"}


def toolbox() -> Toolbox:
    return Toolbox([FakeTool(name, CATALOG) for name in CATALOG.tools])


def purse_of(cost: float | None = None, seconds: float | None = None, *accounts) -> RunPurse:
    return RunPurse(Budget(cost=cost, seconds=seconds), accounts, clock=Clock(simulated=True))


def state_of(*, preference: Preference | None = None, turns=(), found: int = 0, documents: int = 1) -> State:
    texts = tuple(Document(text="x" * found) for _ in range(documents)) if found else ()
    return State(task=make_task(preference=preference), catalog=CATALOG, turns=tuple(turns), documents=texts)


def turn(*names: str, error: str | None = None) -> Turn:
    calls = tuple(ToolCall(id=str(index), name=name, arguments={}) for index, name in enumerate(names))
    results = tuple(ToolResult(call_id=call.id, error=error) for call in calls)
    return Turn(offered=(), instruction="", reply=Reply(calls=calls), results=results)


def aliases(offered: tuple[Offer, ...]) -> set[str]:
    return {alias for offer in offered for alias in offer.choices}


def taken(plan: Plan, state: State | None = None) -> str | None:
    return best_liked(plan.endings, state or state_of()).wanted.alias


async def packed(purse: RunPurse, state: State | None = None, **more) -> Plan:
    return await plan_packed(toolbox(), state or state_of(), purse, **more)


async def test_without_a_budget_everything_is_offered_and_nothing_is_refused():
    plan = await packed(purse_of())
    assert aliases(plan.offered) == ALL and not plan.refusal
    assert taken(plan) == "answer-2", "with neutral sliders the cheapest"


BUDGETS = st.none() | st.floats(0, 0.03) | st.floats(0, 0.5)
SECONDS = st.none() | st.floats(0.1, 60)


# As it is, and with a cheap answer that is slow and a quick one that is dear.
CATALOGS = st.sampled_from([CATALOG, CATALOG.model_copy(update={"models": SWAPPED})])


@settings(max_examples=300, deadline=None)
@example(CATALOG.model_copy(update={"models": SWAPPED}), None, 25.0, 1.0, 0.6, 0)
@given(CATALOGS, BUDGETS, SECONDS, st.floats(0, 1), st.floats(0, 1), st.integers(0, 20_000))
def test_less_money_or_time_never_offers_more(catalog, cost, seconds, cost_share, seconds_share, found):
    async def main() -> None:
        tools = Toolbox([FakeTool(name, catalog) for name in catalog.tools])
        state = state_of(found=found)._replace(catalog=catalog)
        more = await plan_packed(tools, state, purse_of(cost, seconds))
        fewer = cost if cost is None else cost * cost_share
        sooner = seconds if seconds is None else max(0.01, seconds * seconds_share)
        less = await plan_packed(tools, state, purse_of(fewer, sooner))
        assert aliases(less.offered) <= aliases(more.offered)
        assert not (more.refusal and not less.refusal)

    asyncio.run(main())


@settings(max_examples=200, deadline=None)
@given(BUDGETS, SECONDS, st.integers(0, 20_000))
def test_whatever_is_offered_leaves_an_answer_affordable(cost, seconds, found):
    async def main() -> None:
        purse, state, tools = purse_of(cost, seconds), state_of(found=found), toolbox()
        plan = await plan_packed(tools, state, purse)
        for offer in plan.offered:
            for alias in offer.choices:
                tool = tools.tools[offer.name]
                floor = tool.floor(alias, state)
                call = ToolCall(id="1", name=offer.name, arguments={"model": alias})
                hold = Hold() if offer.name == "answer" else plan.hold_of(call)
                assert cost is None or (floor.cost or 0) + hold.cost <= cost + 1e-11
                assert seconds is None or floor.seconds + hold.seconds <= seconds
                if offer.name == "answer":
                    continue
                endings = [tools.tools["answer"].floor(each, state) for each in ("answer-1", "answer-2")]
                assert any((each.cost or 0) <= hold.cost and each.seconds <= hold.seconds for each in endings)

    asyncio.run(main())


async def test_tools_vanish_one_after_another_as_the_money_shrinks():
    seen = []
    for cents in range(60, 0, -1):
        plan = await packed(purse_of(cents / 1000))
        if not seen or aliases(plan.offered) != seen[-1]:
            seen.append(aliases(plan.offered))
    assert seen[0] == ALL and all(later < earlier for earlier, later in zip(seen, seen[1:], strict=False))
    assert {"answer-2"} in seen


async def test_the_last_turn_offers_only_answers():
    assert aliases((await packed(purse_of(), last=True)).offered) == {"answer-1", "answer-2"}


@pytest.mark.parametrize(
    ("turns", "missing"),
    [
        ([], None),
        ([turn("search")], None),
        ([turn("search"), turn("search")], "search"),
        ([turn("search"), turn("enhance_reasoning")], None),
        ([turn("search"), turn("search"), turn("enhance_reasoning")], None),
        ([turn("enhance_reasoning"), turn("search"), turn("search")], "search"),
        ([turn("search"), turn("search", error="No such model.")], None),
        ([turn("answer"), turn("answer")], None),
        ([turn("search"), turn()], None),
    ],
)
async def test_a_tool_that_ran_in_two_turns_running_is_not_offered_a_third_time(turns, missing):
    plan = await packed(purse_of(), state_of(turns=turns))
    assert {"search", "enhance_reasoning", "answer"} - {offer.name for offer in plan.offered} == (
        {missing} if missing else set()
    )


@pytest.mark.parametrize(
    ("preference", "offered", "best"),
    [
        ({"weights": {"dear": 0}}, ALL - {"reasoner-2", "answer-1"}, "answer-2"),
        ({"weights": {"dear": 0}, "soft": True}, ALL, "answer-2"),
        ({"weights": {"dear": 0.9}}, ALL, "answer-1"),
        ({"weights": {"cheap": 0.4}}, ALL, "answer-1"),
        ({"weights": {"search": 0}}, ALL - {"search-1"}, "answer-2"),
        ({"excluded": ["answer-2"]}, ALL - {"answer-2"}, "answer-1"),
        ({"excluded": ["vendor:dear-corp"]}, ALL - {"reasoner-2", "answer-1"}, "answer-2"),
        ({"excluded": ["cheap"]}, {"reasoner-2", "answer-1"}, "answer-1"),
        ({"excluded": ["enhance_reasoning"]}, ALL - {"reasoner-1", "reasoner-2"}, "answer-2"),
    ],
)
async def test_sliders_at_0_and_exclusions_decide_what_is_offered_and_taken(preference, offered, best):
    plan = await packed(purse_of(), state_of(preference=Preference.model_validate(preference)))
    assert aliases(plan.offered) == offered and taken(plan) == best


async def test_an_answer_that_gave_none_is_taken_after_the_others():
    asked = Turn(
        offered=(),
        instruction="",
        reply=Reply(calls=(ToolCall(id="1", name="answer", arguments={"model": "answer-2"}),)),
        results=(ToolResult(call_id="1", error="answer-2 gave no answer."),),
    )
    state = state_of(turns=[asked])
    assert taken(await packed(purse_of(), state), state) == "answer-1"


@pytest.mark.parametrize(
    ("preference", "cost", "seconds", "excluded", "sentence"),
    [
        ({"weights": {"answer": 0}}, None, None, True, "leave no model that could give the final answer"),
        ({"excluded": ["dear", "cheap"]}, None, None, True, "leave no model"),
        (
            {},
            0.0005,
            None,
            False,
            "answer-2, could cost $0.0006, but only $0.0005 are left: raise the budget",
        ),
        ({}, 0.0, 60, False, "answer-2, could cost $0.0006, but only $0.0000 are left"),
        ({}, None, 4.9, False, "that can be paid, answer-2, takes about 5 s, but only 4.9 s are left"),
        ({}, 0.00062, 60, False, "could cost $0.000630, but only $0.000620 are left"),
        ({"excluded": ["answer-2"]}, 1, 12, False, "answer-1, takes about 20 s, but only 12 s are left"),
        ({"excluded": ["answer-2"]}, 0.001, 12, False, "answer-1, could cost $0.0063"),
    ],
)
async def test_where_no_answer_can_be_had_a_sentence_says_why(preference, cost, seconds, excluded, sentence):
    plan = await packed(purse_of(cost, seconds), state_of(preference=Preference.model_validate(preference)))
    assert sentence in plan.refusal and plan.excluded == excluded
    assert not plan.offered and not plan.endings


async def test_the_blame_goes_to_time_only_where_money_would_do():
    """The quick answer is too dear and the cheap one too slow."""
    models = {
        **CATALOG.models,
        "dear": Model(price=Price(input=1, output=1)),
        "cheap": Model(price=Price(input=900)),
    }
    catalog = CATALOG.model_copy(update={"models": models})
    state = State(task=make_task(), catalog=catalog)
    tools = Toolbox([FakeTool(name, catalog) for name in catalog.tools])
    plan = await plan_packed(tools, state, purse_of(0.01, 10))
    assert "that can be paid, answer-1, takes about 20 s" in plan.refusal


async def test_an_unknown_price_is_no_answer_in_a_budget():
    models = {name: Model(vendor=name) for name in CATALOG.models}
    catalog = CATALOG.model_copy(update={"models": models})
    tools = Toolbox([FakeTool(name, catalog) for name in catalog.tools])
    state = State(task=make_task(), catalog=catalog)
    assert "add prices to the catalogue" in (await plan_packed(tools, state, purse_of(5.0))).refusal
    assert aliases((await plan_packed(tools, state, purse_of(None, 60))).offered) == ALL


async def test_a_prompt_that_outgrew_the_money_is_shortened_for_the_answer():
    state = state_of(found=2_000, documents=8)
    plan = await packed(purse_of(0.003), state)
    assert plan.short and not plan.offered
    assert plan.shown is not None and 0 < len(plan.shown.documents) < 8
    floor = FakeTool("answer", CATALOG).floor(taken(plan, state), plan.shown)
    assert floor.cost is not None and floor.cost <= 0.003
    assert plan.shown.documents == state.documents[-len(plan.shown.documents) :], "the latest are kept"


async def test_an_overrun_leaves_only_free_answers():
    for cost in (None, 1.0):
        run = purse_of(cost)
        purse = CallPurse(run)
        once = Usage(output_tokens=1)
        reservation = await purse.reserve(Use("m", "expert", Price(output=1), once, once))
        purse.settle(reservation, Usage(output_tokens=500))
        plan = await packed(run)
        assert plan.refusal == "m billed more than was reserved, so nothing paid starts any more in this run."


async def test_a_shared_account_is_a_limit_like_the_budget():
    day = Day("day", 0.008, Memory())
    assert aliases((await packed(purse_of(None, None, day))).offered) == aliases(
        (await packed(purse_of(0.008))).offered
    )
    used_up = (await packed(purse_of(None, None, Day("day:2026-01-01", 0.0, Memory())))).refusal
    assert "are left of today's cap: raise that cap" in used_up


def finals(*lengths: int) -> Iterator[tuple[str, tuple[Message, ...]]]:
    for index, length in enumerate(lengths):
        yield f"short {index}" * bool(index), (Message(role="user", content="q" * length),)


async def chat(purse: RunPurse, *lengths: int, price: Price | None = None, latency: float = 0.0) -> Plan:
    model = Model(price=price or Price(input=1, output=1))
    policy = make_policy(Scripted([]), CATALOG, model=model, protocol="chat", latency=latency)
    return await plan_chat(toolbox(), state_of(), purse, policy, finals(*(lengths or (1000,))))


async def test_a_dear_policy_is_not_taken_for_too_dear_because_its_tools_are_cheap():
    plan = await chat(purse_of(50.0), 100_000, price=Price(input=15, output=75))
    assert not plan.refusal and not plan.short and aliases(plan.offered) == ALL


async def test_a_dear_answer_is_offered_where_the_money_suffices():
    models = {name: Model(price=Price(input=60, output=100)) for name in CATALOG.models}
    catalog = CATALOG.model_copy(update={"models": models})
    tools = Toolbox([FakeTool(name, catalog) for name in catalog.tools])
    plan = await plan_packed(tools, State(task=make_task(), catalog=catalog), purse_of(100.0))
    assert aliases(plan.offered) == ALL


@settings(max_examples=200, deadline=None)
@given(BUDGETS, SECONDS, st.floats(0, 1), st.floats(0, 1), st.integers(0, 60_000), st.floats(0, 6))
def test_less_money_or_time_never_offers_more_in_a_chat(cost, seconds, cost_share, later, length, latency):
    async def main() -> None:
        more = await chat(purse_of(cost, seconds), length, length // 4, 100, latency=latency)
        fewer = cost if cost is None else cost * cost_share
        sooner = seconds if seconds is None else max(0.01, seconds * later)
        less = await chat(purse_of(fewer, sooner), length, length // 4, 100, latency=latency)
        assert aliases(less.offered) <= aliases(more.offered)
        assert not (more.refusal and not less.refusal)
        assert not (more.short and not (less.short or less.refusal))

    asyncio.run(main())


@pytest.mark.parametrize(
    ("cost", "seconds", "short", "refusal"),
    [
        (None, None, "", ""),
        (0.02, 60, "", ""),
        (0.005, None, "short 1", ""),
        (0.001, None, "short 2", ""),
        (0.0001, None, "", "A final reply of policy could cost $0.0003, but only $0.0001 are left"),
        (0.02, 2.9, "", "No time is left for a final reply of policy"),
    ],
)
async def test_a_chat_is_shortened_to_what_can_be_paid_before_it_is_refused(cost, seconds, short, refusal):
    plan = await chat(purse_of(cost, seconds), 10_000, 2_000, 100, latency=3.0)
    assert plan.short == short and plan.refusal.startswith(refusal) and bool(plan.refusal) == bool(refusal)


async def test_a_policy_of_unknown_price_cannot_be_used_in_a_budget():
    policy = make_policy(Scripted([]), CATALOG, model=Model(), protocol="chat")
    plan = await plan_chat(toolbox(), state_of(), purse_of(1.0), policy, finals(10))
    assert "The price of policy is unknown" in plan.refusal
    assert not (await plan_chat(toolbox(), state_of(), purse_of(), policy, finals(10))).refusal


def test_final_prompts_get_shorter_and_always_hold_the_question():
    state = state_of(turns=[turn("search"), turn("search", error="e" * 3000)])
    sizes = []
    for _, messages in final_prompts(state, tokens=EstimatedTokens(), room=10_000):
        text = "\n".join(message.content for message in messages)
        assert QUESTION in text
        sizes.append(len(text))
    assert sizes == sorted(sizes, reverse=True) and len(sizes) == 3


@pytest.mark.parametrize("output", [0.05, 0.11, 0.37, 1.03, 1.99])
async def test_ample_money_offers_all_where_only_output_has_a_price(output):
    models = {name: Model(price=Price(output=output)) for name in CATALOG.models}
    catalog = CATALOG.model_copy(update={"models": models})
    tools = Toolbox([FakeTool(name, catalog, least_output=64) for name in catalog.tools])
    state = State(task=make_task(), catalog=catalog)
    assert aliases((await plan_packed(tools, state, purse_of(1_000.0))).offered) == ALL


async def test_a_tool_that_stops_working_while_an_account_is_asked_is_not_offered():
    reason = FakeTool("enhance_reasoning", CATALOG)

    class Breaking(Shared):
        async def ensure(self, amount: int) -> int:
            reason.works = False
            return await super().ensure(amount)

    tools = Toolbox([FakeTool("search", CATALOG), reason, FakeTool("answer", CATALOG)])
    plan = await plan_packed(tools, state_of(), purse_of(1.0, None, Breaking("job", 1.0)))
    assert aliases(plan.offered) == ALL - {"reasoner-1", "reasoner-2"}
