"""Attacks a sandbox before it is first used: one that lets anything through is not used at all."""

import asyncio
import hashlib
import os
import platform
import socket
import sys
import tempfile
from pathlib import Path

from orchestra_app.core.errors import ToolError
from orchestra_app.sandbox.base import Sandbox
from orchestra_app.sandbox.process import no_room

_WORKS = {
    "landlock": "import numpy, sympy; print(numpy.arange(4).sum() + sympy.Integer(36))",
    "deno": "print(42)",
}

# Each prints "open" where the attack succeeds; CANARY, PARENT and SERVER are put in front.
_ATTACKS = {
    "files can be read": "open(CANARY).read(); print('open')",
    "files can be read by JavaScript": "import js; js.Deno.readTextFileSync(CANARY); print('open')",
    "files can be written": "open(CANARY, 'a'); print('open')",
    "environments of other processes can be read": "open(f'/proc/{PARENT}/environ').read(); print('open')",
    "the network can be used": "import socket; socket.create_connection(SERVER, 1); print('open')",
    "processes can be started": "import os; os.fork(); print('open')",
    "other processes can be signalled": "import os; os.kill(PARENT, 0); print('open')",
    "memory is not bounded": "bytearray(3 << 30); print('open')",
}
_ENDLESS = "while True: pass"


def key(rung: str) -> str:
    """Name what a verdict holds for: kernel, interpreter, kind of user and the sandbox's own code."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    user = "root" if hasattr(os, "geteuid") and os.geteuid() == 0 else "user"
    machine = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"{rung}, {machine}, Python {platform.python_version()} in {sys.prefix}, {user}, {digest}"


def remembered(cache: Path | None, rung: str) -> bool:
    """Tell whether this rung has held here before."""
    try:
        return cache is not None and key(rung) in (cache / "sandbox-probe").read_text("utf-8").splitlines()
    except OSError:
        return False


def _remember(cache: Path | None, rung: str) -> None:
    if cache is None:
        return
    try:
        cache.mkdir(parents=True, exist_ok=True)
        (cache / "sandbox-probe").write_text(key(rung) + "\n", "utf-8")
    except OSError:
        return  # a folder that cannot be written costs another probe next time, nothing else


async def probe(sandbox: Sandbox, cache: Path | None) -> str | None:
    """Attack the sandbox unless it has held here before: None where it holds, else what does not."""
    if remembered(cache, sandbox.rung):
        return None
    try:
        failing = await _attack(sandbox)
    except ToolError as error:
        return str(error)
    if failing is None:
        _remember(cache, sandbox.rung)
    return failing


def _folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="orchestra-probe-")
    except OSError as error:
        raise no_room(error) from error


async def _attack(sandbox: Sandbox) -> str | None:
    try:
        server = socket.create_server(("127.0.0.1", 0))
    except OSError as error:
        return f"The sandbox cannot be probed, since no port can be opened here ({error.strerror})."
    with server, _folder() as folder:
        # Open to everyone, so that nothing but the confinement keeps the attacks out.
        Path(folder).chmod(0o777)
        canary = Path(folder, "canary")
        canary.write_text("canary", "utf-8")
        canary.chmod(0o666)
        before = f"CANARY, PARENT, SERVER = {str(canary)!r}, {os.getpid()}, {server.getsockname()}\n"
        works, endless, *attacked = await asyncio.gather(
            sandbox.run(_WORKS[sandbox.rung]),
            sandbox.run(_ENDLESS, seconds=0.05),
            *(sandbox.run(before + attack) for attack in _ATTACKS.values()),
        )
    if works.stdout != "42\n":
        return f"A plain program does not run in the sandbox: {works.stderr.strip()[-200:]}"
    if not endless.timed_out:
        return "In the sandbox an endless program is not ended."
    for what, execution in zip(_ATTACKS, attacked, strict=True):
        if "open" in execution.stdout:
            return f"In the sandbox {what}."
    return None
