"""Stores to test with: SQLite in a fresh folder, and databases on a real PostgreSQL server."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestra_app.storage.store import Store

POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a server that runs for this session, without a database name."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    if not folders:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    home = Path(tempfile.mkdtemp(prefix="orchestra-postgres-"))
    if os.getuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(home, account.pw_uid, account.pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    cluster = str(home / "cluster")
    _as_postgres(folders[-1] / "initdb", "-D", cluster, "-U", "orchestra", "--auth=trust", "--no-sync")
    control = (folders[-1] / "pg_ctl", "-D", cluster, "-w")
    _as_postgres(*control, "-l", str(home / "log"), "-o", options, "start")
    yield f"postgresql://orchestra:secret@127.0.0.1:{port}"
    _as_postgres(*control, "-m", "immediate", "stop")
    shutil.rmtree(home)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The address of an empty database of its own."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{postgres_server}/{name}"


@pytest.fixture(params=["sqlite", POSTGRES])
def address(request: pytest.FixtureRequest) -> str:
    """Where a store may be opened: a folder, and a PostgreSQL database."""
    fixture = "tmp_path" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(fixture))


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    """An open store, on both databases."""
    opened = Store.open(address)
    yield opened
    opened.close()


def _as_postgres(*command: str | Path) -> None:
    prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    # The server inherits the output, so it must not be a pipe that somebody waits for.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run([*prefix, *map(str, command)], stdout=output, stderr=output, cwd="/")
        output.seek(0)
        assert done.returncode == 0, output.read().decode()
