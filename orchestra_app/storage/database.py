"""One open database: its engine, its transactions, and its failures as sentences."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from orchestra_app.core.errors import StorageError

FILE_NAME = "orchestra.db"
BUSY_SECONDS = 20
"""How long a write waits for another process's write."""


@dataclass(frozen=True, slots=True)
class Database:
    """An engine with what SQLite needs around it."""

    engine: Engine
    place: str
    """Where it is, for messages; never with a password."""
    path: Path | None
    """The file, for SQLite."""
    writing: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever writes in this process, since waiting for SQLite's own lock means polling."""

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for reading one consistent state; raises StorageError."""
        with self.speaking(), self.engine.connect() as connection:
            if self.path is None:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes are durable together at the end; raises StorageError."""
        with self.speaking(), self.alone(), self.engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def bulk(self, *, durable: bool) -> Iterator[Any]:
        """Give a bare driver cursor in a transaction; raises the driver's own errors.

        durable: True where the commit must outlive a power cut, not only the death of this process.
        """
        with self.alone():
            connection = self.engine.raw_connection()
            try:
                cursor = connection.cursor()
                if self.path is not None:
                    cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                    cursor.execute("BEGIN IMMEDIATE")
                elif not durable:
                    cursor.execute("SET LOCAL synchronous_commit TO off")
                yield cursor
                connection.commit()
                if self.path is not None and not durable:
                    cursor.execute("PRAGMA synchronous=FULL")
                cursor.close()
            except BaseException:
                # Closing alone leaves SQLite's lock to the cursor that the traceback still holds.
                with contextlib.suppress(*self.errors):
                    connection.rollback()
                connection.invalidate()
                raise
            finally:
                connection.close()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other writers of this process out, where the database takes one writer at a time."""
        with self.writing if self.path is not None else contextlib.nullcontext():
            yield

    @contextlib.contextmanager
    def speaking(self) -> Iterator[None]:
        """Turn failures of the database into StorageError."""
        try:
            yield
        except self.errors as error:
            raise explain(error, self.place) from error

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the database, its driver and its files raise."""
        driver = self.engine.dialect.loaded_dbapi.Error
        return (SQLAlchemyError, sqlite3.Error, OSError, driver)


def connect(address: str | Path) -> Database:
    """Return the database at a folder, a `.db` file or a URL; nothing is opened yet. Raises StorageError."""
    if isinstance(address, str) and "://" in address:
        url = _read_url(address)
        if url.get_backend_name() == "postgresql":
            return _postgres(url)
        if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
            raise StorageError(
                f"A database of the kind {url.drivername!r} cannot be used; "
                "give a folder, a .db file or a postgresql:// address."
            )
        address = str(url.database)
    path = Path(address).expanduser()
    return _sqlite(path if path.suffix in (".db", ".sqlite", ".sqlite3") else path / FILE_NAME)


def _read_url(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise StorageError(
            "The database address cannot be read; it looks like postgresql://user:password@host:5432/name."
        ) from None
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    return url


def _postgres(url: URL) -> Database:
    place = f"PostgreSQL database {url.database or ''!r} at {url.host or 'localhost'}:{url.port or 5432}"
    try:
        engine = create_engine(
            url,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={} if "connect_timeout" in url.query else {"connect_timeout": 5},
        )
    except ModuleNotFoundError:
        raise StorageError(
            'PostgreSQL needs one more package: pip install "orchestra-app[postgres]".'
        ) from None
    return Database(engine=engine, place=place, path=None)


def _sqlite(path: Path) -> Database:
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _settle(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in ("foreign_keys=ON", "synchronous=FULL", "journal_size_limit=67108864"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return Database(engine=engine, place=str(path), path=path)


def explain(error: Exception, place: str) -> StorageError:
    """Return what failed as one sentence that says what to do, without secrets."""
    cause = _cause(error)
    if isinstance(cause, OSError):
        return StorageError(
            f"{place} cannot be used ({cause.strerror}); choose another folder or free this one."
        )
    code = _code(cause)
    for prefixes, sentence in _SENTENCES:
        if code.startswith(prefixes):
            return StorageError(sentence.format(place=place))
    if not code and not isinstance(cause, sqlite3.Error):
        return StorageError(
            f"The {place} cannot be reached; check that it runs and that the address is right."
        )
    return StorageError(f"{place} failed with {code or type(cause).__name__}; run `orchestra doctor`.")


ODD_VALUES = (ValueError, RecursionError, OverflowError)
"""What values raise that cannot be written, before a database sees them."""


def is_about_rows(error: Exception) -> bool:
    """Return whether the rows themselves were refused, not the database or its connection."""
    if isinstance(error, ODD_VALUES):
        return True
    cause = _cause(error)
    # What psycopg itself refuses to send has no code.
    refused = type(cause).__name__ == "DataError"
    return refused or _code(cause).startswith(("SQLITE_CONSTRAINT", "SQLITE_TOOBIG", "22", "23", "54"))


def _cause(error: Exception) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _code(cause: BaseException) -> str:
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    if code is None:
        # psycopg passes no code on where the connection itself is refused.
        code = next((code for words, code in _REFUSALS.items() if words in str(cause)), "")
    return code


_REFUSALS = {
    'role "': "28000",
    "authentication failed": "28P01",
    "no password supplied": "28P01",
    '" does not exist': "3D000",
}


_DAMAGED = (
    "{place} is damaged or is no SQLite database; "
    "restore a copy of it, or move it away and a new one is made at the next start."
)
_READ_ONLY = "{place} cannot be written; make the folder writable or set ORCHESTRA_HOME to another one."
_SENTENCES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("SQLITE_NOTADB", "SQLITE_CORRUPT", "XX001", "XX002"), _DAMAGED),
    (("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM"), _READ_ONLY),
    (("SQLITE_FULL", "53100"), "The disk of {place} is full; free some space and ask again."),
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED", "55P03", "40P01"),
        "{place} is kept busy by another program; close that one or try again.",
    ),
    (("SQLITE_IOERR",), "{place} cannot be read or written; check the disk."),
    (("28",), "The {place} refuses this user or password; check ORCHESTRA_DATABASE_URL."),
    (("3D",), "The {place} does not exist; create it or check ORCHESTRA_DATABASE_URL."),
    (("25006", "42501"), "The {place} does not let this user write; grant it the right to."),
    (
        ("08", "57P", "53300"),
        "The {place} cannot be reached; check that it runs and that the address is right.",
    ),
    (
        ("SQLITE_CONSTRAINT", "23"),
        "What was to be kept in {place} is already there or belongs to nothing there.",
    ),
)
