"""Language models behind any OpenAI-compatible server: OpenAI, the routers, vLLM, Ollama, LM Studio."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream, DefaultAioHttpClient, Omit

from orchestra_app.backends.base import Request
from orchestra_app.backends.body import body_of
from orchestra_app.backends.failures import Failure, Server, failed_with, failure_of, status_in
from orchestra_app.backends.metering import read_cost, read_usage
from orchestra_app.backends.prices import use_of
from orchestra_app.backends.reading import read_reply, returned_with
from orchestra_app.backends.streaming import Gathered
from orchestra_app.backends.tokens import prompt_tokens
from orchestra_app.core.errors import BackendError, BudgetError, ContextError
from orchestra_app.core.message import Reply
from orchestra_app.core.purse import Purse, Reservation
from orchestra_app.core.usage import Usage

PATH = "/chat/completions"
NO_KEY = "none"
"""What servers that need no key are sent: the client library insists on one."""
CONNECT = 10.0
"""Seconds in which a connection must be made."""
FAILURES = (
    openai.APIError,
    httpx2.InvalidURL,
    aiohttp.ClientError,
    TimeoutError,
    UnicodeError,
    BackendError,
)
"""What an attempt may end with that is no fault of this program."""


class OpenAIBackend:
    """Completes conversations over HTTP in a bounded number of attempts, each reserved and settled.

    keys: gives the API key of an environment variable's name, or None.
    attempts: how often a request is sent at most.
    ceiling: seconds of one attempt at most, whatever the budget allows.
    longest_wait: seconds beyond which a server's Retry-After ends the attempts.
    first_pause: seconds before the second attempt where the server names none, doubled for each further one.

    It keeps one client per server and key, belongs to the event loop that first uses it, and wants `close()`.
    """

    def __init__(
        self,
        keys: Callable[[str], str | None],
        *,
        attempts: int = 3,
        ceiling: float = 600.0,
        longest_wait: float = 30.0,
        first_pause: float = 0.5,
    ):
        self._keys = keys
        self._attempts = attempts
        self._ceiling = ceiling
        self._longest_wait = longest_wait
        self._first_pause = first_pause
        self._clients: dict[tuple[str, str], AsyncOpenAI] = {}

    async def complete(self, request: Request, purse: Purse) -> Reply:
        """Return the reply of the first attempt that gives one.

        Raises BudgetError where the first attempt does not fit, BackendError where no attempt gave a reply,
        as ContextError where the server says that the prompt is too long.
        """
        server = Server.of(request, self._key(request))
        use = use_of(request, await prompt_tokens(request))
        failure = None
        for attempt in range(1, self._attempts + 1):
            try:
                reservation = await purse.reserve(use)
            except BudgetError as error:
                if failure is None:
                    raise
                raise BackendError(f"{failure.sentence} The budget leaves no room to try again.") from error
            reserved_at = time.monotonic()
            outcome = await self._attempt(request, server, reservation, purse)
            if isinstance(outcome, Reply):
                return outcome
            failure = outcome
            pause = self._pause(failure, attempt)
            left = _left(reservation, reserved_at)
            if pause is None or (left is not None and pause >= left):
                raise (ContextError if failure.too_long else BackendError)(failure.sentence)
            if failure.billed:
                # Part of a text may have been shown, so the next one comes whole.
                request = request._replace(on_text=None)
            await asyncio.sleep(pause)
        raise BackendError("No attempt was allowed; set the number of attempts to at least 1.")

    async def close(self) -> None:
        """Close every connection."""
        while self._clients:
            await self._clients.popitem()[1].close()

    async def _attempt(
        self, request: Request, server: Server, reservation: Reservation, purse: Purse
    ) -> Reply | Failure:
        """Send the request once and settle its reservation, whatever comes of it."""
        outcome: Reply | Failure = Failure("The attempt was cancelled.")
        usage, cost = None, None
        started = time.monotonic()
        limit = self._ceiling if reservation.seconds is None else min(reservation.seconds, self._ceiling)
        granted = reservation.granted.output_tokens
        gathered = Gathered(request.on_text) if request.on_text else None
        try:
            client = self._client(request.model.url, server.key)
            async with asyncio.timeout(limit):
                body = await _exchange(client, request, granted, gathered)
            stated = body.get("usage")
            usage, cost = read_usage(stated, time.monotonic() - started, granted), read_cost(stated)
            outcome = _outcome(body, request, server)
        except FAILURES as error:
            outcome = failure_of(error, server, limit)
            if gathered and gathered.begun:
                outcome = replace(outcome, billed=True)
        finally:
            if isinstance(outcome, Failure) and not outcome.billed:
                usage = Usage(seconds=time.monotonic() - started)
            purse.settle(reservation, usage, reported=cost)
        return outcome

    def _pause(self, failure: Failure, attempt: int) -> float | None:
        """Return the seconds before the next attempt, or None where there is to be none."""
        if not failure.again or attempt == self._attempts:
            return None
        if failure.wait is not None:
            return failure.wait if failure.wait <= self._longest_wait else None
        return self._first_pause * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)

    def _key(self, request: Request) -> str:
        """Return the request's API key, empty where its model needs none."""
        variable = request.model.key
        if variable is None:
            return ""
        key = (self._keys(variable) or "").strip()
        if not key:
            raise BackendError(
                f"{request.name} needs an API key; set the environment variable {variable} "
                "or choose another model."
            )
        if not (key.isascii() and key.isprintable()):
            raise BackendError(f"The API key in {variable} holds characters that no key has; set it anew.")
        return key

    def _client(self, url: str, key: str) -> AsyncOpenAI:
        client = self._clients.get((url, key))
        if client is None:
            client = self._clients[url, key] = _connect(
                url, key, httpx2.Timeout(self._ceiling, connect=CONNECT)
            )
        return client


def _connect(url: str, key: str, timeout: httpx2.Timeout) -> AsyncOpenAI:
    """Return a client that sends the given key and nothing that it finds in the environment."""
    absent: Any = Omit()
    return AsyncOpenAI(
        api_key=key or NO_KEY,
        base_url=url,
        max_retries=0,
        timeout=timeout,
        default_headers={"OpenAI-Organization": absent, "OpenAI-Project": absent},
        http_client=DefaultAioHttpClient(timeout=timeout),
    )


async def _exchange(
    client: AsyncOpenAI, request: Request, max_tokens: int, gathered: Gathered | None
) -> dict[str, Any]:
    """Send one request and return the body of its reply; raises BackendError for one that cannot be read.

    gathered: takes the parts of a reply that is to be streamed; None: it comes whole. The response is read as
    plain JSON: building the client's own reply objects takes half of a call's time.
    """
    body = body_of(request, max_tokens)
    if gathered is None:
        response = await client.post(PATH, cast_to=httpx2.Response, body=body)
        try:
            reply = json.loads(response.content)
        except (ValueError, RecursionError) as error:
            raise _unreadable(request) from error
        if not isinstance(reply, dict):
            raise _unreadable(request)
        return reply
    stream = await client.post(PATH, cast_to=object, body=body, stream=True, stream_cls=AsyncStream[object])
    async with stream:
        try:
            async for event in _events(stream, request):
                gathered.add(event)
        except openai.APIConnectionError:
            if not gathered.complete:
                raise
            gathered.usage = None
    if not gathered.complete:
        raise BackendError(f"The stream of {request.name} ended before its reply did; try again.")
    return gathered.body


async def _events(stream: AsyncStream[object], request: Request) -> AsyncIterator[object]:
    try:
        async for event in stream:
            yield event
    except (ValueError, RecursionError) as error:
        raise _unreadable(request) from error


def _outcome(body: dict[str, Any], request: Request, server: Server) -> Reply | Failure:
    """Return the reply in a body, or what the error in its place means."""
    choices = body.get("choices")
    if isinstance(choices, list) and choices:
        if isinstance(choices[0], dict) and (error := choices[0].get("error")):
            # Part of a reply was made, so it may be billed whatever the status.
            return replace(failed_with(status_in(error), error, server, {}), billed=True)
        taken = {call.id for turn in request.state.turns for call in turn.reply.calls}
        reply = read_reply(choices[0], taken, request.tools)
        returned = returned_with(choices[0], reply, request.name)
        return reply.model_copy(update={"returned": returned}) if returned else reply
    if body.get("error"):
        return failed_with(status_in(body["error"]), body["error"], server, {})
    return Failure(str(_unreadable(request)))


def _unreadable(request: Request) -> BackendError:
    return BackendError(
        f"The server of {request.name} sent a reply that cannot be read; check that its url in the catalogue "
        "is that of an OpenAI-compatible API."
    )


def _left(reservation: Reservation, since: float) -> float | None:
    """Return the seconds that remain of a reservation made at `since`; None: without limit."""
    return None if reservation.seconds is None else reservation.seconds - (time.monotonic() - since)
