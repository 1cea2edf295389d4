"""The sandbox of Deno and Pyodide, where both are here: set TEST_PYODIDE to the folder that holds
the folder `pyodide`, and install the extra `sandbox`."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestra_app.sandbox import deno
from orchestra_app.sandbox.probe import probe

_CACHE = Path(os.environ.get("TEST_PYODIDE", "/nowhere"))
_OBSTACLE = deno.obstacle(_CACHE)
needs_deno = pytest.mark.skipif(_OBSTACLE is not None, reason=str(_OBSTACLE))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_BEFORE = """
import js
from pyodide.code import run_js
try:
    print("BROKEN", {attack})
except (OSError, MemoryError, RuntimeError, OverflowError, ModuleNotFoundError) as error:
    print("HELD", type(error).__name__)
except Exception as error:
    print("HELD" if "NotCapable" in str(error) else "NEITHER", error)
"""

_ATTACKS = {
    "read a file": "open(FILE).read()",
    "read a file by JavaScript": "js.Deno.readTextFileSync(FILE)",
    "write a file by JavaScript": "js.Deno.writeTextFileSync(FILE, 'x')",
    "write where it can read": "js.Deno.writeTextFileSync(PYODIDE, 'x')",
    "list a folder": "list(js.Deno.readDirSync('/tmp'))",
    "environment": "js.Deno.env.toObject()",
    "a process": "run_js(\"new Deno.Command('/bin/true').outputSync()\")",
    "a library": "run_js(\"Deno.dlopen('libc.so.6', {})\")",
    "a signal": "js.Deno.kill(js.Deno.ppid, 'SIGTERM')",
    "the machine": "js.Deno.hostname()",
    "a listening socket": 'run_js("Deno.listen({ port: 0 })")',
    "permissions asked for": "run_js(\"Deno.readFileSync('/etc/passwd')\")",
    "a fork": "__import__('os').fork()",
}


@pytest.fixture(scope="module")
def loop_and_sandbox() -> Iterator[tuple[asyncio.Runner, deno.Deno]]:
    with asyncio.Runner() as runner:
        sandbox = deno.Deno(_CACHE)
        yield runner, sandbox
        runner.run(sandbox.aclose())


def test_what_is_missing_is_said_in_a_sentence(tmp_path: Path):
    missing = deno.obstacle(tmp_path)

    assert missing
    assert "sandbox]" in missing or str(tmp_path / "pyodide") in missing


@needs_deno
@pytest.mark.parametrize("attack", [pytest.param(code, id=name) for name, code in _ATTACKS.items()])
def test_is_refused(attack: str, loop_and_sandbox: tuple[asyncio.Runner, deno.Deno], tmp_path: Path):
    runner, sandbox = loop_and_sandbox
    file = tmp_path / "file"
    file.write_text("secret", "utf-8")
    names = f"FILE, PYODIDE = {str(file)!r}, {str(_CACHE / 'pyodide/pyodide.mjs')!r}"
    execution = runner.run(sandbox.run(names + _BEFORE.replace("{attack}", attack), seconds=60))

    assert execution.stdout.startswith("HELD"), execution
    assert file.read_text("utf-8") == "secret"


@needs_deno
@pytest.mark.parametrize(
    ("code", "stdout", "status", "timed_out"),
    [
        ("print(6 * 7)", "42\n", 0, False),
        ("print('kept'); raise SystemExit(3)", "kept\n", 3, False),
        ("print('kept'); 1 / 0", "kept\n", 1, False),
        ("print('kept')\nwhile True: pass", "kept\n", None, True),
        ("k = [bytearray(1 << 26) for _ in range(60)]; print()", "", None, False),
        (
            "import js; keep = [js.Uint8Array.new(1 << 28).fill(1) for _ in range(20)]; print()",
            "",
            None,
            False,
        ),
    ],
)
def test_a_program_is_run_to_its_end_or_ended(
    code: str,
    stdout: str,
    status: int | None,
    timed_out: bool,
    loop_and_sandbox: tuple[asyncio.Runner, deno.Deno],
):
    runner, sandbox = loop_and_sandbox
    execution = runner.run(sandbox.run(code, seconds=8))

    assert (execution.stdout, execution.status, execution.timed_out) == (stdout, status, timed_out), execution


@needs_deno
def test_it_holds_against_the_probe(loop_and_sandbox: tuple[asyncio.Runner, deno.Deno]):
    runner, sandbox = loop_and_sandbox

    assert runner.run(probe(sandbox, None)) is None
