"""Opens a database: makes its folder, refuses what is not ours and brings the tables up to date."""

import sqlite3
import time
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from orchestra_app.core.errors import StorageError
from orchestra_app.storage.database import Database, connect
from orchestra_app.storage.migrations import HEAD, VERSION_TABLE

_LOCK = 0x6F72636865737472
"""Any number that no other program would use as its PostgreSQL advisory lock."""

# SQLite lets a transaction begin on a file that it cannot write, but no UPDATE.
_WRITE_NOTHING = text(f"UPDATE {VERSION_TABLE} SET version_num = version_num WHERE version_num = ''")


def open_database(address: str | Path) -> Database:
    """Return the database at a folder, a `.db` file or a URL, ready for use; raises StorageError."""
    database = connect(address)
    with ExitStack() as undo:
        undo.callback(database.engine.dispose)
        if database.path is not None:
            _prepare_file(database, database.path)
        with database.read() as connection:
            ready = revision(connection, database.place) == HEAD
        if not ready:
            _upgrade(database)
        # A disk that cannot be written is told of now, not when the first answer is there.
        with database.write() as connection:
            connection.execute(_WRITE_NOTHING)
        undo.pop_all()
    return database


def revision(connection: Connection, place: str) -> str | None:
    """Return the revision of the tables, None for an empty database.

    Raises StorageError for a database of another program.
    """
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE in tables:
        return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    if tables:
        raise StorageError(
            f"{place} belongs to another program (it has a table {min(tables)!r}); "
            "choose another folder or an empty database."
        )
    return None


def _prepare_file(database: Database, path: Path) -> None:
    with database.speaking():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Read first: another program's file is refused before anything in it changes.
    with database.read() as connection:
        revision(connection, database.place)
    with database.speaking():
        _use_wal(path)


def _use_wal(path: Path, patience: float = 20.0) -> None:
    connection = sqlite3.connect(path, timeout=1.0)
    try:
        until = time.monotonic() + patience
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                # SQLite does not wait here by itself while another process opens the same new file.
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.02)
    finally:
        connection.close()


def _upgrade(database: Database) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    folder = str(Path(__file__).parent / "migrations")
    known = {script.revision for script in ScriptDirectory(folder).walk_revisions()}
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = revision(connection, database.place)
        if found == HEAD:
            return
        if found is not None and found not in known:
            raise StorageError(
                f"{database.place} was made by a newer version of Orchestra; "
                "update with `pip install --upgrade orchestra-app` or choose another folder."
            )
        config = Config()
        config.set_main_option("script_location", folder.replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
