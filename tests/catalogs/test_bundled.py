"""The bundled catalogues: what they promise about prices, limits and keys."""

import re

import pytest

from orchestra_app.catalogs import bundled, check, load_catalog
from orchestra_app.catalogs.files import FOLDER
from orchestra_app.core.catalog import Choice
from orchestra_app.core.usage import Usage

REAL = ["live", "local"]
PAPER = {
    # alias: its model's id, USD per million tokens in and out, seconds
    "reasoner-1": ("gpt-5", 1.25, 10, 31),
    "reasoner-2": ("gpt-5-mini", 0.25, 2, 25),
    "reasoner-3": ("Qwen/Qwen2.5-Coder-32B-Instruct", 0.8, 0.8, 9),
    "search-1": ("gpt-5", 1.25, 10, 22),
    "search-2": ("gpt-5-mini", 0.25, 2, 16),
    "search-3": ("Qwen/Qwen3-32B", 0.8, 0.8, 8),
    "answer-1": ("gpt-5", 1.25, 10, 96),
    "answer-2": ("gpt-5-mini", 0.25, 2, 27),
    "answer-3": ("meta-llama/Llama-3.3-70B-Instruct", 0.9, 0.9, 15),
    "answer-4": ("Qwen/Qwen3-32B", 0.8, 0.8, 11),
    "answer-math-1": ("Qwen/Qwen2.5-Math-72B-Instruct", 0.9, 0.9, 13),
    "answer-math-2": ("Qwen/Qwen2.5-Math-7B-Instruct", 0.2, 0.2, 9),
}


def test_every_bundled_file_is_a_catalogue_of_its_own_name():
    assert set(REAL) <= set(bundled())
    for name in bundled():
        assert check(name) == []
        assert load_catalog(name).name == name


def test_nothing_that_a_policy_reads_tells_the_changed_rehearsal_from_the_rehearsal():
    changed, before = load_catalog("changed"), load_catalog("rehearsal")
    assert changed.tools == before.tools and changed.sources == before.sources
    skills = {name: model.skills for name, model in before.models.items()}
    restored = {
        name: model.model_copy(update={"skills": skills[name]}) for name, model in changed.models.items()
    }
    assert restored == before.models
    assert {name for name, model in changed.models.items() if model.skills != skills[name]} == {
        "gpt-5",
        "qwen3-32b",
        "llama-70b",
    }


def test_live_has_the_aliases_models_prices_and_latencies_of_the_paper():
    live = load_catalog("live")
    found = {}
    for tool in live.tools.values():
        for alias, choice in tool.choices.items():
            model = live.models[choice.model]
            assert model.price is not None
            found[alias] = (model.id or choice.model, model.price.input, model.price.output, choice.latency)
    assert found == PAPER


def test_a_million_tokens_of_gpt_5_cost_dollars_and_not_tenths_of_them():
    price = load_catalog("live").models["gpt-5"].price
    assert price is not None
    assert price.cost(Usage(input_tokens=1_000_000)) == pytest.approx(1.25)


def test_a_web_search_costs_its_fee_and_that_of_each_document():
    web = load_catalog("live").sources["web"]
    assert web.price.unit == pytest.approx(0.01 + 0.002 * web.top)


@pytest.mark.parametrize("name", REAL)
def test_every_price_and_latency_names_its_source_and_every_price_its_date(name):
    catalog = load_catalog(name)
    prices = [model.price for model in catalog.models.values()]
    prices += [source.price for source in catalog.sources.values() if source.price.unit] + [
        catalog.python.price
    ]
    for price in prices:
        assert price is not None and price.source and re.fullmatch(r"\d{4}-\d\d-\d\d", price.date)
    assert all(choice.latency_source for choice in _choices(name))


@pytest.mark.parametrize("name", REAL)
def test_prompt_and_reply_fit_into_the_context_of_every_model(name):
    models = load_catalog(name).models
    for choice in _choices(name):
        assert choice.max_context + choice.max_output <= models[choice.model].context
        assert choice.max_code <= choice.max_context
        assert choice.min_output <= choice.typical_output <= choice.max_output


@pytest.mark.parametrize("name", REAL)
def test_thinking_is_off_for_qwen3_and_boxes_are_asked_of_qwen_only(name):
    models = load_catalog(name).models
    for choice in _choices(name):
        model = models[choice.model]
        if "Qwen3" in model.id:
            assert model.options == {"chat_template_kwargs": {"enable_thinking": False}}
        assert not choice.boxed or model.vendor == "qwen"


@pytest.mark.parametrize("name", REAL)
def test_the_conductor_is_packed_shows_its_licence_and_fits_its_context(name):
    catalog = load_catalog(name)
    policy = catalog.policies["orchestrator-8b"]
    model = catalog.models[policy.model]
    assert catalog.default_policy == "orchestrator-8b" and policy.protocol == "packed"
    assert "research and development only" in (model.licence or "")
    assert 27_000 + policy.max_output + 1_500 <= model.context
    here = catalog.policies["orchestrator-8b-here"]
    assert here.protocol == "packed" and catalog.models[here.model].licence == model.licence
    others = [other for other in catalog.policies.values() if other not in (policy, here)]
    assert others and all(other.protocol == "chat" for other in others)


def test_own_hardware_needs_no_key_and_no_host_but_this_one():
    local = load_catalog("local")
    served = [model for model in local.models.values() if model.backend != "local"]
    assert not [model for model in served if model.key or "//localhost:" not in model.url]
    assert not [source for source in local.sources.values() if source.key or source.kind != "local"]


def test_live_sends_each_key_only_to_the_host_that_it_belongs_to():
    hosts = {"OPENAI_API_KEY": "https://api.openai.com/v1", "HF_TOKEN": "https://router.huggingface.co/v1"}
    for model in load_catalog("live").models.values():
        assert model.backend == "local" or model.url == hosts.get(model.key or "", "env:ORCHESTRA_POLICY_URL")


@pytest.mark.parametrize("name", REAL)
def test_every_key_that_a_person_may_set_is_explained_at_the_top(name):
    top = (FOLDER / f"{name}.toml").read_text().partition("\nname = ")[0]
    for field in ("vendor", "id", "url", "key", "price", "context", *Choice.model_fields):
        assert field in top or field in ("model", "ability")


def _choices(name: str) -> list[Choice]:
    return [choice for tool in load_catalog(name).tools.values() for choice in tool.choices.values()]


def test_a_changed_copy_of_a_catalogue_has_a_hash_of_its_own():
    catalog = load_catalog("rehearsal")
    known = catalog.hash, catalog.sliders
    copied = catalog.model_copy(update={"models": {}, "tools": {}})
    assert copied.hash != known[0] and copied.sliders != known[1]
    assert catalog.model_copy().hash == known[0]
