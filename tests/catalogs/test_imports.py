"""Importing a tools.json: what it says arrives unchanged, what it lacks is said, and nonsense is refused."""

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.catalogs import import_tools, load_catalog, parse_catalog
from orchestra_app.catalogs.toolsjson import Row, read_functions
from orchestra_app.catalogs.writer import toml_text
from orchestra_app.core.errors import ConfigError

TABLE = "Model | price per million input tokens | price per million output tokens | average latency"


def function(name, rows, description="does its part", intro="The table below lists prices.\n"):
    """A function in the reference's shape: `rows` are (alias, ability, price in, price out, latency)."""
    abilities = " ".join(f"{alias} {ability}." for alias, ability, *_ in rows)
    table = "\n".join(" | ".join(row[:1] + row[2:]) for row in rows)
    listed = ", ".join(f"'{row[0]}'" for row in rows)
    text = f"The model that works. Choices: [{listed}]. {abilities} {intro}{TABLE}\n{table}"
    model = {"description": text, "type": "string"}
    parameters = {
        "properties": {"model": model},
        "required": ["model"],
        "title": "parameters",
        "type": "object",
    }
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


TOOLS = [
    function(
        "enhance_reasoning",
        [
            ("reasoner-1", "thinks well (maths, law, etc.), mostly", "$1.25", "$10", "31s"),
            ("reasoner-3", "writes code, like answer-1 would", "$0.8", "$0.8", "9s"),
        ],
        intro="",
    ),
    function(
        "answer",
        [
            ("answer-1", "knows most things", "$1.25", "$10", "96s"),
            ("answer-4", "knows some things: e.g. capitals", "$0.8", "$0.8", "11s"),
            ("answer-math-1", "counts", "$0.9", "$0.9", "13s"),
            ("answer-math-2", "counts to ten", "$$0.2", "$0.2", "9s"),
        ],
    ),
    function("search", [("search-2", "words a query", "$0.25", "$2", "16.5s")]),
]


@pytest.fixture
def tools_json(tmp_path):
    def write(tools, name="tools.json"):
        path = tmp_path / name
        path.write_text(tools if isinstance(tools, str) else json.dumps(tools))
        return path

    return write


def test_aliases_abilities_prices_and_latencies_arrive_unchanged(tools_json):
    text, notes = import_tools(tools_json(TOOLS))
    catalog = parse_catalog(text)
    found = {}
    for tool in catalog.tools.values():
        for alias, choice in tool.choices.items():
            price = catalog.models[choice.model].price
            assert price is not None and price.source == "tools.json"
            found[alias] = (choice.model, choice.ability, price.input, price.output, choice.latency)
    assert found == {
        "reasoner-1": ("gpt-5", "thinks well (maths, law, etc.), mostly.", 1.25, 10, 31),
        "reasoner-3": ("qwen-coder-32b", "writes code, like answer-1 would.", 0.8, 0.8, 9),
        "answer-1": ("gpt-5", "knows most things.", 1.25, 10, 96),
        "answer-4": ("qwen3-32b", "knows some things: e.g. capitals.", 0.8, 0.8, 11),
        "answer-math-1": ("qwen-math-72b", "counts.", 0.9, 0.9, 13),
        "answer-math-2": ("qwen-math-7b", "counts to ten.", 0.2, 0.2, 9),
        "search-2": ("gpt-5-mini", "words a query.", 0.25, 2, 16.5),
    }
    assert list(catalog.tools) == ["enhance_reasoning", "answer", "search"]
    assert catalog.tools["answer"].description == "does its part" and len(notes) == 1


def test_what_the_file_lacks_is_that_of_live(tools_json):
    live, catalog = load_catalog("live"), parse_catalog(import_tools(tools_json(TOOLS))[0])
    gone = {"ability", "latency", "latency_source"}
    for tool in ("answer", "enhance_reasoning", "search"):
        for alias, choice in catalog.tools[tool].choices.items():
            assert choice.model_dump(exclude=gone) == live.tools[tool].choices[alias].model_dump(exclude=gone)
    for name, model in catalog.models.items():
        assert model.model_dump(exclude={"price"}) == live.models[name].model_dump(exclude={"price"})
    assert (catalog.sources, catalog.python) == (live.sources, live.python)
    own = {"orchestrator-8b", "orchestrator-8b-here"}
    assert set(catalog.policies) == {*own, "gpt-5", "gpt-5-mini", "qwen3-32b"}


def test_another_mapping_brings_other_models_and_says_what_is_assumed_of_them(tools_json):
    mapping = {"answer-1": "zai-org/GLM-5", "answer-4": "gpt-6", "answer-math-1": "Qwen/Qwen3-32B"}
    text, notes = import_tools(tools_json(TOOLS), tools_json(mapping, "mapping.json"))
    catalog = parse_catalog(text)
    glm, gpt = catalog.models["glm-5"], catalog.models["gpt-6"]
    assert (glm.id, glm.vendor, glm.key) == ("zai-org/GLM-5", "zai-org", "HF_TOKEN")
    assert (gpt.id, gpt.vendor, gpt.key) == ("gpt-6", "openai", "OPENAI_API_KEY")
    assert catalog.tools["answer"].choices["answer-math-1"].model == "qwen3-32b"
    for said in (
        "glm-5: assumed to be served by Hugging Face",
        "gpt-6: assumed to be served by OpenAI",
        "answer-4:",
    ):
        assert any(note.startswith(said) for note in notes), notes


def test_gaps_in_the_table_are_noted_and_never_free(tools_json):
    rows = [("answer-1", "knows", "?", "?", "?"), ("answer-2", "knows", "$1", "$2", "soon")]
    text, notes = import_tools(tools_json([function("answer", rows), function("call_expert", rows)]))
    catalog = parse_catalog(text)
    assert catalog.models["gpt-5"].price is None
    assert catalog.tools["answer"].choices["answer-2"].latency == 30.0
    for said in (
        "call_expert was left out",
        "answer-1: the table has no price",
        "answer-2: the table has no latency",
    ):
        assert any(note.startswith(said) for note in notes), notes


def test_of_two_prices_for_one_model_the_higher_rates_are_kept(tools_json):
    answer = function("answer", [("answer-1", "a", "$1", "$9", "1s")])
    search = function("search", [("search-1", "b", "$2", "$8", "1s")])
    text, notes = import_tools(tools_json([answer, search]))
    price = parse_catalog(text).models["gpt-5"].price
    assert price is not None and (price.input, price.output) == (2, 9)
    assert any("another price" in note for note in notes)


def test_a_table_on_one_line_and_latencies_in_other_units_are_read(tools_json):
    one = function(
        "answer", [("answer-1", "a", "$1", "$.5", "500ms"), ("answer-10", "b", "$3", "$4", "2 min")]
    )
    model = one["function"]["parameters"]["properties"]["model"]
    model["description"] = model["description"].replace("\n", " ")
    (read,) = read_functions(tools_json([one]))
    assert read.rows == {"answer-1": Row("a.", 1, 0.5, 0.5), "answer-10": Row("b.", 3, 4, 120)}


MENTIONING = """
answer-1 is excellent, e.g. answer-2 is not.
- answer-2 is close to answer-1 in easy domains but cheaper. answer-math-1: see answer-2 (or not!).
answer-2 is quick.
"""


def test_an_alias_inside_a_sentence_is_mentioned_there_and_begins_no_other(tools_json):
    one = function(
        "answer", [(alias, "", "$1", "$2", "3s") for alias in ("answer-1", "answer-2", "answer-math-1")]
    )
    model = one["function"]["parameters"]["properties"]["model"]
    table = model["description"].partition(TABLE)[2]
    listed = "['answer-1', 'answer-2', 'answer-math-1']"
    model["description"] = f"Answers. Choices: {listed}{MENTIONING}{TABLE}{table}"
    (read,) = read_functions(tools_json([one]))
    assert {alias: row.ability for alias, row in read.rows.items()} == {
        "answer-1": "is excellent, e.g. answer-2 is not.",
        "answer-2": "is close to answer-1 in easy domains but cheaper. is quick.",
        "answer-math-1": "see answer-2 (or not!).",
    }


def test_a_function_of_another_kind_is_left_out_with_a_note_whatever_its_arguments(tools_json):
    numbers = {"properties": {"a": {"type": "number"}}, "type": "object"}
    other = {"type": "function", "function": {"name": "add", "description": "adds", "parameters": numbers}}
    bare = {"type": "function", "function": {"name": "now"}}
    text, notes = import_tools(tools_json([other, *TOOLS, bare]))
    alone, _ = import_tools(tools_json(TOOLS))
    assert parse_catalog(text) == parse_catalog(alone)
    assert [note.split(" was left out")[0] for note in notes[:2]] == ["add", "now"]


ALONE = function("answer", [("answer-1", "a", "$1", "$2", "3s")])
REFUSED = [
    ("", "line 1, column 1"),
    ("{", "this is not JSON"),
    ("[]", "should be a list"),
    ("{}", "should be a list"),
    ("[1]", "entry 1"),
    ('[{"function": {"name": "answer"}}]', "function.parameters.properties.model.description"),
    ("[" * 100_000, "nested too deeply"),
    ("9" * 5_000, "number that is too long"),
    ([function("answer", [])], "lists no aliases"),
    ([function("search", [("search-1", "a", "$1", "$2", "3s")])], "none of kind 'answer'"),
    ([function("answer", [("reply-1", "a", "$1", "$2", "3s")])], "no model is known for the alias 'reply-1'"),
    ([ALONE, function("search", [("answer-1", "a", "$1", "$2", "3s")])], "'answer-1' twice"),
]


@pytest.mark.parametrize(("tools", "expected"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_is_no_tools_json_is_refused_with_its_place(tools_json, tools, expected):
    path = tools_json(tools)
    with pytest.raises(ConfigError) as caught:
        import_tools(path)
    assert str(path) in str(caught.value) and expected in str(caught.value)


@pytest.mark.parametrize("mapping", ["[]", '{"answer-1": 5}', '{"answer-1": ""}', "nonsense"])
def test_what_is_no_mapping_is_refused(tools_json, mapping):
    with pytest.raises(ConfigError, match=r"mapping\.json"):
        import_tools(tools_json(TOOLS), tools_json(mapping, "mapping.json"))


keys = st.text(st.characters(codec="utf-8"), max_size=8)
scalars = (
    st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | keys
)
lists = st.lists(scalars, max_size=3) | st.lists(st.dictionaries(keys, scalars, max_size=2), max_size=2)
documents = st.recursive(
    st.dictionaries(keys, scalars | lists, max_size=4),
    lambda inner: st.dictionaries(keys, scalars | inner, max_size=4),
    max_leaves=8,
)


@given(documents)
def test_what_is_written_as_toml_reads_back_as_it_was(document):
    assert tomllib.loads(toml_text(document)) == document


def test_a_bundled_catalogue_written_and_read_is_the_same():
    live = load_catalog("live")
    text = toml_text(live.model_dump(mode="json", exclude_none=True, exclude_defaults=True))
    assert parse_catalog(text).hash == live.hash


def test_two_models_of_one_short_name_stay_two(tmp_path):
    rows = [("answer-1", "knows", "$1", "$2", "9s"), ("answer-4", "knows less", "$3", "$4", "9s")]
    path, mapping = tmp_path / "tools.json", tmp_path / "models.json"
    path.write_text(json.dumps([function("answer", rows)]))
    mapping.write_text(json.dumps({"answer-1": "acme/thinker-7b", "answer-4": "other/thinker-7b"}))
    text, _ = import_tools(path, mapping)
    models = parse_catalog(text).models
    ids = {name: model.id for name, model in models.items() if "thinker" in name}
    assert ids == {"thinker-7b": "acme/thinker-7b", "other-thinker-7b": "other/thinker-7b"}
    assert [price.input for name in ids if (price := models[name].price)] == [1, 3]


def test_an_entry_of_the_mapping_that_no_alias_uses_is_noted(tools_json):
    mapping = {"answer-1": "gpt-6", "anwser-4": "gpt-6", "search-9": "gpt-6"}
    _, notes = import_tools(tools_json(TOOLS), tools_json(mapping, "mapping.json"))
    assert [name for name in mapping if any(f"{name!r} is no alias" in note for note in notes)] == [
        *("anwser-4", "search-9")
    ]


def test_a_second_function_of_one_name_does_not_take_the_place_of_the_first(tools_json):
    with pytest.raises(ConfigError, match="two functions answer"):
        import_tools(tools_json([*TOOLS, ALONE]))
