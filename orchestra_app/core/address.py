"""Web addresses that a person writes: whether they can be one."""

from urllib.parse import urlsplit


def server_address(url: str) -> str:
    """Return an http or https address without its closing slash; raises ValueError, the address unnamed."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError
        parts.hostname.encode("idna")
    except ValueError:
        raise ValueError("it is not an http or https address") from None
    if parts.username or parts.password:
        raise ValueError("it contains a name or a password, and addresses are shown")
    return url.rstrip("/")
