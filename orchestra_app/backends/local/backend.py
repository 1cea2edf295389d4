"""The backend of one model in this process: requests that wait are gathered into one batch after another."""

import asyncio
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b

from orchestra_app.backends.base import Request
from orchestra_app.backends.local.legal import legal_calls
from orchestra_app.backends.local.model import Generated, LocalModel
from orchestra_app.backends.reading import read_reply
from orchestra_app.core.errors import BackendError, ConfigError, ContextError
from orchestra_app.core.message import Reply, Tokens
from orchestra_app.core.purse import Purse, Reservation, Use
from orchestra_app.core.usage import Price, Usage

FREE = Price(source="this computer")
"""What a model costs here where the catalogue says nothing."""
TEMPERATURE = 1.0
"""Where neither request nor catalogue says: what a policy is trained at."""
MOST_PAIRS = 2**30
"""Pairs of prompt tokens in a batch: its attention mask takes a byte for each."""
LOADING = "Loading the model ...\n"


@dataclass(eq=False)
class _Job:
    """One request that waits for its reply."""

    request: Request
    prompt: list[int]
    legal: list[str] | None
    most: int
    reply: asyncio.Future[Generated]
    started: bool = False
    dropped: bool = False


@dataclass
class _Spent:
    """What becomes of a reservation: by default all of it is booked."""

    usage: Usage | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began


class LocalBackend:
    """Completes conversations with a model of this process, loaded at the first request.

    load: gives the model; called in the worker thread.
    constrained: replies are held to the calls on offer, so that each is a valid one; without it the model
    writes freely, its reasoning included.
    batch: most replies that are generated at once.

    One thread does all the work, one batch at a time. In a simulated catalogue a reply takes the request's
    `latency` of simulated seconds, however long the model really thinks. It wants `close()`.
    """

    def __init__(self, load: Callable[[], LocalModel], *, constrained: bool = False, batch: int = 64):
        self._load = load
        self._constrained = constrained
        self._batch = batch
        self._model: LocalModel | None = None
        self._thread = ThreadPoolExecutor(1, "local-model")
        self._waiting: list[_Job] = []
        self._running: list[_Job] = []
        self._coming = 0
        """Requests that are being prepared and will wait in a moment."""
        self._worker: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()
        self.generating = 0.0
        """Seconds of real time spent generating so far."""

    async def complete(self, request: Request, purse: Purse) -> Reply:
        """Return the model's reply, its tokens and log-probabilities with it; see `Generated`.

        Raises BudgetError where the reply does not fit, BackendError where the model cannot be loaded or
        used, its context is too small, or the seconds that are left run out.
        """
        self._coming += 1
        try:
            prompt, legal = await self._prepared(request)
            reservation = await purse.reserve(_use(request, len(prompt)))
            spent = _Spent()
            job = _Job(request, prompt, legal, reservation.granted.output_tokens, asyncio.Future())
            self._waiting.append(job)
        finally:
            self._coming -= 1
            self._arrived.set()
        try:
            _refuse_if_late(request, reservation)
            self._work()
            generated = await self._generated(job, reservation)
            spent.usage = _usage(job, generated, spent)
        finally:
            job.dropped = True
            if job in self._waiting:
                self._waiting.remove(job)
            if not job.started:
                spent.usage = Usage(seconds=_seconds(request, spent.elapsed))
            charge = purse.settle(reservation, spent.usage)
        return self._reply(job, generated, charge.at + charge.usage.seconds)

    async def close(self) -> None:
        """Drop every reply under way and let the model go."""
        for job in [*self._waiting, *self._running]:
            job.dropped = True
            if not job.reply.done():
                job.reply.set_exception(BackendError("The model was closed before its reply was there."))
        self._waiting.clear()
        if self._worker is not None:
            await asyncio.wait([self._worker])
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        self._model = None
        self._thread = ThreadPoolExecutor(1, "local-model")

    async def _prepared(self, request: Request) -> tuple[list[int], list[str] | None]:
        """Return a request's prompt and the texts that its reply may be; the first one loads the model."""
        if self._model is None and request.on_text is not None:
            request.on_text(LOADING)
        state = request.state
        seconds = None if state.catalog.simulated else state.seconds_left
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.get_running_loop().run_in_executor(self._thread, self._prepare, request)
        except TimeoutError:
            raise _too_late(request.name, seconds) from None
        except ConfigError as error:
            raise BackendError(str(error)) from error

    def _prepare(self, request: Request) -> tuple[list[int], list[str] | None]:
        if self._model is None:
            self._model = self._load()
        model = self._model
        prompt = model.prompt_ids(request.messages, request.tools)
        calls = legal_calls(request.state.offered) if self._constrained else None
        return prompt, None if calls is None else [model.spell(call) for call in calls]

    async def _generated(self, job: _Job, reservation: Reservation) -> Generated:
        simulated = job.request.state.catalog.simulated
        try:
            async with asyncio.timeout(None if simulated else reservation.seconds):
                return await job.reply
        except TimeoutError:
            raise _too_late(job.request.name, reservation.seconds) from None

    def _work(self) -> None:
        if self._worker is None:
            self._arrived = asyncio.Event()
            self._worker = asyncio.create_task(self._work_off())

    async def _work_off(self) -> None:
        """Generate batch after batch until nobody waits."""
        try:
            while self._waiting or self._coming:
                # Whoever is about to wait joins the batch.
                while self._coming and len(self._waiting) < self._batch:
                    self._arrived.clear()
                    await self._arrived.wait()
                lengths = [len(job.prompt) for job in self._waiting[: self._batch]]
                self._running = self._waiting[: fitting(lengths)]
                del self._waiting[: len(self._running)]
                if self._running:
                    await self._answer(self._running)
        finally:
            self._worker = None

    async def _answer(self, jobs: list[_Job]) -> None:
        """Generate one batch and hand the replies out, or what went wrong to everybody in it."""
        for job in jobs:
            job.started = True
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._generate, jobs)
        await asyncio.wait([work])
        error = work.exception()
        cause = error
        while cause is not None:
            # Its frames hold the caches of the whole batch, and whoever waits keeps the error.
            traceback.clear_frames(cause.__traceback__)
            cause = cause.__cause__
        for index, job in enumerate(jobs):
            if job.reply.done():
                continue
            if error is None:
                job.reply.set_result(work.result()[index])
            else:
                job.reply.set_exception(error)

    def _generate(self, jobs: list[_Job]) -> list[Generated]:
        assert self._model is not None
        began = time.monotonic()
        found = self._model.generate(
            [job.prompt for job in jobs],
            most=[job.most for job in jobs],
            temperatures=[_temperature(job.request) for job in jobs],
            seeds=[seed_of(job.request) for job in jobs],
            legal=[job.legal for job in jobs],
            watch=lambda index, _: not jobs[index].dropped,
        )
        self.generating += time.monotonic() - began
        return found

    def _reply(self, job: _Job, generated: Generated, at: float) -> Reply:
        assert self._model is not None
        request = job.request
        text = self._model.text(generated.ids)
        if request.on_text is not None:
            request.on_text(text)
        taken = {call.id for turn in request.state.turns for call in turn.reply.calls}
        finish = "length" if generated.finish == "length" else None
        reply = read_reply({"message": {"content": text}, "finish_reason": finish}, taken)
        tokens = Tokens.model_construct(
            prompt_ids=tuple(job.prompt),
            completion_ids=generated.ids,
            logprobs=generated.logprobs,
            drawn=() if job.legal is None else generated.drawn,
        )
        return reply.model_copy(update={"tokens": tokens, "at": at})


def fitting(lengths: Sequence[int]) -> int:
    """Return how many of the prompts of these lengths go into one batch: at least one where there is any."""
    longest = 0
    for count, length in enumerate(lengths):
        longest = max(longest, length)
        if count and (count + 1) * longest**2 > MOST_PAIRS:
            return count
    return len(lengths)


def seed_of(request: Request) -> int:
    """Return the seed of one reply: equal for equal run seed, question and turn."""
    state = request.state
    key = f"{state.seed}\n{len(state.turns)}\n{request.role}\n{request.alias}\n{state.task.question}"
    return int.from_bytes(blake2b(key.encode(errors="replace"), digest_size=8).digest())


def _use(request: Request, input_tokens: int) -> Use:
    """Return the worst case of a request whose prompt has been counted."""
    room = request.model.context - input_tokens
    if room < 1:
        raise ContextError(
            f"The prompt has {input_tokens:,} tokens, but the catalogue gives {request.name} a context of "
            f"{request.model.context:,}: raise its context, or ask a shorter question."
        )
    most = min(request.max_output, room)
    return Use(
        who=request.name,
        kind=request.kind,
        price=request.model.price or FREE,
        most=Usage(input_tokens=input_tokens, output_tokens=most),
        least=Usage(input_tokens=input_tokens, output_tokens=min(request.min_output, most)),
        simulated=request.state.catalog.simulated,
    )


def _temperature(request: Request) -> float:
    stated = request.model.temperature if request.temperature is None else request.temperature
    return TEMPERATURE if stated is None else stated


def _seconds(request: Request, elapsed: float) -> float:
    """Return the seconds that a reply is booked with: real ones, or the usual ones in simulated time."""
    return (request.latency or 0.0) if request.state.catalog.simulated else elapsed


def _usage(job: _Job, generated: Generated, spent: _Spent) -> Usage:
    return Usage(
        input_tokens=len(job.prompt),
        output_tokens=len(generated.ids),
        seconds=_seconds(job.request, spent.elapsed),
    )


def _refuse_if_late(request: Request, reservation: Reservation) -> None:
    """Raise BackendError where a simulated reply would outlast the seconds that are left."""
    seconds = reservation.seconds
    if request.state.catalog.simulated and seconds is not None and (request.latency or 0.0) > seconds:
        raise _too_late(request.name, seconds)


def _too_late(name: str, seconds: float | None) -> BackendError:
    return BackendError(
        f"{name} was stopped after the {seconds or 0.0:.0f} s that were left: allow more seconds, or choose "
        "a faster model."
    )
