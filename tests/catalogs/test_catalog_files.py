"""Catalogue files: a bad one is refused with its line, its key and what was expected."""

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.catalogs import check, load_catalog, parse_catalog
from orchestra_app.catalogs.files import MOST_BYTES
from orchestra_app.catalogs.lines import line_of
from orchestra_app.core.errors import ConfigError

GOOD = """\
name = "mine"
title = "Mine"

# a comment
[models.gpt-5]
key = "OPENAI_API_KEY"
price = { input = 1.25, output = 10.0 }

[models."qwen2.5"]
options = { stop = [
  "one", # with ] and }
  "two",
] }
[models."qwen2.5".price]
input = 0.8

[tools.search]
kind = "search"
title = "Search"
description = \"\"\"
[models.not-a-table]
key = "not a key"
\"\"\"
sources = ["web"]
[tools.search.choices]
search-1 = { model = "gpt-5", latency = 22 }

[tools.answer]
kind = "answer"
title = "Answer"
description = "Ends it."
[tools.answer.choices."answer-2.5"]
model = "qwen2.5"
latency = 11

[sources.web]
kind = "tavily"
title = "Web"
key = "TAVILY_API_KEY"

[policies.gpt-5]
model = "gpt-5"
"""

BAD = [
    # title, text to replace, its replacement, line, key, what is expected
    (
        "unknown key",
        "price = { input",
        "price = { imput",
        7,
        "models.gpt-5.price.imput",
        "did you mean `input`",
    ),
    ("unknown table", "[policies.gpt-5]", "[policy.gpt-5]", 41, "policy", "did you mean `policies`"),
    (
        "unknown key without a like",
        'kind = "answer"',
        'kind = "answer"\nzzz = 1',
        30,
        "tools.answer.zzz",
        "choices",
    ),
    ("wrong type", "input = 0.8", 'input = "cheap"', 15, "models.qwen2.5.price.input", "valid number"),
    (
        "table expected",
        "price = { input = 1.25, output = 10.0 }",
        "price = 3",
        7,
        "models.gpt-5.price",
        "table",
    ),
    (
        "negative price",
        "input = 1.25",
        "input = -1.25",
        7,
        "models.gpt-5.price.input",
        "greater than or equal to 0",
    ),
    ("nan", "input = 0.8", "input = nan", 15, "models.qwen2.5.price.input", "finite"),
    ("inf", "output = 10.0", "output = inf", 7, "models.gpt-5.price.output", "finite"),
    (
        "negative latency",
        "latency = 11",
        "latency = -11",
        34,
        "tools.answer.choices.answer-2.5",
        "greater than 0",
    ),
    ("missing key", "latency = 11\n", "", 32, "tools.answer.choices.answer-2.5.latency", "is missing"),
    ("missing title", 'title = "Mine"\n', "", 1, "title", "is missing"),
    ("unknown kind", 'kind = "tavily"', 'kind = "bing"', 37, "sources.web.kind", "'local' or 'tavily'"),
    (
        "unknown model",
        'model = "qwen2.5"',
        'model = "qwen"',
        33,
        "answer-2.5.model names 'qwen'",
        "not in [models]",
    ),
    (
        "unknown source",
        'sources = ["web"]',
        'sources = ["wed"]',
        24,
        "tools.search.sources",
        "not in [sources]",
    ),
    ("no answer", 'kind = "answer"', 'kind = "reason"', 17, "tools", "none of kind 'answer'"),
    ("alias twice", '"answer-2.5"', '"search-1"', 32, "search-1", "twice"),
    ("unknown default", "# a comment", 'default_policy = "x"', 4, "default_policy", "one of gpt-5"),
    ("the key itself", '"OPENAI_API_KEY"', '"sk-hunter22"', 6, "models.gpt-5.key", "never the key itself"),
    ("a key that is no text", '"OPENAI_API_KEY"', "22_22", 6, "models.gpt-5.key", "string"),
    ("no address", 'key = "OPENAI_API_KEY"', 'url = "localhost"', 6, "models.gpt-5.url", "http"),
    ("a password", 'key = "OPENAI_API_KEY"', 'url = "http://a:b@c/"', 6, "models.gpt-5.url", "http"),
    (
        "a simulated model among real ones",
        'key = "OPENAI_API_KEY"',
        'backend = "simulated"',
        6,
        "models.gpt-5.backend",
        "simulated = true",
    ),
    (
        "no tokenizer",
        'key = "OPENAI_API_KEY"',
        'tokenizer = "/nowhere/tokenizer.json"',
        6,
        "models.gpt-5.tokenizer",
        "is no file",
    ),
    ("no port", 'key = "OPENAI_API_KEY"', 'url = "http://a:80001/v1"', 6, "models.gpt-5.url", "http"),
    ("no host", 'key = "OPENAI_API_KEY"', 'url = "http://.a.com/v1"', 6, "models.gpt-5.url", "http"),
    ("half an address", 'key = "OPENAI_API_KEY"', 'url = "http://[::1/v1"', 6, "models.gpt-5.url", "http"),
    ("a text as price", "input = 0.8", 'input = "0.8"', 15, "models.qwen2.5.price.input", "number"),
    ("true as price", "input = 0.8", "input = true", 15, "models.qwen2.5.price.input", "number"),
    ("no alias", '"answer-2.5"', '""', 32, "tools.answer.choices", "have a name"),
    ("a key as address", 'key = "OPENAI_API_KEY"', 'url = "env:HF_TOKEN"', 6, "models.gpt-5.url", "env:"),
    ("a key as id", 'key = "OPENAI_API_KEY"', 'id = "env:HF_TOKEN"', 6, "models.gpt-5.id", "env:NAME_MODEL"),
    ("no JSON", '"two",', "2026-01-01,", 10, "models.qwen2.5.options", "text, finite numbers"),
    ("no JSON number", '"two",', "nan,", 10, "models.qwen2.5.options", "finite numbers"),
    (
        "limits crossed",
        "latency = 11",
        "latency = 1\nmax_output = 9",
        32,
        "answer-2.5.min_output",
        "at most max_output (9)",
    ),
    (
        "no room",
        "latency = 11",
        "latency = 1\nmax_output = 32768",
        35,
        "answer-2.5.max_output",
        "below the context",
    ),
    (
        "two things of one name",
        "[sources.web]",
        "[sources.search]",
        24,
        "tools.search.sources",
        "not in [sources]",
    ),
    ("a bad name", 'name = "mine"', 'name = "Mine!"', 1, "name", "match pattern"),
    ("no TOML", "[models.gpt-5]", "[models.gpt-5", 5, "", "column 14"),
    ("no value", "input = 0.8", "input =", 15, "", "not TOML"),
    ("key twice", 'key = "OPENAI_API_KEY"', 'key = "A"\nkey = "B"', 7, "", "overwrite"),
    ("table twice", "[sources.web]", "[models.gpt-5]", 36, "", "declare"),
]


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "expected"), [r[1:] for r in BAD], ids=[r[0] for r in BAD]
)
def test_a_mistake_is_said_with_its_line_its_key_and_what_is_expected(
    tmp_path, old, new, line, key, expected
):
    assert old in GOOD
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load_catalog(path)
    said = str(caught.value)
    assert (
        said.startswith((f"{path}, line {line}:", f"{path}, line {line},"))
        and key in said
        and expected in said
    ), said
    assert "hunter22" not in said and "22_22" not in said and "2222" not in said
    assert check(path)[0] == said.splitlines()[0]


@pytest.mark.parametrize(("old", "new", "line"), [row[1:4] for row in BAD[:4]])
def test_a_file_with_the_line_ends_of_windows_has_its_mistakes_on_the_same_lines(tmp_path, old, new, line):
    file = tmp_path / "mine.toml"
    file.write_bytes(GOOD.replace(old, new, 1).replace("\n", "\r\n").encode())
    (problem,) = check(file)
    assert problem.startswith(f"{file}, line {line}:")


def test_a_simulated_catalogue_names_nothing_that_costs_real_money(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace('name = "mine"', 'name = "mine"\nsimulated = true', 1))
    said = " ".join(check(path))
    assert "should be 'simulated' where the catalogue is simulated" in said
    assert "should be 'local' where the catalogue is simulated" in said


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ("[" * 99_999, "is no JSON"),
        ("[1]", "says nothing"),
        ("{}", "says nothing"),
    ],
)
def test_a_file_that_is_no_tokenizer_is_refused_with_its_key(tmp_path, content, expected):
    path, tokenizer = tmp_path / "mine.toml", tmp_path / "tokenizer.json"
    tokenizer.write_text(content)
    path.write_text(GOOD.replace("[models.gpt-5]", f'[models.gpt-5]\ntokenizer = "{tokenizer}"', 1))
    (said,) = check(path)
    assert said.startswith(f"{path}, line 6: `models.gpt-5.tokenizer`") and expected in said
    tokenizer.write_text('{"model": {}}')
    assert check(path) == []


def test_only_a_simulated_catalogue_has_simulated_models(tmp_path):
    path = tmp_path / "mix.toml"
    path.write_text('extends = "rehearsal"\nname = "mix"\nsimulated = false\n[models.gpt-5]\nvendor = "x"\n')
    said = check(path)
    assert any(
        each.startswith(f"{path}, line 4: `models.gpt-5.backend` can be 'simulated' only") for each in said
    ), said
    assert len(said) == sum(m.backend == "simulated" for m in load_catalog("rehearsal").models.values())


def test_a_catalogue_is_laid_over_the_one_that_it_extends(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('extends = "rehearsal"\nname = "mine"\n[models.gpt-5.price]\noutput = 12.0\n')
    mine, below = load_catalog(path), load_catalog("rehearsal")
    price = below.models["gpt-5"].price
    assert price is not None and mine.models["gpt-5"].price == price.model_copy(update={"output": 12.0})
    assert mine.name == "mine" and mine.tools == below.tools and mine.title == below.title


@pytest.mark.parametrize("name", ["nowhere", "../rehearsal", "changed"])
def test_only_a_whole_catalogue_that_comes_with_the_program_can_be_extended(tmp_path, name):
    path = tmp_path / "mine.toml"
    path.write_text(f'name = "mine"\nextends = "{name}"\n')
    assert check(path)[0].startswith(f"{path}, line 2: `extends` names")


def test_the_same_file_without_the_mistakes_is_a_catalogue(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert check(path) == []
    assert load_catalog(path).name == load_catalog(str(path)).name == "mine"


def test_every_mistake_is_listed_in_the_order_of_the_lines_and_a_message_stops_at_five():
    text = GOOD + "".join(f"[models.m{i}]\nwrong = 1\n" for i in range(9))
    with pytest.raises(ConfigError) as caught:
        parse_catalog(text.replace("latency = 11", "latency = 0"))
    lines = str(caught.value).splitlines()
    assert len(lines) == 6 and "line 34" in lines[0] and "line 44" in lines[1] and "5 more" in lines[-1]


def test_names_that_share_a_slider_are_refused():
    with pytest.raises(ConfigError, match=r"line 36: `sources.answer` should be named unlike every tool"):
        parse_catalog(GOOD.replace("[sources.web]", "[sources.answer]").replace('["web"]', '["answer"]'))


@pytest.mark.parametrize("name", ["my answer!", "antwort-ä", "a" * 65, "a.b"])
def test_a_tool_has_a_name_that_servers_take(name):
    with pytest.raises(
        ConfigError, match=r"line 28: `tools\..*` should have 1 to 64 letters, digits, _ or -"
    ):
        parse_catalog(GOOD.replace("[tools.answer", f'[tools."{name}"'))
    assert parse_catalog(GOOD.replace("[tools.answer", f"[tools.{'a' * 64}")).tools["a" * 64]


UNREADABLE = {
    "empty.toml": (b"", "is empty"),
    "comment.toml": (b"# nothing\n", "is empty"),
    "binary.toml": (b"name = 1\n\x00\xff\xfe\x80", "line 2: this is no UTF-8 text"),
    "zeros.toml": (b"\x00" * 100, "not TOML"),
    "huge.toml": (b"#" * (MOST_BYTES + 1), "bytes"),
    "deep.toml": (b"a = " + b"[" * 50_000, "nested too deeply"),
    "long.toml": (b"a = " + b"9" * 5_000, "number that is too long"),
    "json.toml": (b'{"name": "mine"}', "line 1"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_catalogue_is_refused_in_a_sentence(tmp_path, name):
    content, expected = UNREADABLE[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_catalog(path)
    assert str(path) in str(caught.value) and expected in str(caught.value)
    assert check(path) == [str(caught.value)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("missing.toml", "There is no catalogue"),
        ("", "is not a file"),
        ("x\0y", "There is no catalogue"),
        ("x" * 5_000, "There is no catalogue"),
        ("/dev/zero", "is not a file"),
        ("Live", "name one of rehearsal"),
    ],
)
def test_what_is_not_there_is_said_with_what_there_is(tmp_path, monkeypatch, name, expected):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=expected):
        load_catalog(name)
    assert len(check(name)) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_said_so(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_catalog(path)


@given(
    st.text(max_size=300) | st.builds("".join, st.lists(st.sampled_from(list('[]{}=".\n#a1 ')), max_size=60))
)
def test_any_text_is_a_catalogue_or_a_config_error(text):
    with pytest.raises(ConfigError):
        parse_catalog(text)


@given(st.integers(0, GOOD.count("\n") - 1))
def test_a_file_that_lost_a_line_is_read_or_refused_and_never_crashes(dropped):
    lines = GOOD.splitlines()
    text = "\n".join(lines[:dropped] + lines[dropped + 1 :])
    try:
        parse_catalog(text)
    except ConfigError as error:
        assert ", line " in str(error)


def test_the_line_of_every_key_of_a_bundled_catalogue_holds_that_key():
    path = Path(load_catalog.__code__.co_filename).parent / "live.toml"
    text = path.read_text()
    lines = text.split("\n")
    document = tomllib.loads(text)
    for table in ("models", "sources", "policies"):
        for name, entry in document[table].items():
            assert name in lines[line_of(text, (table, name)) - 1]
            for key in entry:
                assert lines[line_of(text, (table, name, key)) - 1].startswith(f"{key} = ")
