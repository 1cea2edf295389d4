import pytest
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

from orchestra_app import config
from orchestra_app.core.catalog import Source
from orchestra_app.core.errors import ToolError
from orchestra_app.core.message import Document, ToolCall
from orchestra_app.core.task import Preference
from orchestra_app.tools.box import Means, chat_toolbox, left_out, obstacle, open_finders, packed_toolbox
from orchestra_app.tools.function import tool
from orchestra_app.tools.local_index import LocalIndex
from orchestra_app.tools.tavily import TavilySearch


def double(number: int) -> int:
    """Double a number."""
    return 2 * number


def chat(text: str = "<answer>48 m</answer>", **means):
    backend = FakeBackend(text)
    fields = {"finders": {"library": FakeFinder("a", "b", "c")}, "sandbox": FakeSandbox()} | means
    return chat_toolbox(experts_of(backend), Means(**fields), [tool(double)]), backend


def test_the_same_catalogue_is_offered_with_real_arguments():
    box, _ = chat()
    offered = box.offer(Preference(), box.wanted(Preference()))
    arguments = {
        offer.name: list(offer.tool_schema["function"]["parameters"]["properties"]) for offer in offered
    }
    assert arguments == {
        "search": ["query"],
        "python": ["code"],
        "ask_expert": ["model", "question"],
        "double": ["number"],
    }


def test_only_what_works_here_is_offered():
    off = FakeSandbox()
    off.rung = "off"
    assert list(chat(finders={}, sandbox=None)[0].tools) == ["ask_expert", "double"]
    assert list(chat(sandbox=off)[0].tools) == ["search", "ask_expert", "double"]


def test_experts_are_offered_by_the_names_of_the_models_that_are_allowed():
    box, _ = chat()
    preference = Preference(weights={"maths": 0.8}, excluded=("vendor:zeta",))
    chosen = [each for each in box.wanted(preference) if each.alias != "mystery"]
    offer = next(each for each in box.offer(preference, chosen) if each.name == "ask_expert")
    assert offer.choices == {"big": 0.5, "maths": 0.8}
    model = offer.tool_schema["function"]["parameters"]["properties"]["model"]
    assert model["enum"] == ["big", "maths"]
    assert "big | $1.25 | $10 | 96.5s\nmaths | $0.9 | $0.9 | 13s" in model["description"]
    tool = box.tools["ask_expert"]
    assert tool.schema(("big",)) is tool.schema(("big",))


@pytest.mark.parametrize(
    ("preference", "slider"),
    [
        (Preference(), 0.5),
        (Preference(weights={"answer": 0.2, "enhance_reasoning": 0.1}), 0.2),
        (Preference(weights={"answer": 0.2}, excluded=("enhance_reasoning",)), 0.2),
        (Preference(weights={"big": 0.9, "answer": 0.7}), 0.9),
        (Preference(weights={"big": 0.1}), 0.1),
        (Preference(excluded=("answer-1", "reasoner-1"), soft=True), None),
        (Preference(weights={"answer": 0, "enhance_reasoning": 0}), None),
        (Preference(weights={"answer": 0, "enhance_reasoning": 0}, soft=True), 0.0),
    ],
)
def test_sliders_and_exclusions_of_the_catalogues_tools_hold_for_its_models(preference, slider):
    assert chat()[0].tools["ask_expert"].preference("big", preference) == slider


async def test_an_expert_answers_the_question_that_the_policy_wrote_and_the_run_goes_on():
    box, backend = chat()
    state, purse = make_state(documents=(Document(text="It is 48 m tall."),)), FakePurse()
    call = call_of("ask_expert", model="maths", question="What is 6 times 8?")
    result = await box.tools["ask_expert"].call(call, state, purse)
    assert (result.answer, result.output) == (None, "48 m")
    assert (backend.requests[0].role, backend.requests[0].alias) == ("answer", "answer-math")
    assert "What is 6 times 8?" in backend.prompt and "It is 48 m tall." in backend.prompt
    assert QUESTION not in backend.prompt
    assert purse.kinds == [("expert", "maths")]
    floor = box.tools["ask_expert"].floor("maths", state).cost
    assert floor is not None and floor <= purse.least


async def test_an_alias_that_is_excluded_is_not_the_way_to_its_model():
    box, backend = chat()
    state = make_state(preference=Preference(excluded=("answer-1",)))
    await box.tools["ask_expert"].call(call_of("ask_expert", model="big", question="x"), state, FakePurse())
    assert backend.requests[0].alias == "reasoner-1"


@pytest.mark.parametrize("excluded", [("answer-1", "reasoner-1"), ("answer", "enhance_reasoning")])
async def test_a_model_whose_every_way_is_excluded_is_not_asked_also_where_sliders_are_soft(excluded):
    box, backend = chat()
    preference = Preference(excluded=excluded, soft=True)
    offered = {each.alias for each in box.wanted(preference) if each.tool.name == "ask_expert"}
    assert "big" not in offered and ("maths" in offered) == ("answer" not in excluded)
    call = call_of("ask_expert", model="big", question="x")
    with pytest.raises(ToolError, match="is excluded"):
        await box.tools["ask_expert"].call(call, make_state(preference=preference), FakePurse())
    assert not backend.requests


@pytest.mark.parametrize("soft", [False, True])
def test_what_has_turned_out_not_to_work_is_not_offered_again_in_the_same_run(soft: bool):
    sandbox, preference = FakeSandbox(), Preference(soft=soft)
    experts = experts_of(FakeBackend())
    for box in (
        chat_toolbox(experts, Means(sandbox=sandbox)),
        packed_toolbox(experts, Means(sandbox=sandbox)),
    ):
        sandbox.rung = "landlock"
        assert {"python", "enhance_reasoning"} & {each.tool.name for each in box.wanted(preference)}
        sandbox.rung = "off"
        assert not {"python", "enhance_reasoning"} & {each.tool.name for each in box.wanted(preference)}


def test_a_search_without_a_source_is_not_offered_also_where_sliders_are_soft():
    preference = Preference(excluded=("library",), soft=True)
    experts, finders = experts_of(FakeBackend()), {"library": FakeFinder()}
    for box in (chat_toolbox(experts, Means(finders)), packed_toolbox(experts, Means(finders))):
        assert "search" not in {each.tool.name for each in box.wanted(preference)}


async def test_search_takes_the_query_of_the_policy_and_asks_no_model():
    finder = FakeFinder("a", "b", "c")
    box, backend = chat(finders={"library": finder})
    purse = FakePurse()
    result = await box.tools["search"].call(call_of("search", query="tower\nof Velm"), make_state(), purse)
    assert finder.asked[0][0] == "tower of Velm"
    assert [document.text for document in result.documents] == ["b", "a"]
    assert purse.kinds == [("retrieve", "library")] and not backend.requests


async def test_code_of_the_policy_runs_in_the_sandbox():
    sandbox = FakeSandbox()
    box, _ = chat(sandbox=sandbox)
    purse = FakePurse()
    result = await box.tools["python"].call(call_of("python", code="print(42)"), make_state(), purse)
    assert (result.executions[0].stdout, sandbox.ran[0][0]) == ("42\n", "print(42)")
    assert purse.kinds == [("python", "python")]
    assert box.tools["python"].floor(None, make_state()).cost == purse.least


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("search", {}),
        ("search", {"query": " "}),
        ("search", {"query": ["a"]}),
        ("search", "query"),
        ("python", {"code": None}),
        ("ask_expert", {"model": "big"}),
        ("ask_expert", {"model": "nobody", "question": "x"}),
        ("ask_expert", {"question": "x"}),
    ],
)
async def test_bad_arguments_are_told_and_cost_nothing(name, arguments):
    box, purse = chat()[0], FakePurse()
    with pytest.raises(ToolError):
        await box.tools[name].call(ToolCall(id="1", name=name, arguments=arguments), make_state(), purse)
    assert not purse.uses


async def test_an_expert_without_an_answer_is_told():
    box, _ = chat("<think>hm</think>")
    with pytest.raises(ToolError, match="big gave no answer"):
        call = call_of("ask_expert", model="big", question="x")
        await box.tools["ask_expert"].call(call, make_state(), FakePurse())


@pytest.mark.parametrize(
    ("keys", "sources"),
    [
        ({}, ["library"]),
        ({"TAVILY_API_KEY": " \n"}, ["library"]),
        ({"TAVILY_API_KEY": "tvly-…"}, ["library"]),
        ({"TAVILY_API_KEY": "k"}, ["library", "web"]),
        ({"TAVILY_KEY": "k"}, ["library", "web"]),
    ],
)
def test_the_web_is_a_source_only_with_a_key(monkeypatch, keys, sources):
    for name in ("TAVILY_API_KEY", "TAVILY_KEY"):
        monkeypatch.setenv(name, keys.get(name, ""))
    assert list(open_finders(make_catalog(), bundled=(), key=config.key, cache=None)) == sources


async def test_sources_search_the_folder_of_the_catalogue_or_the_bundled_corpus(tmp_path):
    (tmp_path / "a.txt").write_text("a tower")
    for folder, found in (("rehearsal", "bundled tower"), (str(tmp_path), "a tower")):
        catalog = make_catalog(
            sources={
                "library": Source(kind="local", title="L", folder=folder),
                "web": Source(kind="tavily", title="W", key="MY_KEY"),
            }
        )
        bundled = [Document(text="bundled tower")]
        finders = open_finders(catalog, bundled=bundled, key={"MY_KEY": "k"}.get, cache=tmp_path / "c")
        library, web = finders["library"], finders["web"]
        assert isinstance(library, LocalIndex) and isinstance(web, TavilySearch)
        assert [document.text for document in await library.search("tower", 1)] == [found]
        await web.aclose()


async def test_what_a_folder_holds_beyond_its_index_is_told_once_that_is_open(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("a tower")
    (tmp_path / "docs" / "empty.md").write_text("")
    catalog = make_catalog(
        sources={
            "library": Source(kind="local", title="L", folder=str(tmp_path / "docs")),
            "web": Source(kind="tavily", title="W"),
        }
    )

    def opened() -> dict:
        return open_finders(catalog, bundled=(), key={}.get, cache=tmp_path / "c")

    first = opened()
    assert await left_out(first) == await left_out(first, kept=True) == {}, "nothing is built for it"
    await first["library"].search("tower", 1)
    told = {"library": ("empty.md was skipped: it holds no text.",)}
    assert await left_out(first) == told
    assert await left_out(opened()) == {} and await left_out(opened(), kept=True) == told


def test_a_source_that_cannot_work_is_left_out_and_says_why(tmp_path):
    gone = Source(kind="local", title="L", folder=str(tmp_path / "gone"))
    web = Source(kind="tavily", title="W", key="MY_KEY")
    catalog = make_catalog(sources={"library": gone, "web": web})
    assert open_finders(catalog, bundled=(), key={}.get, cache=None) == {}
    assert "does not exist" in obstacle(gone, {}.get)
    assert obstacle(web, {}.get) == "Web search needs a key: set MY_KEY."
    assert "characters that no key has" in obstacle(web, {"MY_KEY": "tvly-…"}.get)
    assert "has no folder" in obstacle(Source(kind="local", title="L"), {}.get)
    bundled = Source(kind="local", title="L", folder="rehearsal")
    assert obstacle(web, {"MY_KEY": "k"}.get) == obstacle(bundled, {}.get) == ""
