"""The zygote as its parent sees it: started with nothing of the parent's, asked over a socket."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from orchestra_app.core.errors import ToolError
from orchestra_app.sandbox.inside import limits

_BOOT = """\
import sys
sys.path.insert(0, sys.argv[1])
from inside.start import main
del sys.path[0]
main(sys.argv[2:])
"""

# All that the zygote's environment may hold: what an interpreter or numpy may need to start, never a secret.
_ENVIRONMENT = ("LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def _package_folders() -> list[str]:
    """Find where the preloaded packages are installed, without loading them."""
    folders = []
    for name in ("numpy", "sympy", "mpmath"):
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise ToolError(f"The sandbox needs the package {name}: run pip install -r requirements.txt.")
        folders.append(str(Path(found.origin).parent.parent))
    return list(dict.fromkeys(folders))


def no_room(error: OSError) -> ToolError:
    """Return what a temporary folder that cannot be made means."""
    return ToolError(f"The sandbox needs a temporary folder ({error.strerror}): set TMPDIR to one.")


class Process:
    """One zygote process and the socket to it."""

    complaint = "it ended without a word"
    """The last line that it wrote to its stderr, known once it is closed."""

    def __init__(self, *, newest_abi: int = 0):
        """Start it; raises ToolError where it cannot be started."""
        packages = _package_folders()
        try:
            self._folder = tempfile.mkdtemp(prefix="orchestra-sandbox-")
        except OSError as error:
            raise no_room(error) from error
        try:
            self._start(newest_abi, packages)
        except OSError as error:
            # Where no descriptor is left, only this removes a folder; it is still empty.
            with contextlib.suppress(OSError):
                Path(self._folder).rmdir()
            raise ToolError(f"The sandbox does not start: {error.strerror}.") from error

    def _start(self, newest_abi: int, packages: list[str]) -> None:
        with contextlib.ExitStack() as undoing:
            self._errors = os.memfd_create("errors")
            undoing.callback(os.close, self._errors)
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            undoing.callback(self._control.close)
            self._control.setblocking(False)
            with theirs:
                self._process = self._popen(theirs.fileno(), newest_abi, packages)
            undoing.pop_all()

    def _popen(self, control: int, newest_abi: int, packages: list[str]) -> subprocess.Popen[bytes]:
        arguments = (control, os.getpid(), newest_abi, self._folder, *packages)
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", _BOOT, str(Path(__file__).parent), *map(str, arguments)],
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=(control,),
            start_new_session=True,
            cwd="/",
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True until the process has ended."""
        return self._process.poll() is None

    async def send(self, seconds: float, descriptors: list[int]) -> None:
        """Ask for a run; raises OSError when the process is gone."""
        while True:
            try:
                socket.send_fds(self._control, [limits.REQUEST.pack(seconds)], descriptors)
                return
            except BlockingIOError:
                await asyncio.sleep(0.01)

    def close(self) -> None:
        """End the process and everything it runs, and wait for that (milliseconds)."""
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2)
        self._process.kill()
        self._process.wait()
        size = os.fstat(self._errors).st_size
        lines = os.pread(self._errors, 2000, max(0, size - 2000)).decode("utf-8", "replace").split("\n")
        written = (line.strip() for line in reversed(lines) if line.strip())
        self.complaint = next(written, self.complaint)
        os.close(self._errors)
        shutil.rmtree(self._folder, ignore_errors=True)
