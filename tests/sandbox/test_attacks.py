"""Every attack of the table is held, by the kernel's newest Landlock and by its oldest."""

import asyncio
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestra_app.sandbox.inside import limits
from orchestra_app.sandbox.ladder import landlock_obstacle
from orchestra_app.sandbox.landlocked import Landlocked
from tests.sandbox import attacks
from tests.sandbox.world import TOKEN, World, world

_OBSTACLE = landlock_obstacle()
pytestmark = pytest.mark.skipif(_OBSTACLE is not None, reason=str(_OBSTACLE))

_RAW = re.compile(r"\b(call|raw|vm|machine_code)\(")


def _cases(table: dict[str, str]) -> list:
    """List a table's attacks; those that name call numbers are for x86-64."""
    return [
        pytest.param(code, id=name)
        for name, code in table.items()
        if platform.machine() == "x86_64" or not _RAW.search(code)
    ]


@pytest.fixture(scope="module")
def attacked() -> Iterator[World]:
    os.environ[TOKEN] = "the parent's secret"
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as found:
        yield found
    del os.environ[TOKEN]


# Root's rights are the same with every version; the run as an ordinary user tries the oldest one too.
@pytest.fixture(scope="module", params=["newest"] if os.geteuid() == 0 else ["newest", "oldest"])
def sandbox(request: pytest.FixtureRequest, attacked: World) -> Iterator[Landlocked]:
    opened = Landlocked(newest_abi=1 if request.param == "oldest" else 0)
    yield opened
    assert _children(opened.pid) == [], "A run left a process behind."
    asyncio.run(opened.aclose())


@pytest.fixture
def target() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        # Open to everyone: nothing but the confinement may keep an attack out.
        Path(folder).chmod(0o777)
        path = Path(folder, "target")
        path.write_text("secret", "utf-8")
        path.chmod(0o666)
        yield path


def _children(pid: int | None) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()


@pytest.mark.parametrize("attack", _cases(attacks.REFUSED | attacks.UNPROVEN))
async def test_is_refused(attack: str, sandbox: Landlocked, attacked: World, target: Path):
    execution = await sandbox.run(attacked.program(attack, confined=True, target=target), seconds=10)

    assert execution.stdout.startswith("HELD"), execution
    assert "BROKEN" not in execution.stdout
    assert target.read_text("utf-8") == "secret"


@pytest.mark.parametrize("attack", _cases(attacks.REFUSED))
def test_succeeds_in_a_bare_interpreter(attack: str, attacked: World, target: Path, tmp_path: Path):
    yama = Path("/proc/sys/kernel/yama/ptrace_scope")
    if attack in {attacks.REFUSED[name] for name in attacks.NEED_TRACING} and yama.exists():
        pytest.skip("This machine restricts tracing for everybody.")
    program = attacked.program(attack, confined=False, target=target)
    bare = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=20
    )

    assert "BROKEN" in bare.stdout, bare


@pytest.mark.parametrize("attack", _cases(attacks.ENDLESS))
async def test_is_ended_at_its_deadline(attack: str, sandbox: Landlocked, attacked: World):
    # On a busy machine nothing may have begun so soon.
    for seconds in (0.1, 1, 5):
        execution = await sandbox.run(attacked.plain("print('begun')\n" + attack), seconds=seconds)
        assert (execution.timed_out, execution.status) == (True, None), execution
        if execution.stdout:
            break
    assert execution.stdout == "begun\n"


@pytest.mark.parametrize("attack", _cases(attacks.FLOODS))
async def test_is_cut_and_killed(attack: str, sandbox: Landlocked, attacked: World):
    execution = await sandbox.run(attacked.plain(attack), seconds=20)

    assert execution.truncated
    assert (execution.status, execution.timed_out) == (None, False), execution.stderr[-200:]
    assert max(len(execution.stdout), len(execution.stderr)) <= limits.OUTPUT + 100


@pytest.mark.parametrize("attack", _cases(attacks.DISK))
async def test_cannot_fill_the_disk(attack: str, sandbox: Landlocked, attacked: World):
    execution = await sandbox.run(attacked.plain(attack), seconds=20)
    size, files = map(int, execution.stdout.split("\n")[-2].split())

    assert execution.stderr.startswith("Killed: more than 64 MB"), execution
    # What is written between two looks comes on top.
    assert size < 8 * limits.FOLDER
    assert files < 8 * limits.FILES


@pytest.mark.parametrize("attack", _cases(attacks.CRASHES))
async def test_ends_alone(attack: str, sandbox: Landlocked, attacked: World):
    zygote = sandbox.pid
    execution = await sandbox.run(attacked.plain(attack), seconds=20)

    assert execution.status is None, execution
    assert "Killed: SIG" in execution.stderr
    assert "BROKEN" not in execution.stdout
    assert (await sandbox.run("print(1)")).stdout == "1\n"
    assert sandbox.pid == zygote
