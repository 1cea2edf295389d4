"""Baseline policies call only what is on offer, spend nothing, and follow question, context and sliders."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.backends.base import State
from orchestra_app.backends.baseline import BASELINES, baseline
from orchestra_app.core import catalog as core_catalog
from orchestra_app.core.catalog import Catalog, Choice, Model, Source, ToolSpec
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.message import Document, Execution, Offer, Reply
from orchestra_app.core.task import Preference, Task
from orchestra_app.core.trace import Turn
from orchestra_app.core.usage import Price
from tests.backends.conftest import RecordingPurse
from tests.backends.conftest import request as a_request

PRICES = {"big": (1.25, 10.0), "mini": (0.25, 2.0), "open": (0.8, 0.8), "sums": (0.9, 0.9), "free": None}
ALIASES: dict[str, dict[str, tuple[str, float, str]]] = {
    "look": {"look-1": ("big", 22, ""), "look-2": ("mini", 16, ""), "look-3": ("open", 8, "")},
    "think": {"think-1": ("big", 31, ""), "think-2": ("mini", 25, ""), "think-3": ("open", 9, "")},
    "reply": {
        "reply-1": ("big", 96, ""),
        "reply-2": ("mini", 27, ""),
        "reply-3": ("open", 11, ""),
        "reply-sums": ("sums", 13, "Moderate at mathematics."),
        "reply-free": ("free", 5, ""),
    },
}
KINDS: dict[str, Any] = {"look": "search", "think": "reason", "reply": "answer"}
CATALOG = Catalog(
    name="test",
    title="Test",
    models={
        name: Model(url="http://localhost/v1", price=rates and Price(input=rates[0], output=rates[1]))
        for name, rates in PRICES.items()
    },
    sources={"corpus": Source(kind="local", title="Corpus")},
    tools={
        tool: ToolSpec(
            kind=KINDS[tool],
            title=tool,
            description="",
            sources=("corpus",) if tool == "look" else (),
            choices={
                alias: Choice(model=model, latency=seconds, ability=ability, typical_output=1_000)
                for alias, (model, seconds, ability) in aliases.items()
            },
        )
        for tool, aliases in ALIASES.items()
    },
)
ALL = [alias for aliases in ALIASES.values() for alias in aliases]
BRIDGE = Document(text="The Kalo Bridge opened in 1901.")
MUSEUM = Document(text="The Soth Museum opened in 1950.")
RUN = Execution(code="print(4)", stdout="4\n", status=0)
FACT = "In which year did the Kalo Bridge open?"
APART = "How many years apart did the Kalo Bridge and the Soth Museum open?"
SUM = "What is the sum of all primes below 90?"
EXPERT = "Which theorem in algebraic topology explains the rigidity of compact systems?"


def offer(aliases: Iterable[str], likes: dict[str, float]) -> tuple[Offer, ...]:
    found = []
    for tool in ALIASES:
        choices = {alias: likes.get(alias, 0.5) for alias in aliases if alias in ALIASES[tool]}
        if choices:
            found.append(Offer(tool_schema={"function": {"name": tool}}, choices=choices))
    return tuple(found)


def state(
    question: str, *, aliases: Iterable[str] = ALL, likes: dict[str, float] | None = None, **fields: Any
) -> State:
    preference = fields.pop("preference", Preference())
    task = Task(id="t", question=question, preference=preference)
    return State(task=task, catalog=CATALOG, offered=offer(aliases, likes or {}), **fields)


def decide(name: str, where: State) -> tuple[str, str] | None:
    calls = BASELINES[name].decide(where).calls
    if not calls:
        return None
    (call,) = calls
    assert isinstance(call.arguments, dict) and set(call.arguments) == {"model"}
    return call.name, call.arguments["model"]


def route(name: str, where: State) -> list[str]:
    """Return the aliases that a policy calls until it answers, each finding what it is meant to find."""
    found: list[str] = []
    while len(found) < 10 and (called := decide(name, where)):
        found.append(called[1])
        if called[0] == "reply":
            break
        reply = BASELINES[name].decide(where)
        where = where._replace(turns=(*where.turns, Turn(offered=(), instruction="", reply=reply)))
        if called[0] == "look":
            where = where._replace(documents=(BRIDGE, MUSEUM))
        else:
            where = where._replace(executions=(RUN,))
    return found


def test_there_are_the_baselines_that_catalogues_expect():
    assert set(BASELINES) == set(core_catalog.BASELINES)
    assert BASELINES["rules"].title == "rules (baseline)"
    assert all(each.description for each in BASELINES.values())
    with pytest.raises(ConfigError, match="choose one of: rules"):
        baseline("nobody")


@pytest.mark.parametrize("name", BASELINES)
async def test_a_decision_touches_no_money(name: str, purse: RecordingPurse):
    asked = a_request(Model(), state=state(FACT))
    reply = await baseline(name).complete(asked, purse)
    assert isinstance(reply, Reply) and not purse.uses and not reply.charges


QUESTIONS = st.sampled_from([FACT, APART, SUM, EXPERT, "柯洛桥是哪一年开放的?", "print(1)"]) | st.text(
    min_size=1
)


@given(
    st.sampled_from(sorted(BASELINES)),
    QUESTIONS,
    st.sets(st.sampled_from(ALL)),
    st.dictionaries(st.sampled_from(ALL), st.floats(0, 1)),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 200),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.lists(st.sampled_from([BRIDGE, MUSEUM])),
    st.lists(st.just(RUN), max_size=1),
)
def test_only_what_is_on_offer_is_ever_called(
    name: str,
    question: str,
    aliases: set[str],
    likes: dict[str, float],
    cost: float | None,
    seconds: float | None,
    sliders: tuple[float, float],
    documents: list[Document],
    executions: list[Execution],
):
    where = state(
        question,
        aliases=sorted(aliases),
        likes=likes,
        preference=Preference(cost=sliders[0], latency=sliders[1]),
        cost_left=cost,
        seconds_left=seconds,
        documents=tuple(documents),
        executions=tuple(executions),
    )
    called = decide(name, where)
    assert called == decide(name, where), "decisions are deterministic"
    if called is None:
        assert name == "do-nothing" or not any(alias.startswith("reply") for alias in aliases)
    else:
        assert called[1] in aliases and called[1] in ALIASES[called[0]]


ROUTES = {
    "best-expert": ["reply-1"],
    "best-pipeline": ["look-1", "think-1", "reply-1"],
    "mid-pipeline": ["look-2", "think-2", "reply-2"],
    "cheapest": ["reply-free"],
    "do-nothing": [],
}


@pytest.mark.parametrize("name", ROUTES)
def test_fixed_routes_take_the_aliases_that_their_names_say(name: str):
    assert route(name, state(FACT)) == ROUTES[name]


def test_a_pipeline_passes_over_what_is_not_on_offer():
    assert route("best-pipeline", state(FACT, aliases=["think-3", "reply-2"])) == ["think-3", "reply-2"]


def test_random_depends_on_seed_question_and_turn_and_reaches_every_alias():
    drawn = {decide("random", state(FACT, seed=seed)) for seed in range(300)}
    assert {each[1] for each in drawn if each} == set(ALL)
    assert len({decide("random", state(f"{FACT} {n}")) for n in range(50)}) > 5


STEPS = {
    "a fact": (FACT, ["look", "reply"]),
    "two facts and their difference": (APART, ["look", "think", "reply"]),
    "a fact and a number": ("What is 7 times the staff of the Kalo Bridge?", ["look", "think", "reply"]),
    "a sum": (SUM, ["think", "reply"]),
    "an expression": ("Work out 12 * 7 - 3.", ["think", "reply"]),
    "a story": ("Ann buys 4 packs of 6 pens and 3 pens. How many pens does Ann have?", ["think", "reply"]),
    "code": ("What does this print?\n```python\nprint(sum([1, 2]))\n```", ["think", "reply"]),
    "code without fences": ("Give the output.\nx = 1\nfor i in range(3):\n    x += i", ["think", "reply"]),
    "a specialist": (EXPERT, ["reply"]),
    "Chinese, a fact": ("「柯洛桥」是哪一年开放的?", ["look", "look", "reply"]),
    "Chinese, a sum": ("计算 12 与 7 的余数", ["think", "reply"]),
    "small talk": ("hello", ["reply"]),
}


@pytest.mark.parametrize("case", STEPS)
def test_rules_search_for_facts_compute_numbers_and_answer_the_rest(case: str):
    question, tools = STEPS[case]
    aliases = route("rules", state(question))
    assert [next(tool for tool in ALIASES if alias in ALIASES[tool]) for alias in aliases] == tools


def test_rules_use_what_is_already_there():
    assert (decide("rules", state(FACT, documents=(BRIDGE,))) or ("",))[0] == "reply"
    assert (decide("rules", state(SUM, executions=(RUN,))) or ("",))[0] == "reply"
    assert (decide("rules", state(APART, documents=(BRIDGE,))) or ("",))[0] == "look"
    failed = Execution(code="1/0", stderr="ZeroDivisionError", status=1)
    assert (decide("rules", state(SUM, executions=(failed,))) or ("",))[0] == "think"


def test_rules_do_not_search_or_compute_for_ever():
    where, tools = state(APART), []
    while (called := decide("rules", where)) and called[0] != "reply":
        tools.append(called[0])
        reply = BASELINES["rules"].decide(where)
        where = where._replace(turns=(*where.turns, Turn(offered=(), instruction="", reply=reply)))
    assert tools == ["look", "look", "think", "think"]


def test_rules_give_a_specialist_the_strongest_and_leave_mathematics_models_to_numbers():
    assert decide("rules", state(EXPERT)) == ("reply", "reply-1")
    only = ["reply-sums", "reply-3"]
    assert decide("rules", state(EXPERT, aliases=only)) == ("reply", "reply-3")
    assert decide("rules", state(EXPERT, aliases=only, likes={"reply-sums": 1.0})) == ("reply", "reply-sums")


@pytest.mark.parametrize("alias", ALIASES["reply"])
def test_rules_take_the_best_liked_alias_first(alias: str):
    assert decide("rules", state("hello", likes={alias: 0.9})) == ("reply", alias)


def test_rules_get_cheaper_and_faster_with_the_sliders_and_the_budget():
    def cost(**fields: Any) -> float:
        called = decide("rules", state("hello", **fields))
        assert called
        model, _, _ = ALIASES["reply"][called[1]]
        return (PRICES[model] or (0.0, 0.0))[1]

    careless = cost(preference=Preference(cost=0, latency=0))
    assert careless == 10.0
    assert cost(preference=Preference(cost=1, latency=0)) < careless
    assert cost(preference=Preference(cost=0, latency=1)) < careless
    assert cost(preference=Preference(cost=0, latency=0), cost_left=0.005) < careless
    assert cost(preference=Preference(cost=0, latency=0), seconds_left=30.0) < careless


def test_rules_say_why():
    assert "Kalo Bridge" in BASELINES["rules"].decide(state(FACT)).reasoning
