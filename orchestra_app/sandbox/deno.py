"""The sandbox where there is no Landlock: Pyodide in Deno without permissions, a process per run."""

import asyncio
import codecs
import contextlib
import shutil
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from orchestra_app.core.errors import ToolError
from orchestra_app.core.message import Execution
from orchestra_app.sandbox.inside import limits

_RUNNER = Path(__file__).with_name("runner.mjs")
_WARM = 2
_START = 120.0
_MEMORY = limits.MEMORY + (512 << 20)
"""Bytes of memory of the whole process, of which Pyodide itself takes some 400 MB."""


def _executable() -> str | None:
    return shutil.which("deno", path=sysconfig.get_path("scripts")) or shutil.which("deno")


def _folder(cache: Path | None) -> Path | None:
    """Find the Pyodide distribution that a person put beside the cache."""
    folder = cache.resolve() / "pyodide" if cache else None
    return folder if folder and (folder / "pyodide.mjs").exists() else None


def obstacle(cache: Path | None) -> str | None:
    """Say what is missing for this rung, None where nothing is."""
    if sys.platform == "win32":
        return "Windows is not supported: run Orchestra in WSL."
    if _executable() is None:
        return 'For Deno and Pyodide instead, run pip install "orchestra-app[sandbox]".'
    if _folder(cache) is None:
        place = cache / "pyodide" if cache else "the folder pyodide of the data folder"
        return f"For Deno and Pyodide instead, unpack the npm package pyodide into {place}."
    return None


async def _resident(pid: int) -> int:
    """Return the bytes of memory a process has, 0 where it is gone."""
    listed = await asyncio.create_subprocess_exec(
        *("ps", "-o", "rss=", "-p", str(pid)), stdout=asyncio.subprocess.PIPE
    )
    return int((await listed.communicate())[0].strip() or 0) * 1024


class _Worker:
    """A Deno process that has Pyodide loaded and runs one program."""

    def __init__(self, process: asyncio.subprocess.Process):
        self._process = process
        self.truncated = False

    @classmethod
    async def start(cls, folder: Path, home: str) -> "_Worker":
        """Start a process; raises ToolError where it does not get ready."""
        process = await asyncio.create_subprocess_exec(
            *(
                str(_executable()),
                "run",
                "--no-config",
                "--no-lock",
                "--no-npm",
                "--no-remote",
                "--no-prompt",
            ),
            *("--cached-only", "--deny-net", "--deny-import", f"--allow-read={folder}"),
            *("--v8-flags=--max-old-space-size=512", str(_RUNNER), str(folder)),
            env={"HOME": home, "DENO_DIR": home, "DENO_NO_UPDATE_CHECK": "1"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
        )
        worker = cls(process)
        assert process.stdout
        assert process.stderr
        try:
            async with asyncio.timeout(_START):
                line = await process.stdout.readline()
                complaint = b"" if line else await process.stderr.read()
        except TimeoutError:
            line, complaint = b"", b"it took too long"
        except asyncio.CancelledError:
            await worker.end()
            raise
        if line != b"ready\n":
            await worker.end()
            raise ToolError(f"Pyodide does not start in Deno: {complaint.decode(errors='replace')[-200:]}")
        return worker

    async def run(self, code: str, seconds: float) -> Execution:
        """Run the program and end the process."""
        process, started, timed_out = self._process, time.monotonic(), False
        assert process.stdin
        watch = asyncio.create_task(self._watch())
        reading = [asyncio.create_task(self._read(stream)) for stream in (process.stdout, process.stderr)]
        try:
            process.stdin.write(code.encode("utf-8", "replace"))
            process.stdin.close()
            async with asyncio.timeout(seconds):
                await process.wait()
        except TimeoutError:
            timed_out = True
        finally:
            watch.cancel()
            await self.end()
        stdout, stderr = await asyncio.gather(*reading)
        status = process.returncode
        return Execution(
            code=code,
            stdout=stdout,
            stderr=stderr.rstrip("\n"),
            status=None if timed_out or status is None or status < 0 else status,
            seconds=time.monotonic() - started,
            timed_out=timed_out,
            truncated=self.truncated,
        )

    async def end(self) -> None:
        """Kill the process and wait for that."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _watch(self) -> None:
        """Kill the process when it takes too much memory, which nothing else bounds here."""
        while True:
            if await _resident(self._process.pid) > _MEMORY:
                self._process.kill()
            await asyncio.sleep(0.1)

    async def _read(self, stream: asyncio.StreamReader | None) -> str:
        assert stream
        kept, seen = bytearray(), 0
        while chunk := await stream.read(1 << 16):
            kept += chunk[: limits.OUTPUT - len(kept)]
            seen += len(chunk)
            if seen > limits.FLOOD and self._process.returncode is None:
                self._process.kill()
        cut = seen > len(kept)
        self.truncated |= cut
        return codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(kept), final=not cut)


class Deno:
    """Runs code in Deno processes without permissions, of which two are kept loaded."""

    rung = "deno"
    reason = (
        "Python runs in Pyodide, in a Deno process without permissions: slower, and numpy may be missing."
    )

    def __init__(self, cache: Path | None):
        self._pyodide = _folder(cache)
        self._home = tempfile.mkdtemp(prefix="orchestra-deno-")
        self._warm: list[asyncio.Task[_Worker]] = []
        self._closed = False
        self._slots = asyncio.Semaphore(_WARM)

    async def run(self, code: str, *, seconds: float = 10.0) -> Execution:
        """Run the code for at most `seconds`; raises ToolError where Pyodide does not start."""
        if self._closed or self._pyodide is None:
            raise ToolError("The sandbox is closed.")
        async with self._slots:
            if not self._warm:
                self._start()
            worker = await self._warm.pop(0)
            while len(self._warm) < _WARM:
                self._start()
            return await worker.run(code, seconds)

    def _start(self) -> None:
        assert self._pyodide
        self._warm.append(asyncio.create_task(_Worker.start(self._pyodide, self._home)))

    async def aclose(self) -> None:
        """End the processes that are kept loaded."""
        self._closed = True
        starting, self._warm = self._warm, []
        for task in starting:
            if not task.done():
                task.cancel()
        for found in await asyncio.gather(*starting, return_exceptions=True):
            if isinstance(found, _Worker):
                await found.end()
        shutil.rmtree(self._home, ignore_errors=True)
