"""The small policy: what its planner knows, how its tokenizer reads, and what the shipped weights do."""

import itertools
import re
from contextlib import aclosing
from random import Random

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra_app.backends.baseline import BASELINES
from orchestra_app.backends.local import LocalBackend, LocalModel
from orchestra_app.backends.local.places import ASSETS
from orchestra_app.backends.scripted import Scripted, calling
from orchestra_app.catalogs import load_catalog
from orchestra_app.core.errors import TrainingError
from orchestra_app.core.message import Message, Offer
from orchestra_app.core.task import Preference, Task
from orchestra_app.orchestrator.packed import SYSTEM
from orchestra_app.orchestrator.stop import Stop
from orchestra_app.rehearsal.questions import as_task, questions
from orchestra_app.rehearsal.replies import UNKNOWN_FIGURES
from orchestra_app.rehearsal.typed import typed
from orchestra_app.sandbox import open_sandbox
from orchestra_app.scoring.match import matches
from orchestra_app.training import checkpoint
from orchestra_app.training.definition import Definition
from orchestra_app.training.planner import Planner
from orchestra_app.training.progress import Finished
from orchestra_app.training.recipe_job import run_recipe
from orchestra_app.training.rows import Order, distant_pools, pools
from orchestra_app.training.stage import KnownOutputs, open_stage, roll
from orchestra_app.training.teacher import Prompts
from orchestra_app.training.tokenizer import call_text, make_tokenizer, render, schemas
from orchestra_app.training.wishes import FREE, draw_preference

FOLDER = ASSETS / "policy"
CATALOG = load_catalog("rehearsal")
PROMPT = 60
"""Tokens of the prompt of a question without documents."""


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer(CATALOG)


def _planner(asked):
    """Return a policy that calls what the planner says about these questions."""
    planner, known = Planner(CATALOG), {question.text: question for question in asked}

    def call(request):
        alias = planner.best(request.state, known[request.state.task.question])
        tool, _ = request.state.catalog.choice(alias)
        return calling(tool, {"model": alias})

    return Scripted(call, simulated=True)


async def _right(stage, backend, count: int) -> float:
    """Return the share of right answers to the first train questions."""
    orchestrator = stage.orchestrator(stage.policy("asked", backend))
    asked = [as_task(each, budget=FREE) for each in questions("train")[:count]]
    traces = [await roll(orchestrator, task, seed=3) for task in asked]
    return sum(matches(trace.answer or "", trace.task.answer or "") for trace in traces) / count


async def test_the_planner_answers_more_than_the_rules():
    async with open_stage() as stage:
        taught = await _right(stage, _planner(questions("train")), 120)
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
        asked = (SYSTEM, Message(role="user", content=user))
        found.append(len(tokenizer(render(tokenizer, asked, schemas(CATALOG)))["input_ids"]))
    assert sum(found) / len(found) < PROMPT


@pytest.mark.parametrize("kind", ["sum", "lookup"])
async def test_the_planner_answers_what_people_type(kind):
    asked = [each for each in typed("train") if each.kind == kind][:40]
    async with open_stage() as stage:
        orchestrator = stage.orchestrator(stage.policy("asked", _planner(asked)))
        tools = "enhance_reasoning" if kind == "sum" else "search"
        found = 0
        for question in asked:
            trace = await roll(orchestrator, Task(id="t", question=question.text, budget=FREE), seed=0)
            called = [call.name for _, call, _ in trace.calls]
            assert set(called[:-1]) == {tools} and called[-1] == "answer"
            found += question.gold in (trace.answer or "")
        assert found > 0.9 * len(asked)


async def test_a_better_call_is_taught_more_often_than_a_worse_one():
    async for rows in pools(Order(seed=3, pools=1, first=0, size=64)):
        for row in rows:
            assert [max(shares, key=lambda each: each[1])[0] for shares in row.shares] == row.reply
            assert all(abs(sum(share for _, share in shares) - 1) < 1e-9 for shares in row.shares)


async def test_a_few_steps_lower_the_loss(tokenizer):
    # Loaded here, since torch takes seconds.
    from orchestra_app.training.small import make_model
    from orchestra_app.training.warm import Schedule, warm_up

    model = make_model(tokenizer, seed=1)
    schedule = Schedule(steps=16, batch=12, first_turns=1.0)
    async with (
        aclosing(pools(schedule.order(1))) as found,
        aclosing(warm_up(model, found, schedule, seed=1)) as learning,
    ):
        losses = [learned.loss async for learned in learning]
    assert len(losses) == 16 and sum(losses[-4:]) < 0.8 * sum(losses[:4])


async def test_rows_from_another_process_are_the_same_and_it_ends_with_whoever_reads_them():
    order = Order(seed=5, pools=3, first=1, size=24)
    here = [rows async for rows in pools(order)]
    async with aclosing(distant_pools(order)) as found:
        there = [rows async for rows in found]
    assert there == here
    async with aclosing(distant_pools(Order(seed=5, pools=10_000, first=0, size=24))) as found:
        await anext(found)
        children = [each for each in psutil.Process().children() if "rows" in " ".join(each.cmdline())]
    assert len(children) == 1 and not children[0].is_running()


async def test_a_process_of_rows_that_dies_is_one_clear_sentence():
    order = Order(seed=5, pools=10_000, first=0, size=24)
    async with aclosing(distant_pools(order)) as found:
        await anext(found)
        for child in psutil.Process().children():
            if "rows" in " ".join(child.cmdline()):
                child.kill()
        with pytest.raises(TrainingError, match="ended early"):
            async for _ in found:
                pass


def test_the_lean_forward_pass_is_the_models_own(tokenizer):
    import torch

    from orchestra_app.training.lean import read
    from orchestra_app.training.small import make_model

    model = make_model(tokenizer, seed=2)
    for weights in model.parameters():
        if weights.ndim == 1:
            torch.nn.init.normal_(weights, 1.0, 0.2)
    ids, places = torch.randint(0, 900, (5, 33)), torch.tensor([[3, 4], [20, 31], [0, 1], [7, 9], [32, 5]])
    whole = model.model(input_ids=ids, output_hidden_states=True)
    found = read(model, ids, places)
    torch.testing.assert_close(found.marks, whole.hidden_states[-2])
    torch.testing.assert_close(found.states, whole.last_hidden_state[torch.arange(5)[:, None], places])


async def test_a_program_of_the_rehearsals_own_prints_here_what_the_sandbox_prints(tmp_path):
    asked = [question for question in questions("train") if question.program][:60:4]
    sandbox = open_sandbox(tmp_path)
    known = KnownOutputs(sandbox)
    for question in asked:
        for code in (re.sub(r"(\d+)(?!.*\d)", r"1\1", question.program), UNKNOWN_FIGURES + question.program):
            there, here = await sandbox.run(code), await known.run(code)
            assert (here.stdout, here.status) == (there.stdout, there.status)
    await known.aclose()


def test_the_prompts_of_training_are_those_of_the_chat_template(tokenizer):
    user = Message(role="user", content="Problem: Who founded the Bakor Bridge?\n\n\n\nChoose one.")
    asked = (SYSTEM, user)
    offered = tuple(
        Offer(
            tool_schema=schema,
            choices=dict.fromkeys(CATALOG.tools[schema["function"]["name"]].choices, 0.5),
        )
        for schema in schemas(CATALOG)
    )
    ids, text, starts = Prompts(tokenizer).prompt(asked, offered)
    whole = render(tokenizer, asked, [offer.tool_schema for offer in offered])
    assert ids == tokenizer(whole, add_special_tokens=False)["input_ids"]
    spelt = [text[start:end] for start, end in itertools.pairwise([*starts, len(text)])]
    assert [tokenizer.decode([each]) for each in ids[-len(starts) :]] == spelt


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


def test_sliders_are_drawn_of_a_catalogue_with_very_few():
    tool = CATALOG.tools["answer"]
    (alias, choice), *_ = tool.choices.items()
    few = CATALOG.model_copy(
        update={"tools": {"answer": tool.model_copy(update={"choices": {alias: choice}})}}
    )
    drawn = [draw_preference(Random(seed), few, [(Preference(), 1)]) for seed in range(60)]
    assert 0 < max(len(each.weights) for each in drawn) <= len(few.sliders)


async def test_a_recipe_that_is_stopped_says_so_and_leaves_no_process(tmp_path):
    stop = Stop()
    stop.set()
    events = [event async for event in run_recipe(Definition(kind="recipe"), tmp_path / "job", stop)]
    assert [event.type for event in events] == ["started", "finished"]
    assert isinstance(events[-1], Finished) and events[-1].status == "stopped"
    assert not [child for child in psutil.Process().children() if "rows" in " ".join(child.cmdline())]
