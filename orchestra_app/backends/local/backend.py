"""The backend of one model in this process: requests that wait are gathered into one batch after another."""

import asyncio
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from orchestra_app.backends.base import Request
from orchestra_app.backends.local.asked import Asked, fitting, seed_of, temperature_of, worst_case
from orchestra_app.backends.local.legal import legal_calls
from orchestra_app.backends.local.model import Generated, LocalModel
from orchestra_app.backends.local.row import Row
from orchestra_app.backends.reading import read_reply
from orchestra_app.core.errors import BackendError, ConfigError
from orchestra_app.core.message import Reply, Tokens, ToolCall
from orchestra_app.core.purse import Purse, Reservation
from orchestra_app.core.usage import Usage

LOADING = "Loading the model ...\n"

_Made = tuple[Generated, ToolCall | None]
"""A reply, and the call that it was held to."""


@dataclass(eq=False)
class _Job:
    """One request that waits for its reply."""

    request: Request
    asked: Asked
    most: int
    reply: asyncio.Future[_Made]
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
            asked = await self._prepared(request)
            reservation = await purse.reserve(worst_case(request, asked))
            spent = _Spent()
            job = _Job(request, asked, reservation.granted.output_tokens, asyncio.Future())
            self._waiting.append(job)
        finally:
            self._coming -= 1
            self._arrived.set()
        try:
            _refuse_if_late(request, reservation)
            self._work()
            generated, call = await self._generated(job, reservation)
            spent.usage = _usage(job, generated, spent)
        finally:
            job.dropped = True
            if job in self._waiting:
                self._waiting.remove(job)
            if not job.started:
                spent.usage = Usage(seconds=_seconds(request, spent.elapsed))
            charge = purse.settle(reservation, spent.usage)
        return self._reply(job, generated, call, charge.at + charge.usage.seconds)

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

    async def _prepared(self, request: Request) -> Asked:
        """Return a request as the model takes it; the first one loads the model."""
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

    def _prepare(self, request: Request) -> Asked:
        if self._model is None:
            self._model = self._load()
        model = self._model
        calls = legal_calls(request.state.offered) if self._constrained else None
        if calls is None and request.tools and model.unreadable:
            raise ConfigError(model.unreadable)
        prompt = model.prompt_ids(request.messages, request.tools)
        legal = None if calls is None else {model.spell(call): call for call in calls}
        return Asked(prompt, legal, model.room(prompt))

    async def _generated(self, job: _Job, reservation: Reservation) -> _Made:
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
                lengths = [len(job.asked.prompt) for job in self._waiting[: self._batch]]
                self._running = self._waiting[: fitting(lengths)]
                del self._waiting[: len(self._running)]
                if self._running:
                    await self._answer(self._running)
        finally:
            self._worker = None

    async def _answer(self, jobs: list[_Job]) -> None:
        """Generate one batch and hand the replies out, or to everybody what went wrong with the batch."""
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
            found = work.result()[index] if error is None else error
            if isinstance(found, BaseException):
                job.reply.set_exception(found)
            else:
                job.reply.set_result(found)

    def _generate(self, jobs: list[_Job]) -> list[_Made | BackendError]:
        assert self._model is not None
        began = time.monotonic()
        rows = [_row(self._model, job) for job in jobs]
        fit = [row for row in rows if isinstance(row, Row)]
        asking = [job for job, row in zip(jobs, rows, strict=True) if isinstance(row, Row)]
        done = iter(self._model.complete(fit, lambda index, _: not asking[index].dropped))
        found = [
            row if isinstance(row, BackendError) else _made(self._model, job, next(done))
            for job, row in zip(jobs, rows, strict=True)
        ]
        self.generating += time.monotonic() - began
        return found

    def _reply(self, job: _Job, generated: Generated, call: ToolCall | None, at: float) -> Reply:
        assert self._model is not None
        request = job.request
        text = self._model.text(generated.ids)
        if request.on_text is not None:
            request.on_text(text)
        taken = {call.id for turn in request.state.turns for call in turn.reply.calls}
        message = {"content": text} if call is None else {"tool_calls": [{"function": call.model_dump()}]}
        reply = read_reply({"message": message, "finish_reason": generated.finish}, taken, request.tools)
        tokens = Tokens.model_construct(
            prompt_ids=tuple(job.asked.prompt),
            completion_ids=generated.ids,
            logprobs=generated.logprobs,
            drawn=() if job.asked.legal is None else generated.drawn,
        )
        return reply.model_copy(update={"tokens": tokens, "at": at})


def _seconds(request: Request, elapsed: float) -> float:
    """Return the seconds that a reply is booked with: real ones, or the usual ones in simulated time."""
    return (request.latency or 0.0) if request.state.catalog.simulated else elapsed


def _usage(job: _Job, generated: Generated, spent: _Spent) -> Usage:
    return Usage(
        input_tokens=len(job.asked.prompt),
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


def _row(model: LocalModel, job: _Job) -> Row | BackendError:
    """Return a request's reply to be completed, or why there can be none."""
    request, asked = job.request, job.asked
    try:
        return model.row(
            asked.prompt,
            most=job.most,
            temperature=temperature_of(request),
            seed=seed_of(request),
            legal=None if asked.legal is None else list(asked.legal),
        )
    except BackendError as error:
        return error.with_traceback(None)


def _made(model: LocalModel, job: _Job, reply: Generated) -> _Made:
    """Return a reply with the call that it is; with None where it is free, or was dropped on its way."""
    legal = job.asked.legal or {}
    return reply, next((call for text, call in legal.items() if model.reply_ids(text) == reply.ids), None)
