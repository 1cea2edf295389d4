"""Who asks and what they ask for: forged requests and forms end with a sentence or with nothing of others."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.catalogs import load_catalog
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.choices import route, unusable
from orchestra_app.ui.pages.ask import FIELDS, validated, wished
from orchestra_app.ui.presets import NAMES, position, preset
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import LOCAL, Door, language, loopback, new_token, token
from orchestra_app.ui.wish import Wish, problems
from orchestra_app.workspace import Workspace

REHEARSAL = load_catalog("rehearsal")
HERE = {"host": "127.0.0.1:7860", "accept-language": "en-GB,en;q=0.9"}
ANYTHING = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.lists(st.text(max_size=5)),
    st.dictionaries(st.text(max_size=5), st.floats(), max_size=2),
)


def request(headers: dict[str, str] | None = None, client: str = "127.0.0.1", name: str | None = None) -> Any:
    session = {"oauth_info": {"userinfo": {"preferred_username": name}}} if name else {}
    inner = SimpleNamespace(scope={"session": session})
    return SimpleNamespace(headers=headers or HERE, client=SimpleNamespace(host=client), request=inner)


@pytest.mark.parametrize(
    ("headers", "client", "served_here"),
    [
        ({"host": "127.0.0.1:7860", "x-forwarded-for": "1.2.3.4"}, "127.0.0.1", True),
        ({"host": "127.0.0.1:7860", "forwarded": "for=1.2.3.4"}, "127.0.0.1", True),
        ({"host": "evil.example:7860"}, "127.0.0.1", True),
        ({"host": "127.0.0.1.evil.example"}, "127.0.0.1", True),
        ({}, "127.0.0.1", True),
        (HERE, "10.0.0.7", True),
        (HERE, "127.0.0.1", False),
    ],
)
def test_only_a_person_at_this_very_machine_is_local(headers: dict[str, str], client: str, served_here: bool):
    asks = request(headers or {"x": "y"}, client)
    found = Door(local=served_here).visitor(asks, new_token())
    assert found.owner.startswith("visitor:")
    assert not found.admin


@pytest.mark.parametrize(
    "sent",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "https://app.hf.space"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
def test_a_page_of_another_site_cannot_act_for_whoever_visits_it(sent: dict[str, str]):
    # The browser sends the cookie of the login along.
    space = {"host": "app.hf.space"}
    boss, here = Door(False, ("boss",)), Door(local=True)
    assert not boss.visitor(request(space | sent, name="boss"), new_token()).owner.startswith("hf:")
    assert not here.visitor(request(HERE | sent), new_token()).admin
    for own in ({}, {"sec-fetch-site": "same-origin"}, {"origin": "https://app.hf.space"}):
        assert boss.visitor(request(space | own, name="boss"), new_token()).admin
    behind = {"host": "10.0.0.3:7860", "x-forwarded-host": "app.hf.space", "origin": "https://app.hf.space"}
    assert boss.visitor(request(behind, name="boss"), new_token()).admin


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "[::1]:7860", "localhost"])
def test_whoever_sits_at_this_machine_is_local_and_admin(host: str):
    found = Door(local=True).visitor(request({"host": host}), None)
    assert (found.owner, found.admin) == (LOCAL, True)


@given(ANYTHING)
def test_no_forged_token_makes_anybody_local_or_somebody_else(stored: Any):
    door = Door(local=False)
    mine = new_token()
    found = door.visitor(request(), stored)
    assert found.owner.startswith("visitor:")
    assert found.owner != door.visitor(request(), mine).owner


def test_one_secret_is_one_owner_and_the_owner_does_not_tell_it():
    door, secret = Door(local=False), new_token()
    first, second = door.visitor(request(), secret), door.visitor(request(), secret)
    assert first.owner == second.owner
    assert secret not in first.owner


def test_a_login_counts_before_the_token_and_makes_an_admin_only_by_the_list():
    door = Door(local=False, admins=("ann",))
    assert door.visitor(request(name="ann"), None).admin
    bob = door.visitor(request(name="bob"), new_token())
    assert (bob.owner, bob.admin) == ("hf:bob", False)


@pytest.mark.parametrize(
    ("accepted", "found"), [("zh-CN,zh;q=0.9", "zh"), ("ZH", "zh"), ("en-US,zh;q=0.5", "en"), ("", "en")]
)
def test_the_language_is_the_browsers_first(accepted: str, found: str):
    assert language(accepted) == found


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.168.0.1", False),
        ("", False),
        ("localhost.evil.example", False),
    ],
)
def test_loopback_addresses_are_told_from_others(host: str, found: bool):
    assert loopback(host) is found


@pytest.mark.parametrize(("stored", "found"), [({"token": "x"}, "x"), ({}, None), (None, None), ("x", None)])
def test_a_browsers_store_of_any_shape_is_read(stored: Any, found: object):
    assert token(stored) == found


def said(wish: Wish) -> list[str]:
    return [problem.sentence(TEXTS["en"]) for problem in problems(wish, REHEARSAL)]


@pytest.mark.parametrize(
    "forged",
    [
        {"weights": ["gpt-5"]},
        {"weights": {"gpt-5": 10**400}},
        {"budget_cost": 10**400},
        {"budget_turns": 10**400},
        {"seed": 10**400},
        {"cost": float("nan")},
    ],
)
def test_values_of_no_sense_that_only_a_program_sends_end_in_a_sentence(forged: dict[str, Any]):
    assert len(said(Wish(question="Why?", **forged))) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"question": ""},
        {"question": "  \n"},
        {"question": None},
        {"question": "x" * 100_000},
        {"question": 7},
        {"weights": {"gpt-5": math.nan}},
        {"weights": {"gpt-5": 1.01}},
        {"weights": {"gpt-5": True}},
        {"weights": {"nobody": 0.5}},
        {"cost": math.inf},
        {"latency": -0.1},
        {"excluded": ["nobody"]},
        {"excluded": [["x"]]},
        {"excluded": "vendor:openai"},
        {"budget_cost": math.nan},
        {"budget_cost": -1},
        {"budget_cost": 1e9},
        {"budget_seconds": 0},
        {"budget_turns": 0},
        {"budget_turns": 1.5},
        {"budget_turns": None},
        {"budget_turns": 201},
        {"seed": -1},
        {"seed": "x"},
        {"soft": "no"},
        {"soft": 1},
        {"soft": None},
    ],
)
def test_what_cannot_be_used_gets_one_sentence(wrong: dict[str, Any]):
    found = said(Wish(**{"question": "Why?", **wrong}))
    assert len(found) == 1
    assert found[0].endswith(".")


@given(st.dictionaries(st.sampled_from(["question", "excluded", "soft", "cost", "seed"]), ANYTHING))
def test_a_forged_form_is_refused_or_makes_a_task(fields: dict[str, Any]):
    wish = Wish(**{"question": "Why?", **fields})
    if not said(wish):
        assert wish.preference.cost == wish.cost
        assert wish.budget.turns == 20


def test_a_wish_that_is_well_formed_has_no_problem():
    wish = Wish(
        "Why?", {"gpt-5": 0.0, "search": 1}, ["vendor:qwen", "answer-1"], True, 1, 0, None, None, 200, 3
    )
    assert said(wish) == []
    assert wish.budget.cost is None


def test_neutral_sliders_are_left_out_so_that_page_and_command_line_make_one_trace():
    assert Wish("Why?", {"gpt-5": 0.5, "search": 0.8}).preference.weights == {"search": 0.8}


def test_each_field_gets_its_own_sentence_and_sliders_none():
    wish = Wish("", {"gpt-5": 2.0}, budget_cost=-1)
    shown = validated(problems(wish, REHEARSAL), TEXTS["en"], 15)
    assert len(shown) == 15
    wrong = [name for name, each in zip(FIELDS, shown, strict=False) if not each["is_valid"]]
    assert wrong == ["question", "budget_cost"]


def test_a_form_becomes_a_wish_in_the_order_of_its_fields():
    wish = wished(["a", "b"], ("Why?", ["x"], True, 0.1, 0.2, 0.3, 4, 5, None, 0.6, 0.7))
    assert wish == Wish("Why?", {"a": 0.6, "b": 0.7}, ["x"], True, 0.1, 0.2, 0.3, 4, 5, 0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("catalog", ["rehearsal", "live", "local"])
def test_every_preset_can_be_asked_with(name: str, catalog: str):
    known = load_catalog(catalog)
    chosen = preset(name, known)
    cost, seconds, turns = chosen.budget
    weights = {each: position(chosen, each) for each in known.sliders}
    wish = Wish("Why?", weights, (), False, chosen.cost, chosen.latency, cost, seconds, turns)
    assert not problems(wish, known)


def test_frugal_likes_cheap_models_and_best_dear_ones():
    frugal, best = preset("frugal", REHEARSAL), preset("best", REHEARSAL)
    assert position(frugal, "gpt-5") < 0.5 < position(best, "gpt-5")
    assert position(frugal, "qwen-math-7b") > 0.5 > position(best, "qwen-math-7b")
    assert frugal.budget[0] < best.budget[0]


def test_a_catalogue_is_unusable_only_where_no_answer_can_be_reached():
    everything = dict.fromkeys(REHEARSAL.models, "It is off.")
    assert unusable(REHEARSAL, everything) == "It is off."
    assert (
        unusable(REHEARSAL, {name: why for name, why in everything.items() if name != "qwen-math-7b"}) is None
    )


@pytest.mark.parametrize("language", TEXTS)
async def test_the_route_line_warns_of_a_budget_that_is_too_small_and_says_why_nothing_can_answer(
    language: str,
):
    texts, workspace = TEXTS[language], await Workspace.open()
    desk = Desk(workspace, Door(local=True))
    short = texts["route_short"].split("{")[0]
    try:
        for wish, warned in (
            (Wish("Why?"), False),
            (Wish("Why?", budget_cost=0), True),
            (Wish("Why?", budget_seconds=1.5), True),
            (Wish("Why?", budget_cost=None, budget_seconds=None), False),
        ):
            line = str(await route(desk, wish, "rehearsal", texts))
            assert (short in line) is warned and ("bad" in line) is warned
        keyless = str(await route(desk, Wish("Why?"), "live", texts))
        assert "API_KEY" in keyless and texts["no_route"] not in keyless
    finally:
        await workspace.aclose()
