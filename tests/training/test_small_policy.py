"""The small policy: what its planner knows, how its tokenizer reads, and what the shipped weights do."""

from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra_app.backends.baseline import BASELINES
from orchestra_app.backends.local import LocalBackend, LocalModel
from orchestra_app.backends.local.places import ASSETS
from orchestra_app.backends.scripted import Scripted, calling
from orchestra_app.catalogs import load_catalog
from orchestra_app.core.message import Message, Offer
from orchestra_app.core.task import Preference
from orchestra_app.orchestrator.packed import SYSTEM
from orchestra_app.orchestrator.presets import preset
from orchestra_app.rehearsal.questions import as_task, questions
from orchestra_app.scoring.match import matches
from orchestra_app.training import checkpoint
from orchestra_app.training.planner import planned
from orchestra_app.training.recipe import WISHES
from orchestra_app.training.stage import open_stage, roll
from orchestra_app.training.tokenizer import call_text, make_tokenizer, render, schemas
from orchestra_app.training.warm import Prompts, Rehearsals, Schedule, warm_up
from orchestra_app.training.wishes import FREE

FOLDER = ASSETS / "policy"
CATALOG = load_catalog("rehearsal")
PROMPT = 60
"""Tokens of the prompt of a question without documents."""


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer(CATALOG)


def _planner(request):
    alias = planned(request.state)
    tool, _ = request.state.catalog.choice(alias)
    return calling(tool, {"model": alias})


async def _right(stage, backend, count: int) -> float:
    """Return the share of right answers to the first train questions."""
    orchestrator = stage.orchestrator(stage.policy("asked", backend))
    asked = [as_task(each, budget=FREE) for each in questions("train")[:count]]
    traces = [await roll(orchestrator, task, seed=3) for task in asked]
    return sum(matches(trace.answer or "", trace.task.answer or "") for trace in traces) / count


async def test_the_planner_answers_more_than_the_rules():
    async with open_stage() as stage:
        taught = await _right(stage, Scripted(_planner, simulated=True), 120)
        assert taught > await _right(stage, BASELINES["rules"], 120)


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_comes_back_whole_from_the_tokenizer(text, tokenizer):
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


@pytest.mark.parametrize(
    "text", ["谁建立了巴科尔桥？ 第3号", call_text("answer", "answer-1"), "Avoid gpt-5. 🎻\n\n"]
)
def test_chinese_and_its_own_pieces_come_back_whole(text, tokenizer):
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_a_prompt_with_every_alias_is_a_few_dozen_tokens(tokenizer):
    found = []
    for question in questions("heldout")[:60]:
        user = f"Problem: {question.text}\n\n\n\nChoose an appropriate tool."
        asked = (Message(role="system", content=SYSTEM), Message(role="user", content=user))
        found.append(len(tokenizer(render(tokenizer, asked, schemas(CATALOG)))["input_ids"]))
    assert sum(found) / len(found) < PROMPT


async def test_a_few_steps_lower_the_loss(tokenizer):
    # Loaded here, since torch takes seconds.
    from orchestra_app.training.small import make_model

    model = make_model(tokenizer, seed=1)
    async with open_stage() as stage:
        presets = {name: preset(name, stage.catalog) for name in WISHES}
        rows = Rehearsals(stage, Prompts(tokenizer), seed=1, presets=presets)
        schedule = Schedule(steps=16, batch=12, first_turns=1.0)
        async with aclosing(warm_up(model, rows, schedule, seed=1)) as learning:
            losses = [learned.loss async for learned in learning]
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])


def test_the_prompts_of_training_are_those_of_the_chat_template(tokenizer):
    user = Message(role="user", content="Problem: Who founded the Bakor Bridge?\n\n\n\nChoose one.")
    asked = (Message(role="system", content=SYSTEM), user)
    offered = tuple(
        Offer(
            tool_schema=schema,
            choices=dict.fromkeys(CATALOG.tools[schema["function"]["name"]].choices, 0.5),
        )
        for schema in schemas(CATALOG)
    )
    ids, _ = Prompts(tokenizer).prompt(asked, offered)
    whole = render(tokenizer, asked, [offer.tool_schema for offer in offered])
    assert ids == tokenizer(whole, add_special_tokens=False)["input_ids"]


async def test_the_shipped_policy_answers_and_follows_a_slider():
    local = LocalBackend(lambda: LocalModel.load("assets:policy"), constrained=True)
    async with open_stage() as stage:
        assert await _right(stage, local, 60) > 0.75
        policy = stage.policy("small", local)
        wish = Preference(weights={"gpt-5": 0.0}, latency=0.9)
        trace = await roll(
            stage.orchestrator(policy), as_task(questions("train")[4], preference=wish), seed=0
        )
        assert trace.status == "answered" and not trace.violations
        assert all(charge.who != "gpt-5" for charge in trace.charges)
    await local.close()


def test_the_shipped_card_fits_the_shipped_catalogue_and_no_other():
    card = checkpoint.verify(FOLDER)
    assert checkpoint.fits(card, CATALOG) is None
    assert "train it anew" in (checkpoint.fits(card, load_catalog("live")) or "")


def test_what_is_shipped_is_small():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 5 * 2**20
