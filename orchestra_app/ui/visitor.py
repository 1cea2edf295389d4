"""Who is asking: recomputed from every request, because whatever the page sends can be forged."""

import hashlib
import ipaddress
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from orchestra_app.core.errors import ConfigError

LOCAL = "local"
"""The owner on one's own machine, the same as the command line's."""
_TOKEN = re.compile(r"[0-9a-f]{32}")
_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody at the page or the API."""

    owner: str
    """Whose traces they make, label and delete."""
    admin: bool
    language: str
    """`en` or `zh`."""
    page: str = ""
    """The open page that they ask from."""

    @property
    def sees(self) -> str | None:
        """Whose traces they may look at; None: everybody's."""
        return None if self.admin else self.owner


@dataclass(frozen=True, slots=True)
class Door:
    """What is known of the place where the page is served."""

    local: bool
    """True where only this machine can reach it."""
    admins: tuple[str, ...] = ()

    def visitor(self, request: Any, token: object) -> Visitor:
        """Return who sent a Gradio request; `token` is the browser's secret, as made by `new_token`.

        A browser without a token that could be one of ours shares nothing with anybody.
        """
        headers = {
            str(key).lower(): str(value) for key, value in dict(getattr(request, "headers", {})).items()
        }
        tongue = language(headers.get("accept-language", ""))
        page = str(getattr(request, "session_hash", None) or "")
        if not _from_elsewhere(headers):
            if self.local and _at_home(request, headers):
                return Visitor(LOCAL, True, tongue, page)
            if name := signed_in(request):
                return Visitor(f"hf:{name}", name in self.admins, tongue, page)
        secret = token if isinstance(token, str) and _TOKEN.fullmatch(token) else new_token()
        # The owner stands in traces and exports, so it must not tell the secret.
        return Visitor(f"visitor:{hashlib.sha256(secret.encode()).hexdigest()[:24]}", False, tongue, page)


def returned(secret: Any) -> str:
    """Return the secret that a caller got from an earlier call, a new one for none; raises ConfigError."""
    if secret and not (isinstance(secret, str) and _TOKEN.fullmatch(secret)):
        raise ConfigError("`visitor` is no secret of an earlier answer; leave it empty to get one.")
    return secret or new_token()


def new_token() -> str:
    """Return a browser's secret that nobody can guess."""
    return secrets.token_hex(16)


def language(accepted: str) -> str:
    """Return the page's language for an Accept-Language header."""
    return "zh" if accepted.strip().lower().startswith("zh") else "en"


def loopback(host: str | None) -> bool:
    """Return whether an address names this machine only."""
    name = (host or "").strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def signed_in(request: Any) -> str | None:
    """Return the Hugging Face name of a visitor who is logged in."""
    session = getattr(getattr(request, "request", None), "scope", {}).get("session") or {}
    found = session.get("oauth_info", {}) if isinstance(session, Mapping) else {}
    name = found.get("userinfo", {}).get("preferred_username")
    return name if isinstance(name, str) and name else None


def _from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Return whether another site's page sent this: with it a browser sends our cookies all the same."""
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    hosts = (headers.get("host"), headers.get("x-forwarded-host"))
    return origin is not None and urlsplit(origin).netloc not in hosts


def _at_home(request: Any, headers: Mapping[str, str]) -> bool:
    if any(name in headers for name in _FORWARDED):
        return False
    # A page elsewhere whose name was made to point here still sends its own name.
    host = re.sub(r":\d+$", "", headers.get("host", ""))
    client = getattr(getattr(request, "client", None), "host", None)
    return loopback(host) and loopback(client)


def token(stored: Any) -> object:
    """Return the secret that a browser keeps, whatever it sent."""
    return stored.get("token") if isinstance(stored, dict) else None
