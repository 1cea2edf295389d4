"""No key planted in the environment is found in the database, traces, output, logs, reprs or the sandbox."""

import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestra_app import Options, Trace, Workspace, load_settings
from orchestra_app.config import key, start_logging
from orchestra_app.sandbox import open_sandbox
from tests.cli.fake_catalog import write_catalog
from tests.fake_openai import FakeOpenAI

ROOT = Path(__file__).parents[1]
CANARY = "canary-5f1d0c"
PLANTED = {
    "OPENAI_API_KEY": f"sk-{CANARY}-openai",
    "HF_TOKEN": f"hf_{CANARY}",
    "TAVILY_API_KEY": f"tvly-{CANARY}",
    "MY_LOGIN": f"login-{CANARY}",
}
DATABASE_URL = f"postgresql://me:word-{CANARY}@127.0.0.1:1/orchestra"
QUESTION = "What is 6 * 7?"
ECHO = {"error": {"message": f"Incorrect API key provided: {PLANTED['OPENAI_API_KEY']}."}}
"""What a careless server says to a key that it does not know."""


@pytest.fixture(autouse=True)
def planted(monkeypatch) -> None:
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        yield server


def orchestra(*arguments: str, **environment: str) -> str:
    """Everything that a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestra_app", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def everything_under(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def ask(catalog: str, *, policy: str | None = None) -> Trace:
    workspace = await Workspace.open()
    try:
        name = workspace.add_catalog(catalog)
        orchestrator = await workspace.orchestrator(name, policy)
        task = workspace.task(QUESTION, name)
        steps = [step async for step in workspace.rollout(orchestrator, task, Options())]
        assert CANARY not in f"{workspace.settings!r} {vars(workspace)!r} {workspace.parts(name)!r}"
        assert CANARY not in f"{orchestrator!r} {workspace.parts(name).backend('expert')!r}"
        return steps[-1][1]
    finally:
        await workspace.aclose()


@pytest.mark.parametrize(
    ("model", "step", "status"),
    [
        ("answers", {"message": {"content": "<answer>42</answer>"}}, "answered"),
        ("refuses", {"status": 401, "body": ECHO}, "failed"),
        ("breaks", {"status": 500, "body": ECHO}, "exhausted"),
        ("hangs-up", {"cut": True}, "exhausted"),
    ],
)
async def test_a_key_goes_to_its_server_and_nowhere_else(tmp_path, home, fake, model, step, status):
    fake.script(model, *[step] * 40)
    trace = await ask(write_catalog(tmp_path, fake.url, model))
    assert fake.log(model)[0]["authorization"] == f"Bearer {PLANTED['OPENAI_API_KEY']}"
    assert trace.status == status
    assert CANARY not in trace.model_dump_json() and CANARY not in repr(trace)
    assert CANARY.encode() not in everything_under(home)


def test_no_command_prints_a_key(tmp_path, fake):
    fake.script("shows", *[{"status": 401, "body": ECHO}] * 40)
    catalog = write_catalog(tmp_path, fake.url, "shows")
    said = [
        orchestra("doctor"),
        orchestra("ask", QUESTION, "--catalog", catalog, "--json"),
        orchestra("ask", QUESTION, "--catalog", catalog),
        orchestra("traces", "list", "--json"),
        orchestra("ask", f"{QUESTION} ", "--policy", PLANTED["HF_TOKEN"]),
        orchestra("traces", "list", ORCHESTRA_DATABASE_URL=DATABASE_URL),
        orchestra("doctor", ORCHESTRA_DATABASE_URL=DATABASE_URL),
        orchestra("doctor", ORCHESTRA_DATABASE_URL=DATABASE_URL.replace("postgresql", "mysql")),
        orchestra("ask", QUESTION, ORCHESTRA_POLICY_URL=f"http://me:word-{CANARY}@gpu/v1"),
    ]
    assert all(said) and [text for text in said if CANARY in text] == []


def test_a_bug_that_travels_up_names_no_key():
    code = (
        "import os, orchestra_app.cli.app as cli\n"
        "@cli.app.command()\n"
        "@cli.command\n"
        "async def burst() -> None:\n"
        "    raise RuntimeError('sent ' + os.environ['OPENAI_API_KEY'])\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "RuntimeError: sent [OPENAI_API_KEY]" in done.stderr
    assert CANARY not in done.stderr


def test_settings_show_no_password(monkeypatch):
    monkeypatch.setenv("ORCHESTRA_DATABASE_URL", DATABASE_URL)
    settings = load_settings()
    assert CANARY in settings.database
    assert CANARY not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_an_exception_that_is_logged_names_no_key():
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        start_logging("DEBUG", stream)
        try:
            raise ValueError(f"refused {key('MY_LOGIN')}") from OSError(DATABASE_URL)
        except ValueError:
            os.environ["ORCHESTRA_DATABASE_URL"] = DATABASE_URL
            logging.getLogger("httpx").exception("with %s", {"authorization": PLANTED["HF_TOKEN"]})
    finally:
        os.environ.pop("ORCHESTRA_DATABASE_URL", None)
        root.handlers[:] = handlers
        root.setLevel(level)
    assert "Traceback" in stream.getvalue() and "[HF_TOKEN]" in stream.getvalue()
    assert CANARY not in stream.getvalue()


LOOK = """
import os, glob
print("looked", dict(os.environ))
for path in ["/proc/self/environ", *glob.glob("/proc/*/environ"), "/proc/{parent}/environ",
             "/proc/{parent}/cmdline", "{home}/orchestra.db"]:
    try:
        print(path, open(path, "rb").read())
    except OSError as error:
        print(path, type(error).__name__)
"""


async def test_sandboxed_code_sees_no_key(home, capfd):
    assert CANARY in Path("/proc/self/environ").read_bytes().decode(errors="replace") or os.getenv("HF_TOKEN")
    sandbox = open_sandbox(home)
    try:
        seen = await sandbox.run(LOOK.format(parent=os.getpid(), home=home), seconds=10)
    finally:
        await sandbox.aclose()
    assert "looked" in seen.stdout, seen
    assert CANARY not in seen.model_dump_json()
