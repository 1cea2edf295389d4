"""What a failed attempt means: a sentence for the person, whether to try again, whether it may be billed."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx2
import openai

from orchestra_app.backends.base import Request
from orchestra_app.core.errors import BackendError

BILLABLE = frozenset({408, 409, 499})
"""Client errors that may come after a model has begun to reply."""
HUNG_UP = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
STATUSES = {"rate_limit_exceeded": 429, "insufficient_quota": 429}
"""The HTTP statuses of the codes that OpenAI writes as words."""
TOO_LONG = re.compile(
    r"context[ _](?:length|size|window)|prompt is too long|input is too long", re.IGNORECASE
)
"""What servers say of a prompt that exceeds the context: OpenAI, vLLM, SGLang, llama.cpp and the routers."""
LONGEST_QUOTE = 300
"""Characters that are quoted of a server's own message."""


@dataclass(frozen=True, slots=True)
class Server:
    """The model and its server, as a sentence may name them; `key` is only ever removed from texts."""

    model: str
    host: str
    variable: str | None
    """The environment variable of the key."""
    key: str

    def __repr__(self) -> str:
        return f"Server({self.model!r}, {self.host!r})"

    @classmethod
    def of(cls, request: Request, key: str) -> "Server":
        """Return the server of a request; raises BackendError where its url is no plain web address."""
        model = request.model.id or request.name
        try:
            address = urlsplit(request.model.url)
            host = f"{address.hostname}:{address.port}" if address.port else address.hostname
        except ValueError as error:
            raise BackendError(_no_address(model)) from error
        if not host or address.scheme not in ("http", "https") or "@" in address.netloc:
            raise BackendError(_no_address(model))
        return cls(model, host, request.model.key, key)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt gave no reply."""

    sentence: str
    again: bool = True
    """True where another attempt may succeed."""
    billed: bool = True
    """True where a model may have been at work, so that the attempt may be billed."""
    wait: float | None = None
    """Seconds that the server asks to wait."""
    too_long: bool = False
    """True where the prompt and the tokens of the reply exceed the model's context."""


def failure_of(error: Exception, server: Server, seconds: float) -> Failure:
    """Return what an attempt's error means.

    seconds: what the attempt was given.
    """
    match error:
        case BackendError():
            return Failure(str(error))
        case UnicodeError():
            return Failure(f"{server.host} sent a reply of {server.model} that is no text; check its url.")
        case openai.APIStatusError():
            return failed_with(error.status_code, error.body, server, error.response.headers)
        case _ if _has_cause(error, httpx2.InvalidURL, httpx2.UnsupportedProtocol, aiohttp.InvalidURL):
            return Failure(_no_address(server.model), again=False, billed=False)
        case _ if _has_cause(error, aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return Failure(
                f"{server.host} cannot be reached; check that the server of {server.model} runs and that its "
                "url in the catalogue is right.",
                billed=False,
            )
        # The transport reports a server that hung up as a timeout.
        case TimeoutError() | openai.APITimeoutError() if not _has_cause(error, *HUNG_UP):
            return Failure(
                f"{server.host} gave no complete reply of {server.model} within {seconds:.0f} s; allow more "
                "seconds or choose a faster model."
            )
        case openai.APIError() if not isinstance(error, openai.APIConnectionError):
            return failed_with(status_in(error.body), error.body, server, {})
    return Failure(
        f"{server.host} broke the connection during a reply of {server.model}; try again or check the server."
    )


def failed_with(status: int, body: Any, server: Server, headers: Mapping[str, str]) -> Failure:
    """Return what an error that the server reported means, by its HTTP status."""
    where, words = f"{server.host} (status {status})", _words(body, server.key)
    said = f": {words}" if words else ""
    billed = status >= 500 or status in BILLABLE
    match status:
        case 401 | 403:
            key = f"the key in {server.variable}" if server.variable else "a call without a key"
            sentence = f"{where} refused {key}; check that it is valid and may use {server.model}."
        case 402:
            sentence = f"{where} wants the account to be topped up before it runs {server.model}{said}"
        case 404:
            sentence = f"{where} does not know {server.model}; check its id and url in the catalogue{said}"
        case 429 if "insufficient_quota" in str(body):
            sentence = f"{where} says that the account's quota is used up; top it up or choose another model."
            return Failure(sentence, again=False, billed=False)
        case 429:
            sentence = (
                f"{where} is limiting the calls of {server.model}; wait a while or choose another model."
            )
            return Failure(sentence, billed=False, wait=_wait(headers))
        case _ if billed:
            sentence = f"{where} failed at {server.model}; try again later or choose another model{said}"
            return Failure(sentence, wait=_wait(headers))
        case _ if TOO_LONG.search(str(body)):
            sentence = f"{where} says that the prompt is too long for {server.model}{said}"
            return Failure(sentence, again=False, billed=False, too_long=True)
        case _:
            sentence = f"{where} refused the request; check {server.model} in the catalogue{said}"
    return Failure(sentence, again=False, billed=False)


def status_in(error: Any) -> int:
    """Return the HTTP status that an error inside a reply names, as a number or a word, else 500."""
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, str):
        code = STATUSES.get(code, int(code) if code.isascii() and code.isdigit() and len(code) == 3 else None)
    return code if isinstance(code, int) and 400 <= code <= 599 else 500


def _no_address(model: str) -> str:
    return (
        f"The url of {model} in the catalogue is no plain web address; write it as http://host:port/v1, and "
        "name the environment variable of a password in `key`."
    )


def _has_cause(error: BaseException | None, *kinds: type[BaseException]) -> bool:
    while error is not None:
        if isinstance(error, kinds):
            return True
        error = error.__cause__
    return False


def _words(body: Any, key: str) -> str:
    """Return the server's own message, short, on one line and without the key."""
    if isinstance(body, list) and body:
        # Gemini wraps it so.
        body = body[0]
    if isinstance(body, dict):
        body = next((body[name] for name in ("message", "detail", "error") if body.get(name)), "")
        if isinstance(body, dict):
            body = body.get("message")
    if not isinstance(body, str):
        return ""
    text = body.replace(key, "[key]") if key else body
    return " ".join(text.split())[:LONGEST_QUOTE]


def _wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After asks for, as a number or a date."""
    stated = headers.get("retry-after")
    if stated is None:
        return None
    try:
        return max(0.0, float(stated))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(stated).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
