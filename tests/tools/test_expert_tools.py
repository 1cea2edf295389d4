import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tool_fakes import (
    QUESTION,
    FakeBackend,
    FakeFinder,
    FakePurse,
    FakeSandbox,
    call_of,
    experts_of,
    make_catalog,
    make_state,
)

from orchestra_app.core.catalog import Model, PythonSpec
from orchestra_app.core.errors import BudgetError, ToolError
from orchestra_app.core.message import Document, Execution
from orchestra_app.core.task import Preference
from orchestra_app.core.usage import Price
from orchestra_app.tools.box import Means, packed_toolbox
from orchestra_app.tools.expert import AnswerTool, ReasonTool
from orchestra_app.tools.python import run_python

CODE = "Let us compute.\n```python\nprint(6 * 7)\n```"

GOLDEN = {
    "type": "function",
    "function": {
        "name": "answer",
        "description": "Gives the final answer.",
        "parameters": {
            "properties": {
                "model": {
                    "description": """\
The model to use. Choices: ['answer-1', 'answer-2', 'answer-math'].
answer-1: Is right most often.
Model | price per million input tokens | price per million output tokens | average latency
answer-1 | $1.25 | $10 | 96.5s
answer-2 | unknown | unknown | 27s
answer-math | $0.9 | $0.9 | 13s""",
                    "type": "string",
                }
            },
            "required": ["model"],
            "title": "parameters",
            "type": "object",
        },
    },
}


def answer_tool(text: str = "<answer>48 m</answer>", *, finish: str = "stop", catalog=None):
    backend = FakeBackend(text, finish=finish)
    return AnswerTool("answer", experts_of(backend, catalog)), backend


def reason_tool(text: str = CODE, *, sandbox: FakeSandbox | None = None, catalog=None):
    backend, sandbox = FakeBackend(text), sandbox or FakeSandbox()
    return ReasonTool("enhance_reasoning", experts_of(backend, catalog), sandbox), backend, sandbox


def test_schema_has_the_shape_that_the_policy_was_trained_on():
    tool, _ = answer_tool()
    assert tool.schema(tool.aliases) == GOLDEN


def test_equal_aliases_give_the_same_schema_and_fewer_offer_fewer():
    tool, _ = answer_tool()
    assert tool.schema(("answer-1",)) is tool.schema(("answer-1",))
    described = str(tool.schema(("answer-math",)))
    assert "answer-math | $0.9" in described
    assert "answer-1" not in described


def test_an_alias_can_be_excluded_by_itself_its_model_or_its_vendor():
    tool, _ = answer_tool()
    assert tool.names("answer-1") == ("answer-1", "big", "vendor:acme")
    assert tool.names("answer-2") == ("answer-2", "mystery")
    assert tool.names("no such") == tool.names(None) == ()


def test_the_slider_of_an_alias_is_that_of_its_model():
    tool, _ = answer_tool()
    preference = Preference(weights={"big": 0.9, "answer": 0.1})
    assert tool.preference("answer-1", preference) == 0.9
    assert tool.preference("answer-math", preference) == 0.5


async def test_an_answer_ends_the_run_and_is_paid_once():
    tool, backend = answer_tool()
    purse = FakePurse()
    result = await tool.call(call_of("answer", model="answer-1"), make_state(), purse)
    assert tool.ends
    assert (result.call_id, result.answer) == ("c1", "48 m")
    assert purse.kinds == [("expert", "big")]


async def test_experts_are_asked_with_their_limits_and_without_the_preference_sentence():
    tool, backend = answer_tool()
    state = make_state(documents=(Document(text="It is 48 m tall."),))
    await tool.call(call_of("answer", model="answer-1"), state, FakePurse())
    request = backend.requests[0]
    assert (request.name, request.role, request.kind, request.alias) == (
        "big",
        "answer",
        "expert",
        "answer-1",
    )
    assert (request.max_output, request.min_output, request.latency) == (4096, 256, 96.5)
    assert (request.model.vendor, request.temperature, request.tools) == ("acme", 1.0, ())
    assert QUESTION in backend.prompt
    assert "It is 48 m tall." in backend.prompt
    assert "Prefer big." not in backend.prompt


@pytest.mark.parametrize(
    ("text", "finish", "said"),
    [
        ("<think>hm", "length", "token limit"),
        ("<answer>half an ans", "length", "token limit"),
        ("", "stop", "no answer"),
        ("<answer></answer>", "stop", "no answer"),
    ],
)
async def test_a_reply_without_an_answer_goes_back_as_an_error_and_is_paid(text, finish, said):
    tool, _ = answer_tool(text, finish=finish)
    purse = FakePurse()
    with pytest.raises(ToolError, match=said):
        await tool.call(call_of("answer", model="answer-1"), make_state(), purse)
    assert purse.kinds == [("expert", "big")]


@pytest.mark.parametrize(
    ("reasoning", "finish", "answer"),
    [
        ("I forgot to stop thinking <answer>48</answer>", "stop", "48"),
        ("so \\boxed{48}", "stop", "48"),
        ("I only thought.", "stop", None),
        ("maybe <answer>48</answer>", "length", None),
    ],
)
async def test_an_answer_that_was_left_in_the_reasoning_is_found(reasoning, finish, answer):
    tool = AnswerTool("answer", experts_of(FakeBackend(reasoning=reasoning, finish=finish)))
    call = tool.call(call_of("answer", model="answer-1"), make_state(), FakePurse())
    if answer is None:
        with pytest.raises(ToolError):
            await call
    else:
        assert (await call).answer == answer


@pytest.mark.parametrize("arguments", [{"model": "nobody"}, {}, {"model": 3}])
async def test_an_unknown_alias_is_told_and_costs_nothing(arguments):
    tool, _ = answer_tool()
    purse = FakePurse()
    with pytest.raises(ToolError, match="choose one of answer-1, answer-2, answer-math"):
        await tool.call(call_of("answer", **arguments), make_state(), purse)
    assert not purse.uses


async def test_a_question_longer_than_the_context_is_refused_before_it_costs():
    tool, _ = answer_tool()
    purse = FakePurse()
    with pytest.raises(ToolError, match="too long for answer-math"):
        await tool.call(call_of("answer", model="answer-math"), make_state(question="x" * 15_000), purse)
    assert not purse.uses


async def test_context_and_reply_fit_together_into_a_small_context():
    tool, backend = answer_tool()
    state = make_state(documents=tuple(Document(text="y" * 5000) for _ in range(9)))
    await tool.call(call_of("answer", model="answer-math"), state, FakePurse())
    request = backend.requests[0]
    assert len(backend.prompt) / 3 + request.max_output <= request.model.context


async def test_code_of_an_expert_runs_in_the_sandbox_and_both_are_paid():
    tool, backend, sandbox = reason_tool()
    purse = FakePurse()
    result = await tool.call(call_of("enhance_reasoning", model="reasoner-2"), make_state(), purse)
    assert backend.requests[0].role == "reason"
    assert sandbox.ran == [("print(6 * 7)", 8)]
    assert result.executions[0].stdout == "42\n"
    assert result.answer is None and not tool.ends
    assert purse.kinds == [("expert", "small"), ("python", "python")]
    assert purse.uses[1].most.units == 8 and purse.uses[1].least.units == 1


async def test_a_failed_run_is_a_result_with_its_error_kept():
    failed = Execution(code="", stderr="ZeroDivisionError", status=1)
    tool, _, _ = reason_tool(sandbox=FakeSandbox(failed))
    result = await tool.call(call_of("enhance_reasoning", model="reasoner-1"), make_state(), FakePurse())
    assert (result.executions[0].stderr, result.executions[0].status) == ("ZeroDivisionError", 1)


async def test_a_reply_without_code_runs_nothing():
    tool, _, sandbox = reason_tool("The answer is 42.")
    with pytest.raises(ToolError, match="wrote no Python code"):
        await tool.call(call_of("enhance_reasoning", model="reasoner-1"), make_state(), FakePurse())
    assert not sandbox.ran


@pytest.mark.parametrize(
    ("seconds", "units", "limit"), [(None, None, 8), (3.5, None, 3.5), (None, 2, 2), (1.5, 2, 1.5)]
)
async def test_code_runs_no_longer_than_time_and_money_allow(seconds, units, limit):
    tool, _, sandbox = reason_tool()
    purse = FakePurse(seconds=seconds, units=units)
    await tool.call(call_of("enhance_reasoning", model="reasoner-1"), make_state(), purse)
    assert sandbox.ran[0][1] == limit


@pytest.mark.parametrize("timed_out", [False, True])
async def test_simulated_runs_take_the_same_seconds_every_time(timed_out):
    catalog = make_catalog(simulated=True)
    seconds = set()
    for real in (0.01, 0.03):
        execution = Execution(code="", stdout="1", status=0, seconds=real, timed_out=timed_out)
        sandbox = FakeSandbox(execution, pause=real)
        tool, _, _ = reason_tool(sandbox=sandbox, catalog=catalog)
        purse = FakePurse(seconds=0.5)
        call = call_of("enhance_reasoning", model="reasoner-1")
        result = await tool.call(call, make_state(catalog), purse)
        charge = purse.charges[-1]
        assert charge.simulated and not charge.estimated
        assert sandbox.ran[0][1] == 8
        seconds.add((charge.usage.seconds, charge.usage.units, result.executions[0].seconds, charge.cost))
    assert seconds == ({(8, 8, 8, 0.008)} if timed_out else {(0.2, 0.2, 0.2, 0.0002)})


async def test_a_sandbox_that_fails_is_booked_at_its_reservation():
    tool, _, _ = reason_tool(sandbox=FakeSandbox(error="The sandbox is off."))
    purse = FakePurse()
    with pytest.raises(ToolError, match="The sandbox is off"):
        await tool.call(call_of("enhance_reasoning", model="reasoner-1"), make_state(), purse)
    assert purse.charges[-1].estimated and purse.charges[-1].cost == pytest.approx(0.008)


async def test_a_cancelled_run_of_code_is_settled_and_stays_cancelled():
    sandbox = FakeSandbox(pause=60)
    tool, _, _ = reason_tool(sandbox=sandbox)
    purse = FakePurse()
    call = tool.call(call_of("enhance_reasoning", model="reasoner-1"), make_state(), purse)
    task = asyncio.create_task(call)
    await sandbox.started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not purse.open
    assert purse.charges[-1].estimated


async def test_code_that_cannot_be_paid_does_not_run():
    tool, _, sandbox = reason_tool()
    purse = FakePurse(refused=("python",))
    with pytest.raises(BudgetError):
        await tool.call(call_of("enhance_reasoning", model="reasoner-1"), make_state(), purse)
    assert not sandbox.ran and not purse.open


def test_an_unknown_price_has_no_floor():
    tool, _ = answer_tool()
    assert tool.floor("answer-2", make_state()).cost is None
    assert tool.floor("answer-2", make_state()).seconds == 27


def test_the_floor_grows_with_the_prompt_at_the_price_that_was_looked_up():
    catalog = make_catalog()
    models = catalog.models | {"mystery": Model(id="gpt-5")}
    tool, _ = answer_tool(catalog=catalog.model_copy(update={"models": models}))
    short, long = (tool.floor("answer-2", make_state(question="x" * length)) for length in (10, 1_010))
    assert short.cost and long.cost
    assert long.cost - short.cost == pytest.approx(1_000 * short.rate) and short.rate > 0


documents = st.lists(st.builds(Document, text=st.text(max_size=3000)), max_size=6).map(tuple)
runs = st.lists(st.builds(Execution, code=st.text(max_size=2000), stdout=st.text(max_size=9000)), max_size=4)
CALLS = [
    ("search", "search-1"),
    ("search", "search-2"),
    ("enhance_reasoning", "reasoner-1"),
    ("enhance_reasoning", "reasoner-2"),
    ("answer", "answer-1"),
    ("answer", "answer-math"),
]


@given(documents, runs.map(tuple), st.text(min_size=1, max_size=2000), st.sampled_from(CALLS))
def test_the_floor_is_exactly_the_least_that_a_call_reserves(documents, executions, question, call):
    name, alias = call
    backend = FakeBackend(f"<query>some words</query><answer>1</answer>\n{CODE}")
    finders = {"library": FakeFinder("found"), "web": FakeFinder("found")}
    python = PythonSpec(price=Price(unit=0.001), seconds=8)
    experts = experts_of(backend, make_catalog(python=python))
    tool = packed_toolbox(experts, Means(finders, FakeSandbox())).tools[name]
    state = make_state(experts.catalog, question=question, documents=documents, executions=executions)
    purse = FakePurse(refused=("web",))
    floor = tool.floor(alias, state)
    asyncio.run(tool.call(call_of(name, model=alias), state, purse))
    assert floor.cost == pytest.approx(purse.least, abs=1e-12)


def test_tools_that_cannot_work_here_are_not_in_the_box():
    off = FakeSandbox()
    off.rung = "off"
    experts = experts_of(FakeBackend())
    assert list(packed_toolbox(experts, Means()).tools) == ["answer"]
    assert list(packed_toolbox(experts, Means({"other": FakeFinder()}, off)).tools) == ["answer"]
    everything = packed_toolbox(experts, Means({"web": FakeFinder()}, FakeSandbox()))
    assert list(everything.tools) == ["search", "enhance_reasoning", "answer"]


async def test_a_sandbox_that_turns_out_to_be_off_takes_its_tool_from_the_offer():
    tool, backend, sandbox = reason_tool()
    sandbox.rung = "off"
    assert not tool.works
    with pytest.raises(ToolError, match="A fake."):
        await tool.call(call_of("enhance_reasoning", model="reasoner-1"), make_state(), FakePurse())
    assert not backend.requests


def test_what_is_excluded_leaves_the_offer():
    box = packed_toolbox(experts_of(FakeBackend()), Means({"web": FakeFinder()}, FakeSandbox()))
    preference = Preference(excluded=("vendor:acme", "answer-2"), weights={"small": 0.7})
    offered = {offer.name: offer.choices for offer in box.offer(preference, box.wanted(preference))}
    assert offered == {"search": {"search-2": 0.5}, "enhance_reasoning": {"reasoner-2": 0.7}}


async def test_code_that_waits_for_others_until_no_time_is_left_is_given_up():
    purse, state = FakePurse(seconds=0.05), make_state(make_catalog(simulated=False))
    with pytest.raises(ToolError, match="sandbox was busy"):
        await run_python("print(1)", state, purse, FakeSandbox(pause=5.0))
    assert len(purse.charges) == 1 and not purse.open
    await run_python("print(1)", state, (booked := FakePurse(seconds=9.0)), FakeSandbox(pause=0.1))
    assert booked.charges[0].usage.units == pytest.approx(0.0123) and booked.charges[0].usage.seconds >= 0.1
