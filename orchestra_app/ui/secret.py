"""The secret under which browsers keep what is theirs; it outlives a restart of the server."""

import secrets
from pathlib import Path

from orchestra_app.core.errors import StorageError

NAME = "browser-secret"


def browser_secret(home: Path) -> str:
    """Return the secret kept in the data folder, made at the first start; raises StorageError."""
    path = home / NAME
    try:
        home.mkdir(parents=True, exist_ok=True)
        if path.is_file() and (kept := path.read_text(encoding="ascii").strip()):
            return kept
        made = secrets.token_hex(16)
        path.touch(mode=0o600)
        path.write_text(made, encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise StorageError(
            f"{path} cannot be read or written: make the folder writable, or set ORCHESTRA_HOME to another."
        ) from None
    return made
