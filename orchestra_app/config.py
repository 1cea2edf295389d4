"""Settings from the environment, and what keeps keys out of texts and logs."""

import difflib
import logging
import math
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from platformdirs import user_data_dir
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from orchestra_app.core.address import server_address
from orchestra_app.core.errors import ConfigError

PREFIX = "ORCHESTRA_"
SAME_KEY = (("TAVILY_API_KEY", "TAVILY_KEY"), ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"))
"""Names under which providers look for one and the same key; the first that is set counts."""


def _amount(value: object) -> float:
    try:
        amount = float(str(value))
    except ValueError:
        raise ValueError("it is not a number") from None
    if not math.isfinite(amount) or amount <= 0:
        raise ValueError("it is not a finite amount above 0")
    return amount


def _names(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(name.strip() for name in value.split(",") if name.strip())


Amount = Annotated[float, BeforeValidator(_amount)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]


class Settings(BaseSettings):
    """What the person who starts the program decides; each field is the variable `ORCHESTRA_<FIELD>`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    home: Path = Field(default_factory=lambda: Path(user_data_dir("orchestra", appauthor=False)))
    """Folder for the database, indexes and checkpoints."""
    catalog: str = "rehearsal"
    """Name of a bundled catalogue, or the path of a TOML file."""
    database_url: SecretStr | None = None
    """Address of a PostgreSQL or SQLite database; None: SQLite in `home`. See `database`."""
    policy_url: str | None = None
    """Base address of the server of Orchestrator-8B, such as http://gpu:8000/v1."""
    policy_model: str = "nvidia/Orchestrator-8B"
    """The policy's name at that server."""
    daily_cap: Amount | None = None
    """USD that the whole installation may spend in a day."""
    visitor_cap: Amount | None = None
    """USD that one visitor may spend in a day."""
    admins: Names = ()
    """Hugging Face names of the people who may administer a public installation."""

    @field_validator("home")
    @classmethod
    def _folder(cls, value: Path) -> Path:
        try:
            home = value.expanduser().absolute()
            if home.exists() and not home.is_dir():
                raise ValueError("it names something that is not a folder")
        except (OSError, RuntimeError):
            raise ValueError("the folder cannot be reached") from None
        return home

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(
            r"(postgres(ql(\+psycopg)?)?|sqlite)://", value.get_secret_value()
        ):
            raise ValueError("it is not the address of a database that is supported")
        return value

    @field_validator("policy_url")
    @classmethod
    def _server(cls, value: str | None) -> str | None:
        return None if value is None else server_address(value)

    @property
    def database(self) -> str:
        """What `storage` opens: `home`, or the database's address with its password, never to be shown."""
        return self.database_url.get_secret_value() if self.database_url else str(self.home)

    def expand(self, text: str) -> str | None:
        """Return a catalogue's text, or for `env:NAME` what that variable holds; None where it is not set.

        NAME ends in _URL or _MODEL, so that a catalogue cannot make a key part of an address.
        """
        if not text.startswith("env:"):
            return text
        name = text.removeprefix("env:")
        if not re.fullmatch(ENVIRONMENT_NAME, name):
            raise ConfigError(f"`{text}` is no variable of an address; its name must end in _URL or _MODEL.")
        match name:
            case "ORCHESTRA_POLICY_URL":
                return self.policy_url
            case "ORCHESTRA_POLICY_MODEL":
                return self.policy_model
            case _:
                return _of_variable(name)


def _of_variable(name: str) -> str | None:
    value = os.environ.get(name, "").strip() or None
    if value is None or not name.endswith("_URL"):
        return value
    try:
        return server_address(value)
    except ValueError as error:
        raise ConfigError(
            f"{name} cannot be used: {error}. Set it to {_EXPECTED['policy_url']}, or unset it."
        ) from None


ENVIRONMENT_NAME = r"[A-Z][A-Z0-9_]*_(URL|MODEL)"
_EXPECTED = {
    "home": "the path of a folder",
    "catalog": "a bundled catalogue's name or the path of a TOML file",
    "database_url": "an address such as postgresql://user@host/name or sqlite:////path/file.db",
    "policy_url": "the address of an OpenAI-compatible server such as http://localhost:8000/v1",
    "policy_model": "the model's name at that server",
    "daily_cap": "an amount in USD such as 5",
    "visitor_cap": "an amount in USD such as 0.50",
    "admins": "names separated by commas",
}


def load_settings() -> Settings:
    """Read the environment; raises ConfigError that names the variable and what it should be."""
    _refuse_misspelt(os.environ)
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
    field = str(first["loc"][0])
    reason = first["msg"].removeprefix("Value error, ")
    raise ConfigError(
        f"{PREFIX}{field.upper()} cannot be used: {reason}. Set it to {_EXPECTED[field]}, or unset it."
    )


def _refuse_misspelt(environment: Mapping[str, str]) -> None:
    """Raise where a variable is nearly one of ours: a misspelt cap would be no cap."""
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    for name in environment:
        ours = name.upper().startswith(PREFIX) and not re.fullmatch(ENVIRONMENT_NAME, name)
        if ours and name.upper() not in known and (near := difflib.get_close_matches(name, known, 1, 0.85)):
            raise ConfigError(f"{name} is no setting; did you mean {near[0]}? Rename it or unset it.")


def key(name: str) -> str | None:
    """Return the API key that stands under `name`, or under the provider's other name for it; else None."""
    same = next((group for group in SAME_KEY if name in group), (name,))
    for each in dict.fromkeys((name, *same)):
        if found := os.environ.get(each, "").strip():
            _handed_out[found] = each
            return found
    return None


_handed_out: dict[str, str] = {}
"""Keys that were looked up, with their names: they are redacted whatever a catalogue calls them."""
_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(_|\d|$)")
_SHORTEST = 6
"""Characters of the shortest secret that is redacted; shorter ones would eat ordinary words."""


def secrets() -> dict[str, str]:
    """Return the secrets that this process knows, each with the name of its variable."""
    found = dict(_handed_out)
    for name, value in os.environ.items():
        if _SECRET.search(name.upper()):
            found.setdefault(value.strip(), name)
        if "://" in value and "@" in value:
            found |= dict.fromkeys(_passwords(value), name)
    return {value: name for value, name in found.items() if len(value) >= _SHORTEST}


def _passwords(url: str) -> set[str]:
    try:
        password = urlsplit(url.strip()).password or ""
    except ValueError:
        return set()
    return {password, unquote(password)}


def redact(text: str) -> str:
    """Return `text` with every known secret replaced by the name of its variable in brackets."""
    for value, name in sorted(secrets().items(), key=lambda secret: -len(secret[0])):
        text = text.replace(value, f"[{name}]")
    return text


class Redaction(logging.Filter):
    """Takes the secrets out of a log record, its arguments and its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            message = f"{record.msg} {record.args}"
        record.msg, record.args = redact(message), None
        if record.exc_info:
            record.exc_text = redact(_formatter.formatException(record.exc_info))
            record.exc_info = None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


_formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")


def start_logging(level: str | int = "WARNING", stream: Any = None) -> None:
    """Log to standard error, or to `stream`, with every secret redacted; for the faces to call once."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter)
    handler.addFilter(Redaction())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # uvicorn's loggers do not pass their records on to the root, so they need the filter themselves
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).addFilter(Redaction())
