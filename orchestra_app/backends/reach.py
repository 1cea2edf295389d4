"""Whether a model can be reached: its key is set, or its server answers."""

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from orchestra_app.backends.local.options import obstacle_to
from orchestra_app.core.catalog import Model

PROBE_SECONDS = 1.5
KEPT_SECONDS = 30.0
"""How long a server's answer is believed."""

_known: dict[str, tuple[float, str | None]] = {}


async def obstacle(name: str, model: Model, key: Callable[[str], str | None]) -> str | None:
    """Return why a model cannot be used now, as a sentence that says what to do; None where it can.

    A model with a key is believed to be there, so that opening the page asks no provider anything.
    """
    if model.backend == "simulated":
        return None
    if model.backend == "local":
        return obstacle_to(name, model)
    if model.key and not key(model.key):
        return f"{name} needs an API key: set {model.key}."
    if not model.url or model.url.startswith("env:"):
        return f"{name} needs the address of its server: set {model.url.removeprefix('env:')}."
    return None if model.key else await _silent(model.url)


async def _silent(url: str) -> str | None:
    at, reason = _known.get(url, (-KEPT_SECONDS, None))
    if time.monotonic() - at < KEPT_SECONDS:
        return reason
    # Loaded only where a server is asked, since it takes a fifth of a second to load.
    import aiohttp

    reason = None
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PROBE_SECONDS)) as session,
            session.get(f"{url.rstrip('/')}/models") as response,
        ):
            if response.status >= 500:
                reason = f"The server at {_host(url)} answers with status {response.status}: look at its log."
    except (TimeoutError, aiohttp.ClientError, OSError, UnicodeError):
        reason = f"No server answers at {_host(url)}: start it, or correct its address."
    _known[url] = (time.monotonic(), reason)
    return reason


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
