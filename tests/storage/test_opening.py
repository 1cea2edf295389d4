"""Opening: tables are made and agree with the models; what cannot be used says what to do in a sentence."""

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlmodel import SQLModel
from storage_rollouts import rollout, save

from orchestra_app.core.errors import StorageError
from orchestra_app.core.task import Budget, Task
from orchestra_app.storage import migrations
from orchestra_app.storage.opening import open_database
from orchestra_app.storage.queries import Filter
from orchestra_app.storage.store import Store


def test_the_migrations_build_just_what_the_models_say(address: str):
    database = open_database(address)
    with database.read() as connection:
        options = {"version_table": migrations.VERSION_TABLE, "compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata) == []
    database.engine.dispose()


def test_the_head_that_the_store_looks_for_is_the_newest_revision():
    folder = str(Path(migrations.__file__).parent)
    assert ScriptDirectory(folder).get_heads() == [migrations.HEAD]


async def test_traces_of_an_older_store_are_found_by_their_sliders_and_budget(address: str):
    store, frugal = Store.open(address), Task(id="q", question="Why?", budget=Budget(cost=0.01))
    await save(store, rollout("usual"))
    await save(store, rollout("frugal", started={"task": frugal}))
    store.close()
    database = open_database(address)
    with database.write() as connection:
        for statement in (
            "DROP INDEX trace_list",
            "DROP INDEX trace_owner",
            "ALTER TABLE job DROP COLUMN heard",
            "ALTER TABLE trace DROP COLUMN wish",
            "CREATE INDEX trace_list ON trace (started_at)",
            "CREATE INDEX trace_owner ON trace (owner)",
            f"UPDATE {migrations.VERSION_TABLE} SET version_num = '0003'",
        ):
            connection.execute(text(statement))
    database.engine.dispose()
    store = Store.open(address)
    assert await store.ids(Filter(wish=frugal.wish)) == ("frugal",)
    assert len(await store.ids()) == 2
    store.close()


def test_a_store_of_today_opens_without_loading_alembic(tmp_path: Path):
    Store.open(tmp_path).close()
    code = (
        "import sys; from orchestra_app.storage.store import Store; "
        "Store.open(sys.argv[1]).close(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == 0


def test_several_programs_may_open_a_new_database_at_once(address: str):
    code = "import sys; from orchestra_app.storage.store import Store; Store.open(sys.argv[1]).close()"
    children = [subprocess.Popen([sys.executable, "-c", code, address]) for _ in range(4)]
    assert [child.wait() for child in children] == [0] * 4


def test_sqlite_is_kept_in_wal_mode_in_a_folder_that_is_made(tmp_path: Path):
    folder = tmp_path / "new" / "home"
    store = Store.open(folder)
    with sqlite3.connect(folder / "orchestra.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    store.close()
    assert folder.stat().st_mode & 0o077 == 0


def test_each_connection_waits_checks_keys_and_syncs(tmp_path: Path):
    database = open_database(tmp_path)
    with database.read() as connection:
        pragmas = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("foreign_keys", "synchronous", "busy_timeout")
        ]
    assert pragmas == [1, 2, 20_000]
    database.engine.dispose()


@pytest.mark.parametrize("form", ["{}", "{}/orchestra.db", "sqlite:///{}/orchestra.db"])
async def test_every_way_to_name_a_folder_opens_the_same_store(tmp_path: Path, form: str):
    first = Store.open(tmp_path)
    await save(first, rollout("a"))
    first.close()
    second = Store.open(form.format(tmp_path))
    assert await second.count() == 1
    second.close()


def _garbage(folder: Path) -> Path:
    (folder / "orchestra.db").write_bytes(b"no database, " * 1_000)
    return folder


def _torn(folder: Path) -> Path:
    Store.open(folder).close()
    file = folder / "orchestra.db"
    file.write_bytes(file.read_bytes()[:100] + os.urandom(60_000))
    return folder


def _foreign(folder: Path) -> Path:
    with sqlite3.connect(folder / "orchestra.db") as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    return folder


def _newer(folder: Path) -> Path:
    Store.open(folder).close()
    with sqlite3.connect(folder / "orchestra.db") as connection:
        connection.execute("UPDATE orchestra_version SET version_num = '9999'")
    connection.close()
    return folder


def _file_as_folder(folder: Path) -> Path:
    (folder / "file").write_text("")
    return folder / "file" / "home"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_garbage, "damaged or is no SQLite database"),
        (_torn, "damaged or is no SQLite database"),
        (_foreign, r"belongs to another program \(it has a table 'recipes'\)"),
        (_newer, "newer version of Orchestra"),
        (_file_as_folder, "choose another folder"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_and_left_as_it_is(tmp_path: Path, make, said: str):
    folder = make(tmp_path)
    file = tmp_path / "orchestra.db"
    before = file.read_bytes() if file.exists() else None
    with pytest.raises(StorageError, match=said) as caught:
        Store.open(folder)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    assert (file.read_bytes() if file.exists() else None) == before


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o555, None), (0o555, 0o444), (0o777, 0o444)])
def test_a_disk_that_cannot_be_written_is_told_at_the_start(
    tmp_path: Path, folder_mode: int, file_mode: int | None
):
    folder = tmp_path / "home"
    folder.mkdir()
    if file_mode is not None:
        Store.open(folder).close()
        (folder / "orchestra.db").chmod(file_mode)
    folder.chmod(folder_mode)
    code = (
        "import os, sys; from orchestra_app.storage.store import Store\n"
        # Permissions bind everybody but root.
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: Store.open(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    for above in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        above.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert re.match(r"StorageError .*(cannot be written|cannot be used).*\.$", done.stdout), done


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://ann:hush@127.0.0.1:1/orchestra", "cannot be reached"),
        ("postgres://ann:hush@127.0.0.1:1/orchestra?connect_timeout=2", "127.0.0.1:1 cannot be reached"),
        ("postgresql+psycopg://ann:hush@127.0.0.1:1/x?password=hush", "cannot be reached"),
        ("postgresql://ann:hush@host:port/x", "cannot be read"),
        ("mysql://ann:hush@host/x", "cannot be used"),
        ("://hush", "cannot be read"),
        ("sqlite://", "cannot be used"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_without_its_password(url: str, said: str):
    with pytest.raises(StorageError, match=said) as caught:
        Store.open(url)
    assert "hush" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.postgres
def test_a_postgresql_database_that_is_not_there_or_not_ours_is_refused(postgres_url: str):
    import psycopg

    with pytest.raises(StorageError, match="does not exist"):
        Store.open(postgres_url + "x")
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StorageError, match="belongs to another program") as caught:
        Store.open(postgres_url)
    assert "secret" not in str(caught.value)
