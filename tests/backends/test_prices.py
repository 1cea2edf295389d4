"""A price is the catalogue's, else the listed one of the model's own server, else unknown."""

import subprocess
import sys

import pytest

from orchestra_app.backends.prices import price_of, use_of
from orchestra_app.core.catalog import Model
from orchestra_app.core.usage import Price
from tests.backends.conftest import request as a_request

OPENAI = "https://api.openai.com/v1"
ROUTER = "https://router.huggingface.co/v1"


def test_the_catalogue_comes_first():
    own = Price(input=7, source="mine")
    assert price_of("gpt-5", Model(url=OPENAI, price=own)) is own


def test_a_listed_price_names_its_source_and_keeps_cached_rates():
    price = price_of("best", Model(url=OPENAI, id="gpt-5"))
    assert price is not None and price.source.startswith("genai-prices ")
    assert 0 < (price.cached or 0) < price.input < price.output


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("gpt-5", "http://localhost:8000/v1"),
        ("gpt-5", "https://example.org/v1"),
        ("no-such-model-at-all", OPENAI),
        ("meta-llama/Llama-3.3-70B-Instruct", ROUTER),
        ("meta-llama/Llama-3.3-70B-Instruct:nobody", ROUTER),
        ("", ""),
    ],
)
def test_an_unlisted_price_is_unknown_never_zero(name: str, url: str):
    assert price_of(name, Model(url=url)) is None


def test_the_router_is_priced_by_the_provider_that_the_id_names():
    assert price_of("meta-llama/Llama-3.3-70B-Instruct:together", Model(url=ROUTER)) is not None


def test_a_price_in_tiers_is_the_dearest_that_the_context_can_reach():
    short, long = (price_of("gpt-5.4", Model(url=OPENAI, context=size)) for size in (100_000, 400_000))
    assert short and long and long.input > short.input and long.output > short.output


def test_looking_a_price_up_touches_no_network_and_importing_loads_no_table():
    code = """
import sys
sys.addaudithook(lambda event, _: event.startswith("socket.") and sys.exit(f"used {event}"))
from orchestra_app.backends.prices import price_of
from orchestra_app.core.catalog import Model
assert "genai_prices" not in sys.modules
assert price_of("gpt-5", Model(url="https://api.openai.com/v1")).output > 0
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("context", "most", "least"), [(32_768, 4_096, 256), (1_000, 998, 256), (100, 256, 256)]
)
def test_a_worst_case_is_held_within_the_context_but_not_below_what_makes_sense(
    context: int, most: int, least: int
):
    use = use_of(a_request(Model(context=context, price=Price(input=1))), 6)
    assert (use.most.output_tokens, use.least.output_tokens) == (most, least)
    assert use.most.input_tokens == use.least.input_tokens == 6


def test_a_reply_shorter_than_the_shortest_is_not_stretched():
    use = use_of(a_request(Model(price=Price()), max_output=10), 6)
    assert use.most.output_tokens == use.least.output_tokens == 10
