"""The backend of a model in this process: gathering, money and time, cancellation, and rehearsal runs."""

import asyncio
import threading
import time
import weakref
from pathlib import Path

import pytest
import torch

from orchestra_app import Budget, Options, Preference, Settings, Trace, Workspace
from orchestra_app.backends.base import Request, State
from orchestra_app.backends.local import Generated, LocalBackend, LocalModel
from orchestra_app.backends.local.asked import fitting, seed_of
from orchestra_app.backends.local.row import Row, Watch
from orchestra_app.catalogs import bundled
from orchestra_app.catalogs.files import FOLDER
from orchestra_app.core.catalog import Model
from orchestra_app.core.errors import BackendError, BudgetError, ConfigError, ContextError
from orchestra_app.core.message import Message, Offer
from orchestra_app.core.task import Task
from orchestra_app.core.trace import alias_of
from orchestra_app.core.usage import Price
from orchestra_app.orchestrator.prompt import rebuild
from tests.backends.conftest import RecordingPurse, catalog
from tests.tiny_qwen3 import save, tiny_model

SCHEMA = {
    "type": "function",
    "function": {"name": "answer", "parameters": {"type": "object", "properties": {"model": {}}}},
}


class Counted(LocalModel):
    """A local model that writes down how many replies each batch had, and waits at `gate` before each."""

    def __init__(self, model: LocalModel):
        super().__init__(model.model, model.tokenizer, model.name)
        self.batches: list[int] = []
        self.threads: set[int] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()

    def complete(self, rows: list[Row], watch: Watch | None = None) -> list[Generated]:
        self.batches.append(len(rows))
        self.threads.add(threading.get_ident())
        self.begun.set()
        self.gate.wait(20)
        return super().complete(rows, watch)


@pytest.fixture(scope="module")
def model() -> LocalModel:
    torch.set_num_threads(1)
    return tiny_model()


@pytest.fixture
def counted(model) -> Counted:
    return Counted(model)


@pytest.fixture
async def backend(counted):
    made = LocalBackend(lambda: counted)
    yield made
    counted.gate.set()
    await made.close()


def asking(text: str = "What is 2 + 2?", *, seed: int = 0, simulated: bool = False, **fields) -> Request:
    described = catalog().model_copy(update={"simulated": simulated})
    offered = (Offer(tool_schema=SCHEMA, choices={"answer-1": 0.5, "answer-2": 0.5}),)
    state = State(task=Task(id="t", question=text), catalog=described, offered=offered, seed=seed)
    given = {"max_output": 12, "min_output": 4, "tools": (SCHEMA,), "role": "policy", **fields}
    local = given.pop("model", Model(backend="local"))
    messages = (Message(role="user", content=text),)
    return Request(name="tiny", model=local, messages=messages, state=state, **given)


async def test_requests_that_wait_are_gathered_into_batches_worked_off_by_one_thread(backend, counted):
    counted.gate.clear()
    purse = RecordingPurse()
    first = asyncio.create_task(backend.complete(asking(), purse))
    await asyncio.to_thread(counted.begun.wait, 20)
    others = [asyncio.create_task(backend.complete(asking(seed=seed), purse)) for seed in range(20)]
    await asyncio.sleep(0.05)
    counted.gate.set()
    replies = [await task for task in (first, *others)]
    assert counted.batches == [1, 20] and len(counted.threads) == 1
    assert len({reply.tokens.completion_ids for reply in replies}) > 10
    assert len(purse.charges) == 21 and not purse.open


async def test_requests_that_come_together_are_one_batch_and_no_batch_is_too_large(model):
    counted = Counted(model)
    backend = LocalBackend(lambda: counted, batch=8)
    await asyncio.gather(*(backend.complete(asking(seed=seed), RecordingPurse()) for seed in range(20)))
    await backend.close()
    assert counted.batches == [8, 8, 4]


@pytest.mark.parametrize(
    ("lengths", "together"),
    [([], 0), ([40_000], 1), ([40_000] * 2, 1), ([300] * 64, 64), ([16_384] * 9, 4), ([10, 10, 30_000], 2)],
)
def test_long_prompts_go_into_smaller_batches(lengths, together):
    assert fitting(lengths) == together


async def test_one_seed_gives_one_reply_whatever_else_is_asked(backend):
    async def completions(count: int) -> list[tuple[int, ...]]:
        asked = (backend.complete(asking(seed=seed), RecordingPurse()) for seed in range(count))
        return [reply.tokens.completion_ids for reply in await asyncio.gather(*asked)]

    many = await completions(6)
    assert await completions(1) == many[:1] and len(set(many)) > 1


async def test_a_reply_keeps_its_tokens_and_is_booked_exactly(backend, counted):
    purse = RecordingPurse()
    priced = Model(backend="local", price=Price(input=1, output=10))
    pieces: list[str] = []
    reply = await backend.complete(asking(model=priced, on_text=pieces.append), purse)
    (charge,) = purse.charges
    tokens = reply.tokens
    assert tokens is not None and len(tokens.completion_ids) == len(tokens.logprobs) == 12
    assert reply.finish == "length" and pieces[-1] == counted.text(tokens.completion_ids)
    assert (charge.usage.input_tokens, charge.usage.output_tokens) == (len(tokens.prompt_ids), 12)
    assert charge.cost == pytest.approx((len(tokens.prompt_ids) + 120) / 1e6) and not charge.estimated
    assert charge.usage.seconds > 0
    assert purse.uses[0].most.input_tokens == len(tokens.prompt_ids)


async def test_a_reply_is_held_to_what_the_purse_grants(backend):
    reply = await backend.complete(asking(), RecordingPurse(granted=5))
    assert len(reply.tokens.completion_ids) <= 5
    with pytest.raises(BudgetError):
        await backend.complete(asking(), RecordingPurse(most=0))


async def test_a_held_backend_makes_only_calls_on_offer(model):
    backend = LocalBackend(lambda: model, constrained=True)
    requests = [asking(seed=seed, max_output=64, temperature=4.0) for seed in range(20)]
    asked = (backend.complete(request, RecordingPurse()) for request in requests)
    replies = await asyncio.gather(*asked)
    await backend.close()
    calls = [[(call.name, alias_of(call)) for call in reply.calls] for reply in replies]
    assert all(len(made) == 1 for made in calls)
    assert {made[0] for made in calls} == {("answer", "answer-1"), ("answer", "answer-2")}


async def test_simulated_seconds_are_the_usual_ones(backend):
    purse = RecordingPurse()
    await backend.complete(asking(simulated=True, latency=3.5), purse)
    assert purse.charges[0].usage.seconds == 3.5 and purse.uses[0].simulated
    late = RecordingPurse(seconds=2.0)
    with pytest.raises(BackendError, match="allow more seconds"):
        await backend.complete(asking(simulated=True, latency=3.5), late)
    assert len(late.charges) == 1 and not late.open


async def test_a_cancelled_request_settles_and_leaves_the_others_alone(counted):
    backend = LocalBackend(lambda: counted, batch=1)
    counted.gate.clear()
    purses = [RecordingPurse() for _ in range(3)]
    tasks = [asyncio.create_task(backend.complete(asking(seed=3), purse)) for purse in purses]
    await asyncio.to_thread(counted.begun.wait, 20)
    await asyncio.sleep(0.05)
    for task in tasks[:2]:
        task.cancel()
    done = await asyncio.gather(*tasks[:2], return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in done)
    # What had begun is booked at its reservation, what had not at nothing.
    begun, waiting = purses[0].charges[0], purses[1].charges[0]
    assert begun.estimated and begun.usage.output_tokens == 12
    assert not waiting.estimated and waiting.usage.output_tokens == 0
    counted.gate.set()
    assert (await tasks[2]).tokens is not None and counted.batches == [1, 1]
    await backend.close()
    assert not any(purse.open for purse in purses)


async def test_too_little_time_drops_the_reply(backend, counted):
    counted.gate.clear()
    purse = RecordingPurse(seconds=0.05)
    with pytest.raises(BackendError, match="allow more seconds"):
        await backend.complete(asking(), purse)
    assert len(purse.charges) == 1 and not purse.open


async def test_too_little_time_for_loading_the_model_is_said_and_costs_nothing(model):
    def load() -> LocalModel:
        time.sleep(0.4)
        return model

    backend, purse = LocalBackend(load), RecordingPurse()
    late = asking()
    late = late._replace(state=late.state._replace(seconds_left=0.05))
    with pytest.raises(BackendError, match="allow more seconds"):
        await backend.complete(late, purse)
    assert not purse.charges and not purse.open
    assert (await backend.complete(asking(), purse)).tokens is not None
    await backend.close()


async def test_closing_ends_what_is_under_way_with_a_sentence(model):
    counted = Counted(model)
    backend = LocalBackend(lambda: counted)
    counted.gate.clear()
    purse = RecordingPurse()
    tasks = [asyncio.create_task(backend.complete(asking(seed=seed), purse)) for seed in range(3)]
    await asyncio.to_thread(counted.begun.wait, 20)
    closing = asyncio.create_task(backend.close())
    await asyncio.sleep(0.02)
    counted.gate.set()
    await closing
    for task in tasks:
        with pytest.raises(BackendError, match="was closed"):
            await task
    assert len(purse.charges) == 3 and not purse.open


async def test_a_model_that_cannot_be_loaded_is_a_sentence_for_everybody_and_is_tried_again(model):
    tries: list[int] = []

    def load() -> LocalModel:
        tries.append(1)
        if len(tries) < 3:
            raise ConfigError("There is no folder: give the folder of a model.")
        return model

    backend = LocalBackend(load)
    asked = (backend.complete(asking(), RecordingPurse()) for _ in range(2))
    for error in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(error, BackendError) and "give the folder" in str(error)
    assert (await backend.complete(asking(), RecordingPurse())).tokens is not None
    await backend.close()


async def test_a_bug_travels_up_to_everybody_in_the_batch(model):
    def broken(*_: object, **__: object) -> list[Generated]:
        raise ZeroDivisionError

    counted = Counted(model)
    counted.complete = broken
    backend = LocalBackend(lambda: counted)
    purse = RecordingPurse()
    asked = (backend.complete(asking(), purse) for _ in range(3))
    done = await asyncio.gather(*asked, return_exceptions=True)
    await backend.close()
    assert all(isinstance(each, ZeroDivisionError) for each in done) and not purse.open


async def test_an_error_that_is_kept_holds_nothing_of_its_batch(model):
    held = []

    class Full(LocalModel):
        def _decode(self, rows, watch) -> None:
            cache = torch.zeros(8)
            held.append(weakref.ref(cache))
            try:
                raise torch.OutOfMemoryError("CUDA out of memory")
            except torch.OutOfMemoryError as error:
                raise BackendError("The memory does not hold it.") from error

    backend = LocalBackend(lambda: Full(model.model, model.tokenizer))
    with pytest.raises(BackendError, match="The memory") as kept:
        await backend.complete(asking(), RecordingPurse())
    assert kept.value.__cause__ is not None
    assert [each() for each in held] == [None]
    await backend.close()


async def test_a_prompt_beyond_the_catalogues_context_is_a_sentence(backend):
    with pytest.raises(ContextError, match="gives tiny a context of 16"):
        await backend.complete(asking(model=Model(backend="local", context=16)), RecordingPurse())


async def test_a_request_that_does_not_fit_fails_alone_and_before_anything_is_reserved():
    narrow = Counted(tiny_model(context=512))
    backend = LocalBackend(lambda: narrow)
    purses = [RecordingPurse() for _ in range(3)]
    asked = [asking(), asking("How many towns? " * 100), asking(seed=1, max_output=4_096)]
    done = await asyncio.gather(
        *(backend.complete(request, purse) for request, purse in zip(asked, purses, strict=True)),
        return_exceptions=True,
    )
    await backend.close()
    assert isinstance(done[1], ContextError) and "reads and writes 512 at most" in str(done[1])
    assert not purses[1].uses and narrow.batches == [2]
    for reply, purse in ((done[0], purses[0]), (done[2], purses[2])):
        assert not isinstance(reply, BaseException) and len(purse.charges) == 1
    # What is reserved is what the model's own context leaves, not what the catalogue says of it.
    most = purses[2].uses[0].most
    assert most.input_tokens + most.output_tokens == 512


async def test_a_held_reply_that_does_not_fit_fails_alone(model):
    backend = LocalBackend(lambda: model, constrained=True)
    purses = [RecordingPurse(), RecordingPurse(granted=3), RecordingPurse()]
    asked = (backend.complete(asking(max_output=64), purse) for purse in purses)
    done = await asyncio.gather(*asked, return_exceptions=True)
    with pytest.raises(BackendError, match="No legal reply fits into 3 tokens"):
        await backend.complete(asking(max_output=64), RecordingPurse(granted=3))
    await backend.close()
    assert isinstance(done[1], BackendError) and "No legal reply fits into 3 tokens" in str(done[1])
    for reply in (done[0], done[2]):
        assert not isinstance(reply, BaseException) and len(reply.calls) == 1
    assert all(len(purse.charges) == 1 and not purse.open for purse in purses)


@pytest.fixture(scope="module")
def rehearsal_with_tiny(model, tmp_path_factory):
    """The rehearsal's catalogue with a local policy in a folder of its own, as a file."""
    folder = save(model, tmp_path_factory.mktemp("tiny"))
    assert "rehearsal" in bundled()
    text = (FOLDER / "rehearsal.toml").read_text().replace('name = "rehearsal"', 'name = "with-tiny"', 1)
    file = folder / "with-tiny.toml"
    file.write_text(
        f"""{text}
[models.tiny]
backend = "local"
id = "{folder.as_posix()}"
context = 16_384
licence = "made for tests"
options = {{ device = "cpu", constrained = true }}

[policies.tiny]
model = "tiny"
title = "Tiny"
protocol = "packed"
max_output = 80
temperature = 1.0
latency = 0.5
"""
    )
    return str(file)


async def rehearse(workspace: Workspace, seed: int) -> Trace:
    budget = Budget(cost=0.10, seconds=400, turns=6)
    task = workspace.task("What is 6 * 7?", preference=Preference(), budget=budget)
    orchestrator = await workspace.orchestrator(policy="tiny")
    steps = [trace async for _, trace in workspace.rollout(orchestrator, task, Options(seed=seed))]
    return steps[-1]


async def test_a_rehearsal_run_with_a_local_policy_is_simulated_kept_and_the_same_for_one_seed(
    home, rehearsal_with_tiny
):
    workspace = await Workspace.open(Settings(home=home, catalog=rehearsal_with_tiny))
    try:
        (entry,) = [each for each in await workspace.policies() if each.name == "tiny"]
        assert entry.reason is None and entry.licence == "made for tests"
        alone = await rehearse(workspace, 3)
        together = await asyncio.gather(*(rehearse(workspace, seed) for seed in (1, 2, 3, 4)))
        again = together[2]
        assert told(again) == told(alone) and len({str(told(trace)) for trace in together}) > 1
        kept = await workspace.store.get(alone.id)
        assert kept == alone and alone.status == "answered" and alone.seconds > 0
        catalogue = workspace.catalog()
        chosen = [turn for turn in alone.turns if turn.forced is None]
        assert chosen and all(turn.reply.tokens and turn.reply.calls for turn in chosen)
        assert not any(result.error for turn in chosen for result in turn.results)
        for index, turn in enumerate(alone.turns):
            (charge,) = turn.reply.charges or (None,)
            assert charge is None or (charge.simulated and charge.cost == 0 and charge.usage.seconds == 0.5)
            if turn.reply.tokens is not None:
                messages = rebuild(
                    alone, index, catalogue, tokens=workspace.parts().tokens(catalogue.models["tiny"])
                )
                tools = [offer.tool_schema for offer in turn.offered]
                assert turn.reply.tokens.prompt_ids == tuple(tiny_model().prompt_ids(messages, tools))
    finally:
        await workspace.aclose()


def told(trace: Trace) -> object:
    """What two runs of one seed must agree in."""
    return [(turn.reply.calls, turn.reply.at, turn.results) for turn in trace.turns], trace.answer, trace.cost


async def test_a_local_policy_that_is_not_here_cannot_be_chosen_and_says_why(
    home, rehearsal_with_tiny, tmp_path
):
    file = tmp_path / "gone.toml"
    text = Path(rehearsal_with_tiny).read_text()
    folder = text.partition("[models.tiny]")[2].partition('id = "')[2].partition('"')[0]
    file.write_text(text.replace(folder, str(tmp_path / "no where")))
    workspace = await Workspace.open(Settings(home=home, catalog=str(file)))
    try:
        (entry,) = [each for each in await workspace.policies() if each.name == "tiny"]
        assert entry.reason and "give the folder of a model" in entry.reason
        with pytest.raises(ConfigError, match="cannot be used now"):
            await workspace.orchestrator(policy="tiny")
    finally:
        await workspace.aclose()


def test_replacing_the_seed_of_a_state_changes_the_draw():
    request = asking(seed=1)
    other = request._replace(state=request.state._replace(seed=2))
    assert seed_of(request) != seed_of(other) and seed_of(request) == seed_of(asking(seed=1))
