"""What a program in the sandbox can rely on, and what whoever runs it can."""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestra_app.core.errors import ToolError
from orchestra_app.core.message import Execution
from orchestra_app.sandbox import open_sandbox, start_early
from orchestra_app.sandbox.inside import limits
from orchestra_app.sandbox.ladder import Off, landlock_obstacle
from orchestra_app.sandbox.landlocked import Landlocked
from orchestra_app.sandbox.probe import probe, remembered

_OBSTACLE = landlock_obstacle()
pytestmark = pytest.mark.skipif(_OBSTACLE is not None, reason=str(_OBSTACLE))

_ALARM = """
import signal
signal.signal(signal.SIGALRM, lambda *_: print("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.05)
signal.pause()
"""
_PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Landlocked]:
    opened = Landlocked()
    yield opened
    asyncio.run(opened.aclose())


def _processes(parent: int | None) -> list[int]:
    """List the zygote's children."""
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text("utf-8").split()]


def _alive(pid: int) -> bool:
    """Tell whether a process runs; one that waits for its parent to read its status does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def _until(condition) -> None:
    for _ in range(1500):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("It did not happen within thirty seconds.")


@pytest.mark.parametrize(
    ("code", "stdout", "stderr", "status"),
    [
        ("print(1)", "1\n", "", 0),
        ("", "", "", 0),
        ("import sys; print('a'); print('b', file=sys.stderr)", "a\n", "b", 0),
        ("print('kept', end=''); raise SystemExit(3)", "kept", "", 3),
        ("print('kept', end=''); exit('why')", "kept", "why", 1),
        ("import os; print('kept', end=''); os._exit(4)", "kept", "", 4),
        ("print('kept'); 1 / 0", "kept\n", "ZeroDivisionError: division by zero", 1),
        ("def f(:", "", "SyntaxError: invalid syntax", 1),
        ("print(1)\0", "", "source code string cannot contain null bytes", 1),
        ("'\ud800'", "", "SyntaxError: ", 1),
        ("if __name__ == '__main__': print('main')", "main\n", "", 0),
        ("input()", "", "EOFError: EOF when reading a line", 1),
        ("import sys; print(repr(sys.stdin.read()))", "''\n", "", 0),
        ("open('a', 'w').write('b'); print(open('a').read())", "b\n", "", 0),
        ("import os; print(sorted(os.environ), os.listdir())", "['HOME', 'TMPDIR'] []\n", "", 0),
        ("import sys; print(sys.argv, sys.modules['__main__'].__name__)", "['<code>'] __main__\n", "", 0),
        ("import atexit; atexit.register(print, 'last'); print('first')", "first\nlast\n", "", 0),
        ("import os; os.write(1, b'\\xff\\xe2\\x82')", "\ufffd\ufffd", "", 0),
        ("print('\\ud800')", "\\ud800\n", "", 0),
        ("import numpy as np; print(np.linalg.solve(np.eye(2) * 2, [2, 4]))", "[1. 2.]\n", "", 0),
        ("import sympy as s; print(s.solve('x**2 - 2'))", "[-sqrt(2), sqrt(2)]\n", "", 0),
        ("import sqlite3, ssl, email, unittest.mock, zoneinfo; print('library')", "library\n", "", 0),
        ("import numpy; print(numpy.empty(900 << 20, 'u1').size >> 20)", "900\n", "", 0),
        (_ALARM, "alarm\n", "", 0),
    ],
)
async def test_a_program_is_run_as_a_script_would_be(
    sandbox: Landlocked, code: str, stdout: str, stderr: str, status: int
):
    execution = await sandbox.run(code)

    assert (execution.stdout, execution.status) == (stdout, status), execution
    assert stderr in execution.stderr if stderr else not execution.stderr
    assert not execution.timed_out
    assert not execution.truncated
    assert execution.code == code


async def test_a_traceback_shows_the_programs_own_lines_and_no_others(sandbox: Landlocked):
    execution = await sandbox.run("def f():\n    return 1 / 0\n\nf()")

    assert 'File "<code>", line 4, in <module>\n    f()' in execution.stderr
    assert "return 1 / 0" in execution.stderr
    assert "program.py" not in execution.stderr


async def test_random_numbers_differ_from_run_to_run(sandbox: Landlocked):
    code = "import random, numpy; print(random.random(), numpy.random.rand())"
    runs = [(await sandbox.run(code)).stdout.split() for _ in range(2)]

    assert runs[0][0] != runs[1][0]
    assert runs[0][1] != runs[1][1]


async def test_output_before_the_deadline_is_kept(sandbox: Landlocked):
    execution = await sandbox.run("import time; print('so far'); time.sleep(30)", seconds=0.3)

    assert (execution.stdout, execution.status, execution.timed_out) == ("so far\n", None, True)
    assert 0.3 <= execution.seconds < 5


async def test_output_is_cut_between_characters(sandbox: Landlocked):
    execution = await sandbox.run(f"print('€' * {limits.OUTPUT})\nprint('end')")

    assert execution.truncated
    assert execution.status == 0
    assert execution.stdout == "€" * (limits.OUTPUT // 3)


async def test_nothing_of_one_run_is_left_for_the_next(sandbox: Landlocked):
    secret = "x".join("sesame")
    await sandbox.run(f"open('left', 'w').write('{secret}'); word = '{secret}'; print(word)")
    search = (
        "import gc, os\nword = 'x'.join('sesame')\n"
        "texts = [o for o in gc.get_objects() if isinstance(o, (dict, list)) and word in str(o)[:10 ** 6]]\n"
        "print(os.listdir(), len([t for t in texts if t is not globals()]))"
    )
    execution = await sandbox.run(search)

    assert execution.stdout == "[] 0\n", execution


async def test_sixteen_runs_go_on_at_once_and_more_wait(sandbox: Landlocked):
    begun = time.monotonic()
    runs = await asyncio.gather(
        *(sandbox.run(f"import time; time.sleep(0.4); print({n})") for n in range(20))
    )

    assert [int(run.stdout) for run in runs] == list(range(20))
    assert time.monotonic() - begun < 20 * 0.4
    assert max(run.seconds for run in runs) < 10


async def test_cancelling_a_run_kills_it(sandbox: Landlocked):
    await sandbox.run("pass")
    running = asyncio.create_task(sandbox.run("while True: pass", seconds=60))
    await _until(lambda: _processes(sandbox.pid))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    await _until(lambda: not _processes(sandbox.pid))
    assert (await sandbox.run("print(1)")).stdout == "1\n"


async def test_runs_survive_the_death_of_the_zygote():
    sandbox = Landlocked()
    await sandbox.run("pass")
    zygote = sandbox.pid
    assert zygote
    runs = [asyncio.create_task(sandbox.run(f"import time; time.sleep(0.3); print({n})")) for n in range(4)]
    await _until(lambda: len(_processes(zygote)) == 4)
    children = _processes(zygote)
    os.kill(zygote, signal.SIGKILL)

    assert [run.stdout for run in await asyncio.gather(*runs)] == ["0\n", "1\n", "2\n", "3\n"]
    assert sandbox.pid != zygote
    assert not [child for child in children if _alive(child)]
    await sandbox.aclose()


async def test_all_runs_survive_a_zygote_whose_descriptors_are_used_again():
    # The first run that loses the zygote closes its files, and the pipes of the next get their numbers.
    spare = [os.open(os.devnull, os.O_RDONLY) for _ in range(4)]
    sandbox = Landlocked()
    await sandbox.run("pass")
    zygote = sandbox.pid
    assert zygote
    runs = [asyncio.create_task(sandbox.run(f"import time; time.sleep(0.3); print({n})")) for n in range(6)]
    await _until(lambda: len(_processes(zygote)) == 6)
    for descriptor in spare:
        os.close(descriptor)
    os.kill(zygote, signal.SIGKILL)

    assert [run.stdout for run in await asyncio.gather(*runs)] == [f"{n}\n" for n in range(6)]
    await sandbox.aclose()


@contextlib.contextmanager
def _descriptors(left: int) -> Iterator[None]:
    """Leave this process only so many descriptors."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    places = [os.open(os.devnull, os.O_RDONLY) for _ in range(left)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(places, default=0) + 1, limit[1]))
    taken = []
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    for place in places:
        os.close(place)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        for place in taken:
            os.close(place)


def _opened() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("left", range(1, 9))
async def test_without_descriptors_a_run_fails_alone_and_loses_none(left: int, sandbox: Landlocked):
    await sandbox.run("pass")
    zygote, opened = sandbox.pid, _opened()
    going_on = asyncio.create_task(sandbox.run("import time; time.sleep(0.3); print('whole')"))
    await _until(lambda: _processes(zygote))
    with _descriptors(left), contextlib.suppress(ToolError):
        await sandbox.run("pass")

    assert (await going_on).stdout == "whole\n"
    assert sandbox.pid == zygote
    assert _opened() == opened


@pytest.mark.parametrize("left", range(1, 7))
async def test_without_descriptors_the_sandbox_does_not_start_and_leaves_nothing(
    left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    opened, starting = _opened(), Landlocked()
    with _descriptors(left), pytest.raises(ToolError):
        await starting.run("pass")
    await starting.aclose()

    assert _opened() == opened
    assert list(tmp_path.iterdir()) == []


async def test_a_crash_after_much_output_is_called_a_crash(sandbox: Landlocked):
    code = f"print('x' * {limits.OUTPUT * 2}, flush=True)\nimport ctypes\nctypes.string_at(0)"
    execution = await sandbox.run(code)
    assert execution.truncated
    assert execution.stderr == "Killed: SIGSEGV."

    flood = await sandbox.run(f"while True: print('x' * {limits.OUTPUT})")
    assert flood.stderr == "Killed: more than 4 MB were printed."


async def test_what_a_probe_opened_ends_when_the_sandbox_is_closed_meanwhile():
    sandbox, before = open_sandbox(None), _processes(os.getpid())
    running = asyncio.create_task(sandbox.run("print(1)"))
    await _until(lambda: set(_processes(os.getpid())) - set(before))
    await sandbox.aclose()

    assert _processes(os.getpid()) == before
    with pytest.raises(ToolError, match="closed"):
        await running
    with pytest.raises(ToolError, match="closed"):
        await sandbox.run("print(1)")


async def test_closing_ends_runs_and_removes_everything():
    sandbox = Landlocked()
    running = asyncio.create_task(
        sandbox.run("import os, time; print(os.getcwd()); time.sleep(60)", seconds=60)
    )
    folder = Path((await sandbox.run("import os; print(os.getcwd())")).stdout.strip()).parent
    zygote = sandbox.pid
    assert zygote
    assert folder.exists()
    await sandbox.aclose()

    with pytest.raises(ToolError, match="closed"):
        await running
    assert not _alive(zygote)
    assert not folder.exists()


def test_nothing_outlives_a_killed_parent():
    program = (
        "import asyncio\nfrom orchestra_app.sandbox.landlocked import Landlocked\n"
        "async def main():\n    s = Landlocked()\n    await s.run('pass')\n    print(s.pid, flush=True)\n"
        "    await s.run('while True: pass', seconds=60)\nasyncio.run(main())"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=_PROJECT) as parent:
        assert parent.stdout
        zygote = int(parent.stdout.readline())
        asyncio.run(_until(lambda: _processes(zygote)))
        left = [zygote, *_processes(zygote)]
        parent.kill()

    asyncio.run(_until(lambda: not [pid for pid in left if _alive(pid)]))


def test_a_parent_killed_while_the_zygote_starts_leaves_no_folder(tmp_path: Path):
    program = (
        "import time\nfrom orchestra_app.sandbox.process import Process\n"
        "print(Process().pid, flush=True)\ntime.sleep(60)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=_PROJECT, env=environment
    ) as parent:
        assert parent.stdout
        zygote = int(parent.stdout.readline())
        assert list(tmp_path.iterdir())
        parent.kill()

    asyncio.run(_until(lambda: not _alive(zygote)))
    assert not list(tmp_path.iterdir())


async def test_the_sandbox_opens_probes_and_remembers(tmp_path: Path):
    start_early()
    sandbox = open_sandbox(tmp_path)
    assert sandbox.rung == "landlock"
    assert not remembered(tmp_path, "landlock")

    assert (await sandbox.run("print(1)")).stdout == "1\n"
    assert remembered(tmp_path, "landlock")
    assert not remembered(tmp_path, "deno")
    await sandbox.aclose()
    with pytest.raises(ToolError, match="closed"):
        await sandbox.run("print(1)")


async def test_code_that_cannot_be_confined_is_not_run(tmp_path: Path):
    # No version of Landlock is this old: the kernel refuses the empty set of rules.
    sandbox = Landlocked(newest_abi=-1)
    with pytest.raises(ToolError, match="cannot be confined on this machine"):
        await sandbox.run("print('ran')")
    assert "cannot be confined" in str(await probe(sandbox, tmp_path))
    assert not remembered(tmp_path, "landlock")
    await sandbox.aclose()


async def test_a_sandbox_that_is_off_says_why():
    sandbox = Off("Python code is off.")
    with pytest.raises(ToolError, match="is off"):
        await sandbox.run("print(1)")


class _Leaky:
    """A sandbox that is none: it claims whatever it is told to."""

    rung = "landlock"
    reason = ""

    def __init__(self, **claims: Execution):
        self._claims = claims

    async def run(self, code: str, *, seconds: float = 10.0) -> Execution:
        for part, execution in self._claims.items():
            if part in code:
                return execution
        stdout = "42\n" if "sympy" in code else ""
        return Execution(code=code, stdout=stdout, status=0, timed_out=code == "while True: pass")

    async def aclose(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("claims", "finding"),
    [
        ({}, None),
        ({"environ": Execution(code="", stdout="open")}, "environments of other processes can be read"),
        ({"socket": Execution(code="", stdout="open")}, "the network can be used"),
        ({"while": Execution(code="")}, "an endless program is not ended"),
        ({"sympy": Execution(code="", stderr="no numpy")}, "no numpy"),
    ],
)
async def test_the_probe_finds_what_does_not_hold(claims: dict, finding: str | None, tmp_path: Path):
    found = await probe(_Leaky(**claims), tmp_path)

    assert found is None if finding is None else finding in str(found)
    assert remembered(tmp_path, "landlock") is (finding is None)


def test_a_python_without_what_the_sandbox_needs_is_said_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "memfd_create")
    assert "no memfd_create" in str(landlock_obstacle())
    start_early()


async def test_without_a_folder_for_temporary_files_the_sandbox_says_so(monkeypatch, tmp_path: Path):
    sandbox = Landlocked()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(ToolError, match="needs a temporary folder"):
        await sandbox.run("print(1)")
    assert "needs a temporary folder" in str(await probe(sandbox, None))
    await sandbox.aclose()
